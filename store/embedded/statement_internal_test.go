package embedded

import (
	"strings"
	"testing"
)

func TestSplitStatement(t *testing.T) {
	for _, test := range []struct {
		sql          string
		reader, rows bool
		head, format string
		tail         string
	}{
		{"SELECT 1", true, true, "SELECT 1", "", ""},
		{"SELECT 1 ; -- end", true, true, "SELECT 1", "", ""},
		{"select 1 format JSON", true, true, "select 1 ", "JSON", ""},
		{"SELECT 1 FORMAT JSON SETTINGS a = 1;", true, true, "SELECT 1 ", "JSON", " SETTINGS a = 1"},
		{"SELECT format x", true, true, "SELECT format x", "", ""},
		{"SELECT a, format x", true, true, "SELECT a, format x", "", ""},
		{"SELECT 1 FROM format x", true, true, "SELECT 1 FROM format x", "", ""},
		{"SELECT format('{}', 1)", true, true, "SELECT format('{}', 1)", "", ""},
		{"SELECT ' FORMAT JSON'", true, true, "SELECT ' FORMAT JSON'", "", ""},
		{"SELECT 1 AS `FORMAT` FORMAT CSV", true, true, "SELECT 1 AS `FORMAT` ", "CSV", ""},
		{"SELECT $x$ ; FORMAT JSON $x$", true, true, "SELECT $x$ ; FORMAT JSON $x$", "", ""},
		{"SELECT 'it''s; \\'' /* ; */ # ;", true, true, "SELECT 'it''s; \\''", "", ""},
		{"(SELECT 1)", true, true, "(SELECT 1)", "", ""},
		{"EXPLAIN SELECT 1", true, false, "EXPLAIN SELECT 1", "", ""},
		{"WITH 1 AS x SELECT x", true, true, "WITH 1 AS x SELECT x", "", ""},
		{"WITH 1 AS x INSERT INTO t SELECT x", false, false, "WITH 1 AS x INSERT INTO t SELECT x", "", ""},
		{"EXPLAIN INSERT INTO t SELECT 1", false, false, "EXPLAIN INSERT INTO t SELECT 1", "", ""},
		{"/* SELECT */ DROP TABLE t", false, false, "/* SELECT */ DROP TABLE t", "", ""},
	} {
		st, err := splitStatement(test.sql, false)
		if err != nil || st.reader != test.reader || st.rows != test.rows || st.head != test.head || st.format != test.format || st.tail != test.tail {
			t.Errorf("%s: %+v %v", test.sql, st, err)
		}
	}
	for _, sql := range []string{"", ";", "SELECT 1; SELECT 2", "SELECT 1 INTO/**/OUTFILE 'x'", "SELECT * FROM \"file\" ('x')", "SELECT * FROM `fil\\x65`('x')", "CREATE TABLE t (n Int8) ENGINE = File(CSV)"} {
		if st, err := splitStatement(sql, false); err == nil {
			t.Errorf("%s is accepted: %+v", sql, st)
		}
	}
}

