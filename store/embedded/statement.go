package embedded

import "strings"

// scanner walks over the tokens of a statement and keeps the depth of brackets and the two tokens before.
type scanner struct {
	lexer
	tok   token // the current one
	prev  token
	depth int
}

func newScanner(src string) *scanner { return &scanner{lexer: lexer{src: src}} }

// scan moves to the next token and reports whether there is one.
func (s *scanner) scan() bool {
	s.prev = s.tok
	s.tok = s.next()
	if s.tok.kind == tokenPunct {
		switch s.src[s.tok.start] {
		case '(', '[', '{':
			s.depth++
		case ')', ']', '}':
			s.depth--
		}
	}
	return s.tok.kind != tokenEnd
}

// peek returns the token after the current one.
func (s *scanner) peek() token {
	l := s.lexer
	return l.next()
}

func (s *scanner) text(t token) string { return s.src[t.start:t.end] }

// is reports whether t is the keyword or punctuation given.
func (s *scanner) is(t token, want string) bool {
	return (t.kind == tokenWord || t.kind == tokenPunct) && strings.EqualFold(s.text(t), want)
}

func (s *scanner) any(t token, want ...string) bool {
	for _, w := range want {
		if s.is(t, w) {
			return true
		}
	}
	return false
}

// statement is one SQL statement, cut where an output clause belongs.
type statement struct {
	sql    string // without a semicolon behind it
	reader bool   // only reads
	rows   bool   // its answer can be written with INTO OUTFILE
	head   string // up to the place of INTO OUTFILE
	format string // of the FORMAT clause, or ""
	tail   string // what follows the format's name (SETTINGS)
}

// splitStatement parses just enough to say where the answer goes, and refuses what the engine would do but a
// server must not: several statements, and reading or writing files.
func splitStatement(sql string, allowFiles bool) (statement, error) {
	s := newScanner(sql)
	st := statement{sql: sql}
	first, end := token{}, 0
	formatStart, formatEnd := -1, 0
	for s.scan() {
		if s.tok.kind == tokenBad {
			return st, refuse(codeSyntax, "SYNTAX_ERROR", "Syntax error: no end of what begins at position %d", s.tok.start+1)
		}
		if s.is(s.tok, ";") {
			if s.peek().kind == tokenEnd {
				break
			}
			if s.depth == 0 {
				return st, refuse(codeSyntax, "SYNTAX_ERROR", "Syntax error: Multi-statements are not allowed")
			}
		}
		if first.kind == tokenEnd && !s.is(s.tok, "(") {
			first = s.tok
		}
		if err := s.refuseFiles(allowFiles); err != nil {
			return st, err
		}
		if s.depth == 0 && s.is(s.tok, "INSERT") && s.is(s.peek(), "INTO") {
			first = s.tok
		}
		if s.formatClause(false) {
			formatStart = s.tok.start
			s.scan()
			st.format, formatEnd = unquote(s.text(s.tok)), s.tok.end
		}
		end = s.tok.end
	}
	if first.kind == tokenEnd {
		return st, refuse(codeSyntax, "SYNTAX_ERROR", "Syntax error: Empty query")
	}
	st.sql, st.head = sql[:end], sql[:end]
	if formatStart >= 0 {
		st.head, st.tail = sql[:formatStart], sql[formatEnd:end]
	}
	st.rows = s.any(first, "SELECT", "WITH", "FROM", "DESCRIBE", "DESC", "EXISTS")
	// The engine rewrites SHOW into a query of its own and forgets where the answer should go.
	st.reader = st.rows || s.any(first, "SHOW", "EXPLAIN", "CHECK")
	return st, nil
}

// formatClause reports whether the current token begins a FORMAT clause. In front of data there can be
// anything behind the format's name, otherwise only the end or SETTINGS.
func (s *scanner) formatClause(data bool) bool {
	if s.depth != 0 || !s.is(s.tok, "FORMAT") || s.prev.kind == tokenEnd {
		return false
	}
	if s.prev.kind == tokenPunct && !s.any(s.prev, ")", "]", "}", "*") {
		return false
	}
	if s.any(s.prev, "SELECT", "DISTINCT", "BY", "WHERE", "PREWHERE", "HAVING", "AND", "OR", "NOT", "ON", "IN", "AS",
		"FROM", "JOIN", "INTO", "TABLE", "FUNCTION", "USING", "THEN", "ELSE", "WHEN", "CASE", "LIKE", "BETWEEN") {
		return false
	}
	l := s.lexer
	name := l.next()
	if name.kind != tokenWord && name.kind != tokenQuoted {
		return false
	}
	if data {
		return true
	}
	after := l.next()
	return after.kind == tokenEnd || s.any(after, ";", "SETTINGS")
}

// refuseFiles refuses clauses that make the engine read or write files by itself. There is no password, so
// whoever reaches the port would otherwise read and write what the owner of the process can.
func (s *scanner) refuseFiles(allow bool) error {
	if s.is(s.tok, "OUTFILE") && s.is(s.prev, "INTO") || s.is(s.tok, "INFILE") && s.is(s.prev, "FROM") {
		return refuse(codeNotImplemented, "NOT_IMPLEMENTED", "%s is not allowed over HTTP", strings.ToUpper(s.text(s.tok)))
	}
	if allow || s.tok.kind != tokenWord && s.tok.kind != tokenQuoted || !s.is(s.peek(), "(") {
		return nil
	}
	name := unquote(s.text(s.tok))
	if strings.Contains(name, `\`) { // an escape might spell one of the names below
		return refuse(codeAccessDenied, "ACCESS_DENIED", "The function's name must not have escapes")
	}
	switch strings.ToLower(name) {
	case "file", "filecluster", "url", "urlcluster", "executable", "executablepool", "python", "s3", "s3cluster", "gcs",
		"hdfs", "hdfscluster", "azureblobstorage", "remote", "remotesecure", "mysql", "postgresql", "sqlite", "mongodb",
		"redis", "jdbc", "odbc", "iceberg", "icebergs3", "iceberglocal", "deltalake", "deltalakelocal", "hudi", "disk":
		return refuse(codeAccessDenied, "ACCESS_DENIED", "%s() is not allowed here", name)
	}
	return nil
}
