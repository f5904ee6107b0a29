package rows

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/weirmesh/weir/internal/redact"
	"github.com/weirmesh/weir/schemas"
)

// name makes a text fit to name something: without secrets, at most schemas.MaxName bytes, see limit.
func name(s string) string { return own(limit(clean(s, redact.Text), schemas.MaxName)) }

// identity is name for what tells two senders or two series apart: they stay two when what differs is taken out.
func identity(s string, size int) string { return own(limit(clean(s, redact.Identity), size)) }

func instanceName(s string) string { return identity(s, schemas.MaxName) }

// own keeps the name that only Weir may give from being claimed.
func own(s string) string {
	if s == schemas.Overflow {
		return "_" + s[1:]
	}
	return s
}

// maxScan is how much of a text is searched for secrets; what follows is dropped.
const maxScan = 2 * schemas.MaxName

// clean takes the secrets out of the beginning of a text. What is left of it may end in half a secret, so its end is dropped too.
func clean(s string, redacted func(string) string) string {
	if len(s) <= maxScan {
		return redacted(s)
	}
	s = redacted(cut(s, maxScan))
	if strings.HasSuffix(s, "}") {
		return s
	}
	return cut(s, max(0, len(s)-schemas.MaxName))
}

// Name makes a text fit to name something, as names of senders are made fit.
func Name(s string) string { return name(s) }

// limit returns s cut to at most size bytes, with U+FFFD in place of control characters and of what is not UTF-8.
func limit(s string, size int) string {
	if len(s) <= size && plain(s) {
		return s
	}
	s = cut(s, size)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, s)
	// A replacement may be longer than what it replaces.
	return cut(s, size)
}

// plain reports whether s is printable ASCII, as nearly all names are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cut shortens s to at most size bytes without parting a character.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	end := size
	for end > 0 && end > size-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// text returns an attribute that holds a text, or a number or truth value written as one; "" for anything else.
func text(v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str()
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(v.Int(), 10)
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.Bool())
	}
	return ""
}

// maxDigits is the longest text that is read as a number: errors of strconv keep a copy of what they could not read.
const maxDigits = 20

// whole returns an attribute that holds a whole number, or a text that is one, if it is not negative; else -1.
func whole(v pcommon.Value) int64 {
	var n int64
	switch v.Type() {
	case pcommon.ValueTypeInt:
		n = v.Int()
	case pcommon.ValueTypeStr:
		if len(v.Str()) > maxDigits {
			return -1
		}
		var err error
		if n, err = strconv.ParseInt(v.Str(), 10, 64); err != nil {
			return -1
		}
	default:
		return -1
	}
	return max(n, -1)
}
