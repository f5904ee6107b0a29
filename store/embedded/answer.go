package embedded

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// answerBuffer is how much of an answer is held back, so that an early error still gets a status of its own.
const answerBuffer = 64 << 10

// answer writes one answer. Until more than the buffer has been written nothing is sent; what fails after
// that is told inside the body, in ClickHouse's frame, and by breaking off the connection.
type answer struct {
	w     http.ResponseWriter
	pack  *compress.Writer // nil: plain
	buf   bytes.Buffer
	sent  bool
	tag   string
	limit int
}

func newAnswer(w http.ResponseWriter, req *request) *answer {
	a := &answer{w: w, tag: rand.Text()[:16], limit: answerBuffer}
	if req.compressed {
		method := compress.LZ4
		if req.zstd {
			method = compress.ZSTD
		}
		a.pack = compress.NewWriter(compress.LevelZero, method)
	}
	h := w.Header()
	h.Set("X-ClickHouse-Exception-Tag", a.tag)
	h.Set("X-Content-Type-Options", "nosniff")
	if req.queryID != "" {
		h.Set("X-ClickHouse-Query-Id", req.queryID)
	}
	return a
}

// format sets the headers that depend on the answer's format.
func (a *answer) format(name string) {
	a.w.Header().Set("X-ClickHouse-Format", name)
	a.w.Header().Set("Content-Type", contentType(name))
}

func contentType(format string) string {
	switch {
	case strings.HasSuffix(format, "EachRow") && strings.HasPrefix(format, "JSON"):
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	case format == "Native", format == "Parquet", strings.HasPrefix(format, "Arrow"), strings.HasPrefix(format, "RowBinary"):
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}

func (a *answer) Write(p []byte) (int, error) {
	a.buf.Write(p) // never fails
	if a.buf.Len() <= a.limit {
		return len(p), nil
	}
	a.sent = true
	return len(p), a.flush()
}

func (a *answer) flush() error {
	defer a.buf.Reset()
	out := a.buf.Bytes()
	if a.pack != nil && len(out) > 0 {
		if err := a.pack.Compress(out); err != nil {
			return fmt.Errorf("compress answer: %w", err)
		}
		out = a.pack.Data
	}
	if !a.sent {
		a.w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	}
	_, err := a.w.Write(out)
	return err
}

// finish sends what is left. Figures go into a header if there is still one to send.
func (a *answer) finish(s Stats) error {
	if !a.sent {
		a.w.Header().Set("X-ClickHouse-Summary", summary(s))
	}
	return a.flush()
}

// summary is the figures as ClickHouse writes them: numbers in quotes.
func summary(s Stats) string {
	num := func(n uint64) string { return strconv.FormatUint(n, 10) }
	// Marshalling a map of strings cannot fail.
	out, _ := json.Marshal(map[string]string{
		"read_rows": num(s.ReadRows), "read_bytes": num(s.ReadBytes), "written_rows": num(s.WrittenRows),
		"written_bytes": num(s.WrittenBytes), "elapsed_ns": strconv.FormatInt(s.Elapsed.Nanoseconds(), 10),
	})
	return string(out)
}

// fail tells the client about err. It reports whether the connection has to be broken off, as the answer had
// already begun and would otherwise look complete.
func (a *answer) fail(err error) (abort bool) {
	var engine *Error
	if !errors.As(err, &engine) {
		engine = refuse(codeUnknown, "UNKNOWN_EXCEPTION", "%v", err)
	}
	if !a.sent {
		a.buf.Reset()
		a.pack = nil // clients take the text of an error plain
		h := a.w.Header()
		h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(engine.Code))
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		a.w.WriteHeader(httpStatus(engine.Code))
		_, _ = a.w.Write([]byte(engine.Message + "\n"))
		return false
	}
	msg := engine.Message + "\n"
	fmt.Fprintf(&a.buf, "\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n", a.tag, msg, len(msg), a.tag)
	_ = a.flush() // if this does not arrive, the broken connection does
	_ = http.NewResponseController(a.w).Flush()
	return true
}

// empty reports whether nothing has been written yet.
func (a *answer) empty() bool { return !a.sent && a.buf.Len() == 0 }
