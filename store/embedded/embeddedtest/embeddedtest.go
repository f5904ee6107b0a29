// Package embeddedtest gives tests of other packages a real ClickHouse: the embedded engine in a child process, which is the test
// binary itself, run again.
package embeddedtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/store/embedded"
)

const (
	libraryEnv = "WEIR_CHDB_LIBRARY"
	childEnv   = "WEIR_TEST_ENGINE_DIR" // set: this process is the engine
)

// Child runs the engine and returns true with its exit code if this process is the child. TestMain calls it first.
func Child() (code int, child bool) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return 0, false
	}
	if err := serve(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func serve(dir string) error {
	cfg := embedded.DefaultConfig()
	cfg.Dir, cfg.Exit, cfg.Drain = dir, os.Exit, time.Second
	cfg.Server.Writers = 1
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if cfg.Library, err = embedded.FindLibrary(os.Getenv(libraryEnv)); err != nil {
		return err
	}
	if cfg.Listener, cfg.Parent, err = embedded.Inherited(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return embedded.Serve(ctx, cfg)
}

// Start runs an engine on dir until the test ends. It skips the test where the library is missing.
func Start(t testing.TB, dir string) *embedded.Child {
	t.Helper()
	if os.Getenv(libraryEnv) == "" {
		t.Skip(libraryEnv + " is not set: no ClickHouse library to test with (`make test` sets it)")
	}
	cfg := embedded.DefaultChildConfig()
	cfg.MinBackoff = 10 * time.Millisecond
	cfg.Log = slog.New(slog.DiscardHandler)
	cfg.Command = func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		return cmd
	}
	child, err := embedded.StartChild(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := child.Stop(ctx); err != nil {
			t.Errorf("stop engine: %v", err)
		}
	})
	return child
}