func TestSplitInsert(t *testing.T) {
	for _, test := range []struct{ sql, data, rewritten string }{
		{"INSERT INTO t FORMAT CSV\n1", "1", "INSERT INTO t \nFROM INFILE 'F' COMPRESSION 'none'\nFORMAT CSV"},
		{"insert into t(a) format CSV  \n\n1", "\n1", "insert into t(a) \nFROM INFILE 'F' COMPRESSION 'none'\nformat CSV"},
		{"INSERT INTO t SETTINGS a = 1 FORMAT CSV 1", "1", "INSERT INTO t \nFROM INFILE 'F' COMPRESSION 'none'\nSETTINGS a = 1 FORMAT CSV"},
		{"INSERT INTO settings FORMAT CSV 1", "1", "INSERT INTO settings \nFROM INFILE 'F' COMPRESSION 'none'\nFORMAT CSV"},
		{"INSERT INTO `a FORMAT x` (format) FORMAT Native\n\x00FORMAT", "\x00FORMAT", "INSERT INTO `a FORMAT x` (format) \nFROM INFILE 'F' COMPRESSION 'none'\nFORMAT Native"},
		{"INSERT INTO t SELECT x FROM input('x Int8') FORMAT CSV 1", "1", "INSERT INTO t SELECT x FROM file('F', CSV,\n'x Int8'\n) "},
		{"INSERT INTO t SELECT x FROM input('a) FORMAT b' /* ) */) WHERE f(x) = 'input(' FORMAT CSV\n1", "1", "INSERT INTO t SELECT x FROM file('F', CSV,\n'a) FORMAT b' /* ) */\n) WHERE f(x) = 'input(' "},
		{"INSERT INTO t SELECT * FROM input() FORMAT CSV\n", "", "INSERT INTO t SELECT * FROM file('F', CSV) "},
	} {
		ins, ok, err := splitInsert(test.sql, false)
		if !ok || err != nil {
			t.Errorf("%s: %v %v", test.sql, ok, err)
			continue
		}
		if got := ins.readingFrom("F"); got != test.rewritten {
			t.Errorf("%s:\ngot  %q\nwant %q", test.sql, got, test.rewritten)
		}
		if got := test.sql[ins.data:]; got != test.data {
			t.Errorf("%s: data %q", test.sql, got)
		}
	}
	for _, sql := range []string{
		"", "SELECT 1 FORMAT CSV", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES ('FORMAT CSV 1')", "INSERT INTO t SELECT 1 FORMAT CSV",
		"INSERT INTO t -- FORMAT CSV", "INSERT INTO t 'FORMAT CSV",
	} {
		if ins, ok, err := splitInsert(sql, false); ok || err != nil {
			t.Errorf("%s: %+v %v", sql, ins, err)
		}
	}
}

// FuzzSplit holds the splitting to what must be true of any text.
func FuzzSplit(f *testing.F) {
	for _, sql := range []string{
		"SELECT 1 FORMAT JSON SETTINGS a=1;", "INSERT INTO t (a) SETTINGS x = 1 FORMAT CSV\n1,2", "INSERT INTO t SELECT * FROM input('a) Int') FORMAT TSV\n",
		"WITH x AS (SELECT ';') SELECT `a``b`, \"c\\\"\" FROM $$ ( $$ -- x\n", "/*", "'\\", "‘x’ “y", "((]", "INSERT INTO FORMAT FORMAT FORMAT",
	} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		last := 0
		for l := (lexer{src: sql}); ; {
			tok := l.next()
			if tok.start < last || tok.end < tok.start || tok.end > len(sql) || tok.kind != tokenEnd && tok.end == tok.start {
				t.Fatalf("token %+v after %d", tok, last)
			}
			if last = tok.end; tok.kind == tokenEnd {
				break
			}
		}
		if st, err := splitStatement(sql, false); err == nil {
			if !strings.HasPrefix(sql, st.sql) || !strings.HasPrefix(st.sql, st.head) || !strings.HasSuffix(st.sql, st.tail) || st.rows && !st.reader {
				t.Fatalf("%+v", st)
			}
		}
		ins, ok, err := splitInsert(sql, false)
		if err != nil || !ok {
			return
		}
		if ins.data > len(sql) || !strings.HasPrefix(sql, ins.text) || !isIdentifier(ins.format) {
			t.Fatalf("%+v", ins)
		}
		// What is rewritten reads from the file, and from nowhere a client may name.
		out := ins.readingFrom("F")
		if ok := strings.Contains(out, "FROM INFILE 'F'") != strings.Contains(out, "file('F', "+ins.format); !ok {
			t.Fatalf("%q becomes %q", sql, out)
		}
		if len(ins.text) == ins.data {
			return // without white space the data would be part of the name
		}
		other := sql[:ins.data] + "data"
		again, ok, err := splitInsert(other, false)
		if !ok || err != nil || again.data != ins.data {
			t.Fatalf("depends on the data: %q %+v, %q %+v", sql, ins, other, again)
		}
	})
}
