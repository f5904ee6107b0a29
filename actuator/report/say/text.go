package say

import (
	"strings"
	"unicode"
)

// odd stands for a character that is not shown: it could steer a terminal, or make text look like other text.
const odd = '\uFFFD'

// Line makes text fit for one line of anything: line breaks and tabs become spaces, and control characters and those that hide or reorder
// text become a replacement character.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return visible(r)
	}, strings.ToValidUTF8(s, string(odd)))
}

// Block is Line for text of several lines: line feeds and tabs stay.
func Block(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, strings.ToValidUTF8(s, string(odd)))
}

func visible(r rune) rune {
	if unicode.IsPrint(r) || r == ' ' {
		return r
	}
	return odd
}

// Markdown escapes text so that it reads as itself in a line of Markdown and in a cell of a table: no markup, no HTML, no new line.
func Markdown(s string) string {
	var b strings.Builder
	runes := []rune(Line(s))
	for i, r := range runes {
		if strings.ContainsRune("\\`*[]<>|~&#$", r) || r == '_' && !inWord(runes, i) || link(runes[i:], runes[:i]) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// link reports whether many readers would make an address of what begins or goes on here: http://x, www.x.
func link(rest, before []rune) bool {
	return strings.HasPrefix(string(rest[:min(3, len(rest))]), "://") ||
		rest[0] == '.' && strings.HasSuffix(strings.ToLower(string(before[max(0, len(before)-3):])), "www")
}

// inWord reports whether letters stand on both sides: an underscore there is no emphasis.
func inWord(runes []rune, i int) bool {
	return i > 0 && i+1 < len(runes) && wordy(runes[i-1]) && wordy(runes[i+1])
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Code puts text into a code span of Markdown, also inside a table.
func Code(s string) string {
	s = Line(s)
	if strings.TrimSpace(s) == "" {
		return "` `"
	}
	s = strings.ReplaceAll(s, "|", `\|`)
	fence := strings.Repeat("`", longest(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// Fence puts text into a code block of Markdown that it cannot leave. The block ends with a line feed.
func Fence(s, language string) string {
	s = strings.TrimRight(Block(s), "\n")
	fence := strings.Repeat("`", max(3, longest(s, '`')+1))
	return fence + language + "\n" + s + "\n" + fence + "\n"
}

// longest is the length of the longest run of c in s.
func longest(s string, c rune) int {
	most, run := 0, 0
	for _, r := range s {
		if run++; r != c {
			run = 0
		}
		most = max(most, run)
	}
	return most
}
