package recording

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The columns of a Nezha trace file. Duration repeats end - start in microseconds and is not read.
const (
	colTrace = iota
	colSpan
	colParent
	colPod
	colName
	colStart
	colEnd
	colDuration
	columns
)

// row is one span of a Nezha file.
type row struct {
	trace        pcommon.TraceID
	span, parent pcommon.SpanID
	pod          int // index into rowParser.pods
	name         string
	start, end   int64 // ns since the epoch
	line         int
}

type pod struct{ name, workload string }

// rowParser parses the rows of one file; it keeps each pod and operation name once.
type rowParser struct {
	fields [columns][]byte
	pods   []pod
	podIDs map[string]int
	names  map[string]string
}

func newRowParser() *rowParser {
	return &rowParser{podIDs: map[string]int{}, names: map[string]string{}}
}

func isHeader(line []byte) bool {
	line = bytes.TrimPrefix(line, []byte("\ufeff"))
	return bytes.HasPrefix(line, []byte("TraceID,SpanID,"))
}

func (p *rowParser) parse(no int, line []byte) (row, error) {
	if !utf8.Valid(line) {
		return row{}, errors.New("not UTF-8") // OTLP's strings could not carry it
	}
	if err := p.split(line); err != nil {
		return row{}, err
	}
	f := &p.fields
	r := row{line: no}
	copyID(r.trace[:], f[colTrace])
	copyID(r.span[:], f[colSpan])
	if parent := f[colParent]; string(parent) != "root" {
		copyID(r.parent[:], parent)
	}
	if r.trace.IsEmpty() || r.span.IsEmpty() {
		return row{}, errors.New("empty trace or span id")
	}
	if len(f[colPod]) == 0 {
		return row{}, errors.New("empty pod name")
	}
	var err error
	if r.start, err = parseTime("start", f[colStart]); err != nil {
		return row{}, err
	}
	if r.end, err = parseTime("end", f[colEnd]); err != nil {
		return row{}, err
	}
	r.pod, r.name = p.pod(f[colPod]), p.name(f[colName])
	return r, nil
}

// split cuts a line into its fields. A row is a line: quoted fields may hold commas but no line ends, so that one
// stray quote spoils one row and not the rest of the file.
func (p *rowParser) split(line []byte) error {
	if bytes.IndexByte(line, '"') >= 0 {
		return p.splitQuoted(line)
	}
	if n := bytes.Count(line, []byte{','}) + 1; n != columns {
		return fmt.Errorf("%d columns, want %d", n, columns)
	}
	for i := range p.fields {
		p.fields[i], line, _ = bytes.Cut(line, []byte{','})
	}
	return nil
}

func (p *rowParser) splitQuoted(line []byte) error {
	rec, err := csv.NewReader(bytes.NewReader(line)).Read()
	if err != nil {
		return err
	}
	if len(rec) != columns {
		return fmt.Errorf("%d columns, want %d", len(rec), columns)
	}
	for i := range p.fields {
		p.fields[i] = []byte(rec[i])
	}
	return nil
}

func parseTime(what string, b []byte) (int64, error) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	var number *strconv.NumError
	if errors.As(err, &number) {
		err = number.Err // without what was read: reasons are kept, and a torn row may hold anything
	}
	if err != nil {
		return 0, fmt.Errorf("%s time: %w", what, err)
	}
	if n < 0 {
		return 0, fmt.Errorf("%s time is before 1970", what)
	}
	return n, nil
}

// copyID writes an id into its OTLP form. Hexadecimal that fits is kept, padded on the left; anything else is hashed
// (FNV-1a), so that equal ids stay equal and parents still find their children.
func copyID(dst, id []byte) {
	clear(dst)
	if len(id) == 0 {
		return
	}
	if len(id) == 2*len(dst) {
		if _, err := hex.Decode(dst, id); err == nil {
			return
		}
	}
	if short := 2*len(dst) - len(id); short > 0 {
		padded := strings.Repeat("0", short) + string(id)
		if _, err := hex.Decode(dst, []byte(padded)); err == nil {
			return
		}
	}
	if len(dst) == 8 {
		h := fnv.New64a()
		_, _ = h.Write(id) // never fails
		h.Sum(dst[:0])
		return
	}
	h := fnv.New128a()
	_, _ = h.Write(id)
	h.Sum(dst[:0])
}

func (p *rowParser) pod(b []byte) int {
	if id, ok := p.podIDs[string(b)]; ok {
		return id
	}
	name := string(b)
	p.podIDs[name] = len(p.pods)
	p.pods = append(p.pods, pod{name: name, workload: workloadOf(name)})
	return len(p.pods) - 1
}

func (p *rowParser) name(b []byte) string {
	if s, ok := p.names[string(b)]; ok {
		return s
	}
	s := string(b)
	p.names[s] = s
	return s
}
