package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Config is what the child process needs.
type Config struct {
	Library   string // path of libchdb, see FindLibrary
	Dir       string // holds the data, the scratch files and the lock
	MaxMemory int64  // bytes for the engine; 0 leaves its default, 90 % of the machine
	Server    ServerConfig

	Listener net.Listener // closed by Serve
	LockWait time.Duration
	Drain    time.Duration // for requests to end by themselves after ctx has ended

	// Parent, if set, is the read end of a pipe that the parent process holds open: its end is the parent's
	// end, and Exit is called at once. Parent is closed by Serve.
	Parent *os.File
	Exit   func(code int)

	Ready func() // called once when requests are answered; may be nil

	Log *slog.Logger
}

// DefaultConfig returns everything but the library, the folder, the listener and the logger.
func DefaultConfig() Config {
	return Config{MaxMemory: 2 << 30, Server: DefaultServerConfig(), LockWait: 15 * time.Second, Drain: 5 * time.Second}
}

// Named errors of Validate and Serve.
var (
	ErrIncomplete = errors.New("library, dir, listener and log have to be set, and exit together with parent")
	ErrLocked     = errors.New("in use by another process")
)

// Validate tells what is wrong with the configuration. Server.Scratch may be empty: Serve has a place for it.
func (c Config) Validate() error {
	if c.Library == "" || c.Dir == "" || c.Listener == nil || c.Log == nil || c.Parent != nil && c.Exit == nil {
		return ErrIncomplete
	}
	if c.Server.Scratch == "" {
		c.Server.Scratch = c.Dir
	}
	return c.Server.Validate()
}

// Serve runs the engine and its HTTP interface until ctx ends, and is the child's main function. It owns the
// process: it ignores SIGPIPE, which a thread of the engine would die of.
func Serve(ctx context.Context, cfg Config) (err error) {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("serve clickhouse: %w", err)
	}
	defer cfg.Listener.Close()
	if cfg.Parent != nil {
		stop := watchParent(cfg.Parent, cfg.Exit)
		defer stop()
	}
	signal.Ignore(syscall.SIGPIPE)

	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("serve clickhouse: %w", err)
	}
	lock, err := lockDir(ctx, cfg.Dir, cfg.LockWait)
	if err != nil {
		return fmt.Errorf("serve clickhouse: %w", err)
	}
	defer func() { _ = lock.Close() }() // the lock goes with the process anyway

	start := time.Now()
	engine, err := OpenEngine(EngineConfig{Library: cfg.Library, Path: filepath.Join(cfg.Dir, "data"), MaxMemory: cfg.MaxMemory})
	if err != nil {
		return fmt.Errorf("serve clickhouse: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if cfg.Server.Scratch == "" {
		cfg.Server.Scratch = filepath.Join(cfg.Dir, "scratch")
	}
	cfg.Server.Hosts = append(cfg.Server.Hosts, hostOnly(cfg.Listener.Addr().String()))
	handler, err := NewServer(ctx, engine, cfg.Server, cfg.Log)
	if err != nil {
		return fmt.Errorf("serve clickhouse: %w", err)
	}
	cfg.Log.Info("clickhouse is up", "version", handler.hello.version, "addr", cfg.Listener.Addr().String(), "took", time.Since(start))
	if cfg.Ready != nil {
		cfg.Ready()
	}
	return serveUntil(ctx, cfg, handler)
}

// serveUntil serves until ctx ends; then new connections are refused at once, running requests get cfg.Drain
// to end, and what still runs after that is killed.
func serveUntil(ctx context.Context, cfg Config, handler http.Handler) error {
	base, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	srv := &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(cfg.Listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve clickhouse: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(base, cfg.Drain)
	defer cancel()
	err := srv.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		kill()
		// Killed statements end within milliseconds; their sessions must be closed before the engine is.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Drain)
		defer cancel()
		err = errors.Join(srv.Shutdown(last), srv.Close())
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	if err != nil {
		return fmt.Errorf("stop clickhouse: %w", err)
	}
	return nil
}

// watchParent calls exit when the pipe ends, unless stop was called before.
func watchParent(pipe *os.File, exit func(int)) (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := io.Copy(io.Discard, pipe)
		select {
		case <-done:
		default:
			if err == nil { // an end, not an error
				exit(1)
			}
		}
	}()
	return func() {
		close(done)
		_ = pipe.Close() // ends the read below
		<-ended
	}
}

// lockDir takes the lock of a data directory, waiting for a predecessor that is about to die. The lock goes
// when the file is closed or the process ends, however it ends.
func lockDir(ctx context.Context, dir string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			return nil, errors.Join(fmt.Errorf("data directory %s: %w (waited %v)", dir, ErrLocked, wait), f.Close())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, context.Cause(ctx)), f.Close())
		}
	}
}
