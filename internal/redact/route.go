package redact

import "strings"

// ID stands for what differs between requests of one route.
const ID = "{id}"

// Bounds of a route.
const (
	maxSegments = 16
	maxSegment  = 64
	manyDigits  = 5
	longHex     = 8
	surelyHex   = 16
)

// Route makes a template of the path of a request: segments that are numbers, UUIDs, hexadecimal ids, addresses, secrets or very long become
// {id}. Scheme, host, query and fragment are left out, and what follows the sixteenth segment. What is a template already stays as it is.
func Route(s string) string {
	if i := strings.Index(s, "://"); i >= 0 {
		rest := s[i+3:]
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			s = rest[slash:]
		} else {
			s = "/"
		}
	}
	if i := strings.IndexAny(s, "?#;"); i >= 0 {
		s = s[:i]
	}
	if fixed(s) {
		return s
	}
	var out strings.Builder
	n := 0
	for segment := range strings.SplitSeq(s, "/") {
		if n > maxSegments {
			break
		}
		if n > 0 {
			out.WriteByte('/')
		}
		if varies(segment) {
			segment = ID
		}
		out.WriteString(segment)
		n++
	}
	return out.String()
}

// fixed is a quick look that finds most templates to be as they should be: short, of few short segments, without digits and rare signs.
func fixed(s string) bool {
	segments, run := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '/':
			segments, run = segments+1, 0
		case digit(c), c == '@', c == '%', c == '=', c == ':', c == ' ', c == '+', c >= 0x80:
			return false
		default:
			run++
		}
		if run >= innocentRun || segments > maxSegments {
			return false
		}
	}
	return true
}

// varies says that a segment is not the same for all requests of a route.
func varies(s string) bool {
	if len(s) > maxSegment || strings.IndexByte(s, '%') >= 0 || strings.IndexByte(s, '@') > 0 {
		return true
	}
	digits, hex := 0, len(s) > 0
	for i := range len(s) {
		c := s[i]
		if digit(c) {
			digits++
		}
		hex = hex && (digit(c) || c == '-' || 'a' <= c|0x20 && c|0x20 <= 'f')
	}
	switch {
	case digits >= manyDigits, digits > 0 && digits == len(s):
		return true
	case hex && (len(s) >= longHex && digits > 0 || len(s) >= surelyHex):
		return true
	}
	return Text(s) != s
}
