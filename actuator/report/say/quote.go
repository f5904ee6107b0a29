package say

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shell quotes s as one word for a POSIX shell, in double quotes where that reads better and means the same.
func Shell(s string) string {
	if strings.Contains(s, "'") && !strings.ContainsAny(s, "\"$`\\!") {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// SQL quotes s as a string of ClickHouse. What is not printable is written as escapes.
func SQL(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == utf8.RuneError || !unicode.IsPrint(r):
			_, size := utf8.DecodeRuneInString(s[i:])
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, `\x%02X`, c)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// Patch is the command by which a person can apply a JSON Patch to an object named like "Deployment shop/cart". It is "" where the object
// or the patch cannot be put into a command safely.
func Patch(object, patch string) string {
	parts := regexp.MustCompile(`^([A-Za-z][A-Za-z0-9.]*) (?:([a-z0-9][a-z0-9.-]*)/)?([a-z0-9][a-z0-9.-]*)$`).FindStringSubmatch(object)
	compact, ok := compactJSON(patch)
	if parts == nil || !ok {
		return ""
	}
	command := "kubectl "
	if parts[2] != "" {
		command += "-n " + parts[2] + " "
	}
	return command + "patch " + strings.ToLower(parts[1]) + " " + parts[3] + " --type=json -p " + Shell(compact)
}

// compactJSON writes a JSON array on one line, without characters that a terminal or a reader could take for something else.
func compactJSON(s string) (string, bool) {
	var b bytes.Buffer
	if !strings.HasPrefix(strings.TrimSpace(s), "[") || !utf8.ValidString(s) || json.Compact(&b, []byte(s)) != nil {
		return "", false
	}
	var out strings.Builder
	for _, r := range b.String() {
		switch {
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xFFFF: // a pair of surrogates, as JSON wants it
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String(), true
}
