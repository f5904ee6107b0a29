package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// exceptionTag frames an error that a server meets after it has begun to answer.
const exceptionTag = "\r\n__exception__\r\n"

// Query streams the answer of one statement to out in a ClickHouse format. An error carries ClickHouse's own text and code.
func Query(ctx context.Context, cfg Config, sql, format string, out io.Writer) error {
	scheme := "http"
	if cfg.TLS != nil {
		scheme = "https"
	}
	values := url.Values{"default_format": {format}, "database": {"weir"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+cfg.Address+"/?"+values.Encode(), strings.NewReader(sql))
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	if cfg.User != "" {
		req.Header.Set("X-ClickHouse-User", cfg.User)
		req.Header.Set("X-ClickHouse-Key", cfg.Password)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: cfg.TLS, Proxy: http.ProxyFromEnvironment}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask ClickHouse at %s: %w", cfg.Address, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end or the error is known
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if err != nil {
			return fmt.Errorf("ask ClickHouse: %w", err)
		}
		return fmt.Errorf("%s", strings.TrimSpace(string(text)))
	}
	return copyAnswer(out, resp.Body)
}

// copyAnswer copies an answer and turns an error at its end into one.
func copyAnswer(out io.Writer, in io.Reader) error {
	tail := &tailWriter{out: out}
	_, broken := io.Copy(tail, in)
	if err := tail.finish(); err != nil || broken == nil {
		return err
	}
	return fmt.Errorf("read answer: %w", broken)
}

// tailWriter holds back the end of what passes through it, where an exception would stand.
type tailWriter struct {
	out  io.Writer
	held []byte
}

// tailBytes is more than an exception block takes.
const tailBytes = 32 << 10

func (t *tailWriter) Write(p []byte) (int, error) {
	t.held = append(t.held, p...)
	if len(t.held) <= 2*tailBytes {
		return len(p), nil
	}
	free := len(t.held) - tailBytes
	if _, err := t.out.Write(t.held[:free]); err != nil {
		return 0, err
	}
	t.held = append(t.held[:0], t.held[free:]...)
	return len(p), nil
}

func (t *tailWriter) finish() error {
	at := bytes.LastIndex(t.held, []byte(exceptionTag))
	if at > 0 {
		at = bytes.LastIndex(t.held[:at], []byte(exceptionTag))
	}
	if at < 0 {
		_, err := t.out.Write(t.held)
		return err
	}
	if _, err := t.out.Write(t.held[:at]); err != nil {
		return err
	}
	return fmt.Errorf("%s", strings.TrimSpace(strings.ReplaceAll(string(t.held[at:]), strings.TrimSpace(exceptionTag), "")))
}
