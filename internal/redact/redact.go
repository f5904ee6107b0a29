// Package redact takes secrets and personal data out of texts that strangers wrote, before anything keeps them.
//
// It knows shapes, not meanings: mail addresses, credentials in URLs, bearer and basic authentication, JSON web tokens, keys of well-known
// issuers, PEM blocks, pairs such as password=..., card and account numbers (by their check digits), phone numbers, and long texts that look drawn at
// random. Each is replaced by a marker in braces that says what was there. A secret that looks like an ordinary word stays, and so do
// hexadecimal digests and UUIDs, because pods, containers, images and commits are named that way: redaction is the second line of
// defence, after the allow-lists that leave nearly everything behind.
//
// All functions are pure, need time in proportion to the text, and return a text without secrets as it is, without allocating.
package redact

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// What stands in place of what was found.
const (
	Mail       = "{email}"
	Token      = "{token}"
	Credential = "{credentials}"
	Key        = "{key}"
	Secret     = "{secret}"
	Card       = "{card}"
	Phone      = "{phone}"
	IBAN       = "{iban}"
)

// Text replaces every secret in s by its marker. A text that hides one behind escapes, such as %40, is returned without them.
func Text(s string) string {
	if innocent(s) || digest(s) {
		return s
	}
	if plain := unescape(s); plain != s {
		if clean := replace(plain); clean != plain {
			return clean
		}
	}
	return replace(s)
}

func replace(s string) string {
	var out strings.Builder
	kept := 0
	for i := 0; i < len(s); {
		m := at(s, i, kept)
		if m.to <= m.from {
			i++
			continue
		}
		out.WriteString(s[kept:m.from])
		out.WriteString(m.marker)
		kept, i = m.to, m.to
	}
	if kept == 0 {
		return s
	}
	out.WriteString(s[kept:])
	return out.String()
}

// Identity is Text for what tells things apart, such as the name of an instance: where something was replaced, eight hexadecimal digits of
// the original's SHA-256 follow, so that two instances stay two. Who guesses the original can check the guess against them, as with any
// hash; they are too few to lead back to a random secret, and many addresses share them.
func Identity(s string) string {
	clean := Text(s)
	if clean == s {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return clean + "-" + hex.EncodeToString(sum[:4])
}

// Bounds within which a text cannot hold any of the shapes.
const (
	innocentRun    = 16 // of letters and digits
	innocentMixed  = 20 // of letters of both cases, digits and the signs of base64
	innocentDigits = 10
)

// innocent is a quick look that finds most names to be without secrets. The shapes need one of the signs below, ten digits, or a run that
// is longer than ordinary words.
func innocent(s string) bool {
	run, mixed, digits, capitals := 0, 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case lower(c):
			run, mixed = run+1, mixed+1
		case upper(c):
			run, mixed, capitals = run+1, mixed+1, capitals+1
		case digit(c):
			run, mixed, digits = run+1, mixed+1, digits+1
		case c == '-', c == '_', c == '/':
			run, mixed = 0, mixed+1
		case c <= ' ', c >= 0x80, c == '@', c == '=', c == ':', c == '%', c == '+', c == '\\', c == '&':
			return false
		default:
			run, mixed = 0, 0
		}
		if run >= innocentRun || digits >= innocentDigits || mixed >= innocentMixed && capitals > 0 {
			return false
		}
	}
	return true
}

// digest says that s is one long hexadecimal id, perhaps in groups: a UUID, a container's id, a commit.
func digest(s string) bool {
	if len(s) < 32 {
		return false
	}
	letter := false
	for i := range len(s) {
		c := s[i]
		hex := 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
		if letter = letter || hex; !hex && !digit(c) && c != '-' {
			return false
		}
	}
	return letter
}

// match is a part of a text and what to put in its place; to <= from means nothing was found.
type match struct {
	from, to int
	marker   string
}

// at looks for a secret that begins at i. What is before floor is not there any more.
func at(s string, i, floor int) match {
	if strings.HasPrefix(s[i:], "://") {
		return userinfo(s, i+3)
	}
	word := i == floor || !wordly(s[i-1])
	for _, find := range [...]func(string, int) match{pem, scheme, issued, iban, card, phone} {
		if !word {
			break
		}
		if m := find(s, i); m.to > m.from {
			return m
		}
	}
	// Runs are judged as a whole, where they begin.
	for _, shape := range [...]struct {
		in   func(byte) bool
		find func(string, int) match
	}{{inMail, mail}, {inLogin, login}, {inKey, pair}, {inRandom, random}} {
		if !shape.in(s[i]) || i > floor && shape.in(s[i-1]) {
			continue
		}
		if m := shape.find(s, i); m.to > m.from {
			return m
		}
	}
	return match{}
}

func lower(c byte) bool { return 'a' <= c && c <= 'z' }
func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }

func alphanumeric(c byte) bool { return lower(c) || upper(c) || digit(c) }

// wordly says that c is part of a word, at whose beginning a secret may begin.
func wordly(c byte) bool { return alphanumeric(c) || c >= 0x80 }

// while returns the end of the run from i of bytes that are in.
func while(s string, i int, in func(byte) bool) int {
	for i < len(s) && in(s[i]) {
		i++
	}
	return i
}
