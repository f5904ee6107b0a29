package main_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// breaker passes requests on, and breaks the connection of the first one that contains each of its words.
type breaker struct {
	next http.Handler

	mu    sync.Mutex // guards words
	words []string
}

func (b *breaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || b.breaks(string(body)+r.URL.RawQuery) {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	b.next.ServeHTTP(w, r)
}

func (b *breaker) breaks(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, word := range b.words {
		if strings.Contains(text, word) {
			b.words = append(b.words[:i:i], b.words[i+1:]...)
			return true
		}
	}
	return false
}

func (b *breaker) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.words)
}

// TestStoreBreaksWhileWeirStarts breaks connections to ClickHouse after it has answered once: the start waits, as for one that does not
// answer yet.
func TestStoreBreaksWhileWeirStarts(t *testing.T) {
	engine := freePort(t)
	startWeir(t, "clickhouse", "--data-dir", t.TempDir(), "--listen", engine)
	b := &breaker{
		next:  httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: engine}),
		words: []string{"max(version) FROM weir.migrations", "FROM system.tables", "FROM weir.topics"},
	}
	front := httptest.NewServer(b)
	defer front.Close()
	dir := t.TempDir()
	p := startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t), "--clickhouse", strings.TrimPrefix(front.URL, "http://"))
	running(t, dir)
	if n := b.left(); n > 0 {
		t.Errorf("%d questions were not asked", n)
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("weir up ended with %d on SIGTERM:\n%s", code, p.stderr)
	}
}
