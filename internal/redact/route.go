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
	segments := strings.Split(s, "/")
	segments = segments[:min(len(segments), maxSegments+1)]
	secrets := make([]bool, len(segments))
	for i, segment := range segments {
		// A slash may be a sign of base64, so what is beside a secret is one if it looks like one.
		secrets[i] = scrambled(segment) && (varies(segment) || i > 0 && secrets[i-1])
	}
	for i := len(segments) - 1; i >= 0; i-- {
		secrets[i] = secrets[i] || i+1 < len(segments) && secrets[i+1] && scrambled(segments[i])
		if secrets[i] || varies(segments[i]) {
			segments[i] = ID
		}
	}
	return strings.Join(segments, "/")
}

// scrambled says that a segment is of letters of both cases that read as no word, with digits or signs of base64 among them.
func scrambled(s string) bool {
	t := tallyOf(s)
	return t.lower > 0 && t.upper > 0 && 2*t.wordy < t.size() && (t.digits > 0 || strings.ContainsAny(s, "+="))
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
	if len(s) > maxSegment || strings.IndexByte(s, '%') >= 0 || strings.IndexByte(s, '@') > 0 || strings.IndexByte(s, '=') > 0 && s[0] != '{' {
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
