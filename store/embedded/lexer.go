package embedded

import "strings"

// tokenKind tells apart what the splitting of statements needs to know, no more.
type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted // `name` or "name"
	tokenString
	tokenNumber
	tokenPunct // one byte
	tokenBad   // a string, name or comment without an end
)

// token is src[start:end].
type token struct {
	kind       tokenKind
	start, end int
}

// lexer cuts ClickHouse's SQL into tokens and drops comments and white space. It follows ClickHouse's own
// lexer in what is a string, a quoted name and a comment, as everything here depends on not mistaking one for
// another.
type lexer struct {
	src    string
	pos    int
	misses int // heredocs without an end
}

func (l *lexer) next() token {
	for l.pos < len(l.src) {
		start := l.pos
		c := l.src[l.pos]
		switch {
		case isSpace(c):
			l.pos++
		case l.comment():
			if l.pos < 0 {
				l.pos = len(l.src)
				return token{tokenBad, start, l.pos}
			}
		case c == '\'':
			return l.quoted(c, tokenString)
		case c == '`' || c == '"':
			return l.quoted(c, tokenQuoted)
		case strings.HasPrefix(l.src[l.pos:], "‘"):
			return l.until("’", len("‘"), tokenString)
		case strings.HasPrefix(l.src[l.pos:], "“"):
			return l.until("”", len("“"), tokenQuoted)
		case c == '$':
			return l.dollar()
		case isDigit(c):
			return l.while(tokenNumber, func(c byte) bool { return isWordByte(c) || c == '.' })
		case isWordByte(c):
			return l.while(tokenWord, func(c byte) bool { return isWordByte(c) || c == '$' })
		default:
			l.pos++
			return token{tokenPunct, start, l.pos}
		}
	}
	return token{tokenEnd, len(l.src), len(l.src)}
}

// comment skips one comment. A comment that never ends sets pos to -1.
func (l *lexer) comment() bool {
	rest := l.src[l.pos:]
	switch {
	case strings.HasPrefix(rest, "/*"):
		end := strings.Index(rest[2:], "*/")
		if end < 0 {
			l.pos = -1
			return true
		}
		l.pos += 2 + end + 2
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
		end := strings.IndexByte(rest, '\n')
		if end < 0 {
			end = len(rest)
		}
		l.pos += end
	default:
		return false
	}
	return true
}

// quoted reads up to the closing quote; backslash escapes, and so does doubling.
func (l *lexer) quoted(quote byte, kind tokenKind) token {
	start := l.pos
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch l.src[l.pos] {
		case '\\':
			l.pos++
		case quote:
			if l.pos+1 < len(l.src) && l.src[l.pos+1] == quote {
				l.pos++
				continue
			}
			l.pos++
			return token{kind, start, l.pos}
		}
	}
	l.pos = len(l.src)
	return token{tokenBad, start, l.pos}
}

func (l *lexer) until(end string, skip int, kind tokenKind) token {
	start := l.pos
	i := strings.Index(l.src[start+skip:], end)
	if i < 0 {
		l.pos = len(l.src)
		return token{tokenBad, start, l.pos}
	}
	l.pos = start + skip + i + len(end)
	return token{kind, start, l.pos}
}

// maxMisses keeps a text full of dollar signs from being searched to its end for each of them.
const maxMisses = 16

// dollar reads a heredoc ($tag$ ... $tag$); a dollar sign that begins none is part of a word.
func (l *lexer) dollar() token {
	start := l.pos
	i := start + 1
	for i < len(l.src) && isWordByte(l.src[i]) {
		i++
	}
	if i < len(l.src) && l.src[i] == '$' {
		tag := l.src[start : i+1]
		if l.misses < maxMisses && strings.Contains(l.src[i+1:], tag) {
			return l.until(tag, len(tag), tokenString)
		}
		if l.misses++; l.misses > maxMisses {
			l.pos = len(l.src)
			return token{tokenBad, start, l.pos}
		}
	}
	return l.while(tokenWord, func(c byte) bool { return isWordByte(c) || c == '$' })
}

func (l *lexer) while(kind tokenKind, in func(byte) bool) token {
	start := l.pos
	for l.pos < len(l.src) && in(l.src[l.pos]) {
		l.pos++
	}
	return token{kind, start, l.pos}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWordByte(c byte) bool {
	return c == '_' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) || i == 0 && isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func quoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteIdentifier(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

// unquote undoes the quoting of a name. Escapes that do not occur in names are left as they are.
func unquote(s string) string {
	if len(s) < 2 {
		return s
	}
	if s[0] != '`' && s[0] != '"' {
		return strings.TrimSuffix(strings.TrimPrefix(s, "“"), "”")
	}
	q := s[:1]
	return strings.NewReplacer(`\`+q, q, q+q, q, `\\`, `\`).Replace(s[1 : len(s)-1])
}
