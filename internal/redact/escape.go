package redact

import "strings"

// maxEscapes bounds how often a text may be escaped that is still read: %2540 is an @ that was escaped twice.
const maxEscapes = 3

// unescape undoes the ways in which URLs, JSON and HTML write signs, and other signs for @.
func unescape(s string) string {
	for range maxEscapes {
		plain := percent(s)
		if plain == s {
			break
		}
		s = plain
	}
	if !strings.ContainsAny(s, `＠﹫\&`) {
		return s
	}
	return strings.NewReplacer("＠", "@", "﹫", "@", `\u0040`, "@", "&#64;", "@", "&#x40;", "@").Replace(s)
}

// percent undoes one level of %40, for signs that are part of what is looked for. Those that end a value stay: password=a%26b is one.
func percent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			if c := hexValue(s[i+1])<<4 | hexValue(s[i+2]); alphanumeric(c) || strings.IndexByte("%@:=+-_./~", c) >= 0 {
				out.WriteByte(c)
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func isHex(c byte) bool { return digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func hexValue(c byte) byte {
	if digit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
