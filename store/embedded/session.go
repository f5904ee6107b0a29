package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Error is an error of the engine: its own words and its own number.
type Error struct {
	Code    int
	Message string // begins with "Code: N. DB::Exception:"
}

func (e *Error) Error() string { return e.Message }

// newError reads the number out of the engine's message.
func newError(message string) *Error {
	e := &Error{Code: codeUnknown, Message: message}
	if _, err := fmt.Sscanf(message, "Code: %d.", &e.Code); err != nil {
		e.Code = codeUnknown
	}
	return e
}

// Stats are the engine's figures about one statement.
type Stats struct {
	ReadRows, ReadBytes       uint64
	WrittenRows, WrittenBytes uint64
	Elapsed                   time.Duration
}

// Result is the whole answer to a statement.
type Result struct {
	Body  []byte // the caller's
	Stats Stats
}

// Session runs one statement at a time; its methods must not be called concurrently.
type Session struct {
	engine *Engine
	conn   unsafe.Pointer
	tag    string // log_comment of its statements; kill finds them by it
}

// Close ends the session. It may be called once.
func (s *Session) Close() {
	s.engine.lib.close(s.conn)
	s.engine.sessions.Add(-1)
}

// Set changes settings of this session. Values are given as text, whatever the setting's type is.
func (s *Session) Set(settings []Setting) error {
	list := make([]string, 0, len(settings)+1)
	comment := s.tag
	for _, set := range settings {
		if !isIdentifier(set.Name) {
			return refuse(codeUnknownSetting, "UNKNOWN_SETTING", "Unknown setting %s", quoteString(set.Name))
		}
		if set.Name == "log_comment" {
			comment += " " + set.Value
			continue
		}
		list = append(list, set.Name+" = "+quoteString(set.Value))
	}
	s.tag = comment
	list = append(list, "log_comment = "+quoteString(comment))
	_, err := s.run("SET "+strings.Join(list, ", "), "Null", nil)
	return err
}

// Use makes database the current one.
func (s *Session) Use(database string) error {
	_, err := s.run("USE "+quoteIdentifier(database), "Null", nil)
	return err
}

// Setting is one of the engine's settings.
type Setting struct{ Name, Value string }

// Query runs a statement and returns the whole answer. When ctx ends the statement is killed, and Query
// returns once it has stopped. Set must have been called before, be it with nothing, for that to work.
func (s *Session) Query(ctx context.Context, sql, format string, params map[string]string) (Result, error) {
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	var killer sync.WaitGroup
	finished := make(chan struct{})
	killer.Go(func() { s.engine.killWhenDone(ctx, s.tag, finished) })
	res, err := s.run(sql, format, params)
	close(finished)
	killer.Wait()
	return res, err
}

// Stream runs a query that splits as head + tail, with the place for INTO OUTFILE between the two, and copies
// the answer to out while it is made. If out fails the query is killed and the error returned.
func (s *Session) Stream(ctx context.Context, head, tail string, params map[string]string, out io.Writer) (Stats, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return Stats{}, fmt.Errorf("stream answer: %w", err)
	}
	copied := make(chan error, 1)
	go func() { copied <- copyOut(out, r, cancel) }()

	// The engine opens the pipe by name. This end stays open meanwhile, so that the reader sees no end of file
	// before the engine has opened it, nor when it closes and opens it again.
	target := "\nINTO OUTFILE '/dev/fd/" + strconv.FormatUint(uint64(w.Fd()), 10) + "' APPEND COMPRESSION 'none'\n"
	res, err := s.Query(ctx, head+target+tail, "Null", params)
	closed := w.Close()
	outErr := <-copied
	if outErr != nil {
		return res.Stats, fmt.Errorf("send answer: %w", outErr)
	}
	return res.Stats, errors.Join(err, closed)
}

// copyOut copies until the end of r. After a failure of out it goes on reading: a closed pipe would raise
// SIGPIPE in a thread of the engine.
func copyOut(out io.Writer, r *os.File, failed func()) error {
	defer func() { _ = r.Close() }() // only read
	buf := make([]byte, 64<<10)
	_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{r}, buf)
	if err != nil {
		failed()
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
	}
	return err
}

// run is the call into the library.
func (s *Session) run(sql, format string, params map[string]string) (Result, error) {
	lib := s.engine.lib
	q, f := cString(sql), cString(format)
	var pin runtime.Pinner
	defer pin.Unpin()
	names, nameLens, values, valueLens := paramArrays(&pin, params)
	// The handle is a pointer to the pointer that the query calls want.
	r := lib.query(*(*unsafe.Pointer)(s.conn), q, uintptr(len(sql)), f, uintptr(len(format)),
		names, nameLens, values, valueLens, uintptr(len(params)))
	runtime.KeepAlive(q)
	runtime.KeepAlive(f)
	if r == nil {
		return Result{}, errors.New("engine gave no result")
	}
	defer lib.destroy(r)
	res := Result{Stats: Stats{
		ReadRows: lib.readRows(r), ReadBytes: lib.readBytes(r),
		WrittenRows: lib.writtenRows(r), WrittenBytes: lib.writtenBytes(r),
		Elapsed: time.Duration(lib.elapsed(r) * float64(time.Second)),
	}}
	if msg := lib.resultError(r); msg != "" {
		return res, newError(msg)
	}
	if n := lib.length(r); n > 0 {
		res.Body = append([]byte(nil), unsafe.Slice(lib.buffer(r), n)...)
	}
	return res, nil
}

func paramArrays(pin *runtime.Pinner, params map[string]string) (names, nameLens, values, valueLens unsafe.Pointer) {
	if len(params) == 0 {
		return nil, nil, nil, nil
	}
	var n, v []unsafe.Pointer
	var nl, vl []uintptr
	for name, value := range params {
		np, vp := cString(name), cString(value)
		pin.Pin(np)
		pin.Pin(vp)
		n, v = append(n, unsafe.Pointer(np)), append(v, unsafe.Pointer(vp))
		nl, vl = append(nl, uintptr(len(name))), append(vl, uintptr(len(value)))
	}
	pin.Pin(&n[0])
	pin.Pin(&v[0])
	pin.Pin(&nl[0])
	pin.Pin(&vl[0])
	return unsafe.Pointer(&n[0]), unsafe.Pointer(&nl[0]), unsafe.Pointer(&v[0]), unsafe.Pointer(&vl[0])
}
