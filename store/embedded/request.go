package embedded

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/klauspost/compress/zstd"
)

// headBytes is how much of a request is looked at to tell an INSERT with data; the engine's max_query_size.
const headBytes = 256 << 10

// maxQueryBytes bounds a statement that has to be in memory, values of an INSERT .. VALUES included.
const maxQueryBytes = 16 << 20

// request is what a client asks for.
type request struct {
	database, format, queryID string
	settings                  []Setting
	params                    map[string]string

	compressed bool // the answer goes in ClickHouse's own blocks
	zstd       bool
	spool      bool // the answer is made completely before the first byte goes out
	readOnly   bool // asked for by the client

	text io.Reader // statement and data
	done func()    // releases text
}

// readRequest takes the URL's parameters apart: some are the protocol's, all others are settings.
func readRequest(w http.ResponseWriter, r *http.Request, maxBody int64) (*request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(codeSyntax, "SYNTAX_ERROR", "Bad URL: %v", err)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return nil, refuse(codeNotImplemented, "NOT_IMPLEMENTED", "External tables are not supported")
	}
	// A GET can be caused by any link or image of a web page.
	req := &request{params: map[string]string{}, format: "TabSeparated", readOnly: r.Method == http.MethodGet}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if err := req.parameter(name, query.Get(name)); err != nil {
			return nil, err
		}
	}
	if f := r.Header.Get("X-ClickHouse-Format"); f != "" {
		req.format = f
	}
	if d := r.Header.Get("X-ClickHouse-Database"); d != "" {
		req.database = d
	}
	if !isIdentifier(req.format) {
		return nil, refuse(codeSyntax, "SYNTAX_ERROR", "Bad format name %s", quoteString(req.format))
	}
	body, done, err := decodeBody(http.MaxBytesReader(w, r.Body, maxBody), r.Header.Get("Content-Encoding"), query.Get("decompress") == "1")
	if err != nil {
		return nil, err
	}
	req.text, req.done = body, done
	if sql := query.Get("query"); sql != "" {
		// Data begins right behind the line break, so the statement must not end with one of its own.
		sql = strings.TrimRight(sql, "; \t\r\n")
		req.text = io.MultiReader(strings.NewReader(sql+"\n"), body)
	}
	return req, nil
}

func (r *request) parameter(name, value string) error {
	switch name {
	case "query", "decompress", "user", "password", "quota_key", "client_protocol_version", "buffer_size",
		"stacktrace", "role", "session_timeout", "session_check":
	case "session_id":
		return refuse(codeNotImplemented, "NOT_IMPLEMENTED", "Sessions (session_id) are not supported")
	case "database":
		r.database = value
	case "default_format":
		r.format = value
	case "query_id":
		r.queryID = value
	case "compress":
		r.compressed = value == "1"
	case "wait_end_of_query":
		r.spool = value == "1" || value == "true"
	case "readonly":
		r.readOnly = r.readOnly || value != "0"
	default:
		if p, ok := strings.CutPrefix(name, "param_"); ok {
			r.params[p] = value
			return nil
		}
		r.zstd = r.zstd || name == "network_compression_method" && strings.EqualFold(value, "zstd")
		r.settings = append(r.settings, Setting{name, value})
	}
	return nil
}

func decodeBody(body io.Reader, encoding string, blocks bool) (io.Reader, func(), error) {
	done := func() {}
	switch encoding {
	case "", "identity":
	case "gzip":
		zr, err := gzip.NewReader(body)
		if err != nil {
			return nil, nil, fmt.Errorf("read gzip body: %w", err)
		}
		body = zr
	case "zstd":
		zr, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("read zstd body: %w", err)
		}
		body, done = zr, zr.Close
	default:
		return nil, nil, refuse(codeNotImplemented, "NOT_IMPLEMENTED", "Content-Encoding %s is not supported", quoteString(encoding))
	}
	if blocks {
		body = blockReader{compress.NewReader(body)}
	}
	return body, done, nil
}

// blockReader reads ClickHouse's compressed blocks. Their reader wraps the end of file, which must be bare.
type blockReader struct{ r io.Reader }

func (b blockReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

// head reads the beginning of the text, enough to see what it is.
func (r *request) head() ([]byte, error) {
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r.text, headBytes); err != nil && !errors.Is(err, io.EOF) {
		return nil, bodyError(err)
	}
	return buf.Bytes(), nil
}

// rest reads the whole statement that begins with head.
func (r *request) rest(head []byte) (string, error) {
	all, err := io.ReadAll(io.LimitReader(r.text, maxQueryBytes-int64(len(head))+1))
	if err != nil {
		return "", bodyError(err)
	}
	if len(head)+len(all) > maxQueryBytes {
		return "", refuse(codeTooManyBytes, "TOO_MANY_BYTES", "Statement is longer than %d bytes; send data behind INSERT .. FORMAT", maxQueryBytes)
	}
	return string(append(head, all...)), nil
}

// bodyError gives a body that is too long its proper number.
func bodyError(err error) error {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return refuse(codeTooManyBytes, "TOO_MANY_BYTES", "Body is longer than %d bytes", tooLong.Limit)
	}
	return fmt.Errorf("read body: %w", err)
}
