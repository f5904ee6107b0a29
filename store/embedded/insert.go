package embedded

import "strings"

// insert is an INSERT whose data follows the statement.
type insert struct {
	text   string // up to the format's name
	format string
	data   int // where data begins in what was parsed

	end    int    // where the FORMAT clause begins
	clause int    // where FROM INFILE belongs: in front of SETTINGS or FORMAT
	query  bool   // INSERT .. SELECT
	input  [2]int // input(..) in it
	args   [2]int // and its arguments
}

// splitInsert finds out whether sql, which may be just the beginning of a longer text, is an INSERT with a
// FORMAT clause, behind which there is data. It never looks at the data.
func splitInsert(sql string, allowFiles bool) (insert, bool, error) {
	s := newScanner(sql)
	if !s.scan() || !s.is(s.tok, "INSERT") {
		return insert{}, false, nil
	}
	ins := insert{clause: -1}
	for s.scan() {
		switch {
		case s.tok.kind == tokenBad, s.depth < 0, s.is(s.tok, ";"):
			return ins, false, nil
		case s.depth == 0 && s.is(s.tok, "VALUES") && !ins.query && !s.any(s.prev, "INTO", "TABLE", "."):
			return ins, false, nil
		case s.formatClause(true):
			return s.endOfInsert(ins)
		}
		if err := s.refuseFiles(allowFiles); err != nil {
			return ins, false, err
		}
		s.insertClause(&ins)
	}
	return ins, false, nil
}

// insertClause notes what the current token says about the statement.
func (s *scanner) insertClause(ins *insert) {
	switch {
	case s.any(s.tok, "SELECT", "WITH") && !s.any(s.prev, "INTO", "TABLE", ".", ",") && s.depth == 0,
		s.is(s.tok, "SELECT") && s.is(s.prev, "("):
		ins.query = true
	case s.depth == 0 && s.is(s.tok, "SETTINGS") && ins.clause < 0 && s.assignmentFollows():
		ins.clause = s.tok.start
	case s.is(s.tok, "input") && s.is(s.peek(), "(") && ins.query && ins.input[1] == 0:
		ins.input, ins.args = s.call()
	}
}

func (s *scanner) assignmentFollows() bool {
	l := s.lexer
	name := l.next()
	return name.kind == tokenWord && s.is(l.next(), "=")
}

// call returns the extent of the call that begins at the current token, and of its arguments. Without an end
// the extent ends at -1, so that it is not looked for again.
func (s *scanner) call() (all, args [2]int) {
	ahead := scanner{lexer: s.lexer}
	open := s.peek()
	for ahead.scan() {
		if ahead.depth == 0 {
			return [2]int{s.tok.start, ahead.tok.end}, [2]int{open.end, ahead.tok.start}
		}
	}
	return [2]int{s.tok.start, -1}, args
}

// endOfInsert reads the format's name; white space up to the first line break behind it is not data.
func (s *scanner) endOfInsert(ins insert) (insert, bool, error) {
	ins.end = s.tok.start
	if ins.clause < 0 {
		ins.clause = ins.end
	}
	s.scan()
	ins.format, ins.data = unquote(s.text(s.tok)), s.tok.end
	ins.text = s.src[:s.tok.end]
	if !isIdentifier(ins.format) {
		return ins, false, refuse(codeSyntax, "SYNTAX_ERROR", "Syntax error: bad format name %s", quoteString(ins.format))
	}
	for ins.data < len(s.src) && isSpace(s.src[ins.data]) {
		ins.data++
		if s.src[ins.data-1] == '\n' {
			break
		}
	}
	// Without input() the rows of a query come from elsewhere, and FORMAT is about nothing.
	return ins, !ins.query || ins.input[1] > 0, nil
}

// readingFrom returns the statement with the file in place of the data.
func (ins insert) readingFrom(path string) string {
	if !ins.query {
		return ins.text[:ins.clause] + "\nFROM INFILE " + quoteString(path) + " COMPRESSION 'none'\n" + ins.text[ins.clause:]
	}
	table := "file(" + quoteString(path) + ", " + ins.format
	if args := ins.text[ins.args[0]:ins.args[1]]; strings.TrimSpace(args) != "" {
		table += ",\n" + args + "\n"
	}
	// The FORMAT clause goes: nothing follows it any more.
	return ins.text[:ins.input[0]] + table + ")" + ins.text[ins.input[1]:ins.end]
}
