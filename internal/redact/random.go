package redact

import "strings"

// Lengths from which a text that looks drawn at random counts as a secret.
const (
	longBase64 = 20 // of letters of both cases and digits, with the signs of base64
	longBase36 = 20 // of small letters and digits
	longBase32 = 16 // of capitals and digits
)

// random finds a long text that looks drawn at random. Names made of words do not: most of their letters stand in words. Nor do hexadecimal
// digests and UUIDs, which name things.
func random(s string, i int) match {
	end := while(s, i, inRandom)
	if end-i < longBase32 {
		return match{}
	}
	if t := tallyOf(s[i:end]); t.lower > 0 && t.upper > 0 && 2*t.wordy < t.size() && t.size() >= longBase64-4 && end-i >= longBase64 &&
		(t.digits > 0 || t.longest >= longBase64 || 4*t.wordy < t.size()) {
		return match{i, end, Token}
	}
	for j := i; j < end; {
		part := while(s, j, alphanumeric)
		if part > j && drawn(tallyOf(s[j:part])) {
			return match{j, part, Token}
		}
		j = max(part, j+1)
	}
	return match{}
}

func inRandom(c byte) bool { return alphanumeric(c) || strings.IndexByte("+/_-=", c) >= 0 }

// drawn says that letters of one case and digits are mixed as no name mixes them.
func drawn(t tally) bool {
	switch {
	case t.hex:
		return false
	case t.upper == 0:
		return t.size() >= longBase36 && t.digits >= 3 && 4*t.turns >= t.size()
	case t.lower == 0:
		return t.size() >= longBase32 && t.digits >= 2 && t.turns >= 4
	}
	return false
}

// tally is what a text of letters, digits and signs is made of.
type tally struct {
	lower, upper, digits int
	wordy                int // letters that stand in words
	turns                int // places where a letter and a digit meet
	longest              int // run of letters and digits
	hex                  bool
}

func (t tally) size() int { return t.lower + t.upper + t.digits }

func tallyOf(s string) tally {
	t := tally{hex: true}
	for i := 0; i < len(s); {
		end := while(s, i, alphanumeric)
		if while(s, i, digit) < end { // a number between signs names an account or a partition
			t.part(s[i:end])
		}
		i = max(end, i+1)
	}
	return t
}

// part adds letters and digits that no sign parts.
func (t *tally) part(s string) {
	t.longest = max(t.longest, len(s))
	caps := len(s) <= 8
	for i := range len(s) {
		c := s[i]
		switch {
		case lower(c):
			t.lower++
		case upper(c):
			t.upper++
		default:
			t.digits++
		}
		caps = caps && upper(c)
		if i > 0 && digit(c) != digit(s[i-1]) {
			t.turns++
		}
		t.hex = t.hex && (digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f')
		if lower(c) && (i == 0 || !lower(s[i-1])) {
			t.wordy += word(s[i:while(s, i, lower)])
		}
	}
	if caps { // an abbreviation
		t.wordy += len(s)
	}
}

// word returns the length of a run of small letters if it could be a word, or one without its capital: of three letters or more, with a
// vowel, and with at most three consonants in a row.
func word(s string) int {
	vowels, consonants, most := 0, 0, 0
	for i := range len(s) {
		if strings.IndexByte("aeiouy", s[i]) >= 0 {
			vowels, consonants = vowels+1, 0
			continue
		}
		consonants++
		most = max(most, consonants)
	}
	if len(s) < 3 || vowels == 0 || most > 3 {
		return 0
	}
	return len(s)
}
