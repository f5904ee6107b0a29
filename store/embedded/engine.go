package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// EngineConfig says which library to load and where its data is.
type EngineConfig struct {
	Library   string // path of libchdb, see FindLibrary
	Path      string // data directory; made if missing; one engine at a time (Serve holds a lock for that)
	MaxMemory int64  // bytes for everything together; 0 leaves the engine's default, 90 % of the machine
}

// Engine is the ClickHouse engine in this process. There is at most one per process. Its methods may be
// called from any goroutine; Close only after all sessions are closed.
type Engine struct {
	lib  *library
	path string
	tags atomic.Uint64

	sessions atomic.Int64 // open, without control

	mu      sync.Mutex
	control *Session // guarded by mu; keeps the engine running, and kills what others run
}

// OpenEngine loads the library and starts the engine. The first time in an empty directory takes about 0.2 s.
func OpenEngine(cfg EngineConfig) (*Engine, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	lib, err := loadLibrary(cfg.Library)
	if err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	e := &Engine{lib: lib, path: path}
	var args []string
	if cfg.MaxMemory > 0 {
		args = append(args, "--max_server_memory_usage="+strconv.FormatInt(cfg.MaxMemory, 10))
	}
	if e.control, err = e.connect(args...); err != nil {
		return nil, fmt.Errorf("open engine %s: %w", path, err)
	}
	return e, nil
}

// Close closes the data directory's last connection. Within this process no other engine can be opened
// afterwards. The library's own shutdown call is left out: with a MergeTree table it cannot end all of the
// background threads (26.7 says so at every try), and the end of the process does.
func (e *Engine) Close() error {
	if n := e.sessions.Load(); n > 0 {
		return fmt.Errorf("close engine %s: %d sessions are still open", e.path, n)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.control != nil {
		e.lib.close(e.control.conn)
		e.control = nil
	}
	return nil
}

// Session opens a session of its own: its settings and current database are nobody else's.
func (e *Engine) Session() (*Session, error) {
	s, err := e.connect()
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	e.sessions.Add(1)
	return s, nil
}

func (e *Engine) connect(args ...string) (*Session, error) {
	args = append([]string{"clickhouse", "--path=" + e.path}, args...)
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]unsafe.Pointer, len(args)+1)
	for i, arg := range args {
		p := cString(arg)
		pin.Pin(p)
		argv[i] = unsafe.Pointer(p)
	}
	conn := e.lib.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	e.lib.handlers.restore()
	runtime.KeepAlive(argv)
	if conn == nil {
		return nil, fmt.Errorf("engine refused a connection to %s", e.path)
	}
	return &Session{engine: e, conn: conn, tag: "weir:" + strconv.FormatUint(e.tags.Add(1), 10)}, nil
}

// killInterval is the time between two attempts to kill a statement. One is not enough: the context may end
// before the statement has begun.
const killInterval = 50 * time.Millisecond

// killWhenDone kills the session's statement once ctx is done, until finished is closed.
func (e *Engine) killWhenDone(ctx context.Context, tag string, finished <-chan struct{}) {
	select {
	case <-finished:
		return
	case <-ctx.Done():
	}
	tick := time.NewTicker(killInterval)
	defer tick.Stop()
	for {
		e.kill(tag)
		select {
		case <-finished:
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) kill(tag string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.control == nil {
		return
	}
	// An error means that there was nothing to kill, or that the next attempt will.
	_, _ = e.control.run("KILL QUERY WHERE Settings['log_comment'] = "+quoteString(tag)+" ASYNC", "Null", nil)
}
