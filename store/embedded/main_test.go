package embedded_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/store/embedded"
)

const (
	libraryEnv = "WEIR_CHDB_LIBRARY"
	childEnv   = "WEIR_EMBEDDED_TEST_CHILD" // set: this process is a child
)

// childOptions are what a test changes about the child.
type childOptions struct {
	Library  string
	Dir      string
	LockWait time.Duration
	Server   embedded.ServerConfig
}

func TestMain(m *testing.M) {
	if options := os.Getenv(childEnv); options != "" {
		os.Exit(childMain(options))
	}
	goleak.VerifyTestMain(m)
}

func childMain(options string) int {
	cfg := embedded.DefaultConfig()
	var o childOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg.Library, cfg.Dir, cfg.LockWait, cfg.Server = o.Library, o.Dir, o.LockWait, o.Server
	cfg.Drain = time.Second
	var err error
	if cfg.Library, err = embedded.FindLibrary(o.Library); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if cfg.Listener, cfg.Parent, err = embedded.Inherited(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg.Exit = os.Exit
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := embedded.Serve(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func libraryPath(t testing.TB) string {
	t.Helper()
	path := os.Getenv(libraryEnv)
	if path == "" {
		t.Skip(libraryEnv + " is not set: no ClickHouse library to test with")
	}
	return path
}

func options(t testing.TB) childOptions {
	return childOptions{Library: libraryPath(t), Dir: t.TempDir(), LockWait: 5 * time.Second, Server: embedded.DefaultServerConfig()}
}

func childConfig(t testing.TB, o childOptions) embedded.ChildConfig {
	t.Helper()
	env, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cfg := embedded.DefaultChildConfig()
	cfg.MinBackoff = 10 * time.Millisecond
	cfg.Log = slog.New(slog.DiscardHandler)
	cfg.Command = func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+string(env))
		return cmd
	}
	return cfg
}

func start(t testing.TB, o childOptions) *embedded.Child {
	t.Helper()
	c, err := embedded.StartChild(t.Context(), childConfig(t, o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return c
}

// connect opens clickhouse-go on the child.
func connect(t testing.TB, c *embedded.Child, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	o := &clickhouse.Options{
		Addr: []string{c.Addr()}, Protocol: clickhouse.HTTP, MaxOpenConns: 8,
		DialTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
	}
	for _, f := range change {
		f(o)
	}
	conn, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// reply is an HTTP answer read whole.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

// post sends body with the URL parameters given in pairs.
func post(t testing.TB, c *embedded.Child, body io.Reader, params ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.Addr()+"/?"+query(params), body)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, req)
}

func query(params []string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return q.Encode()
}

func do(t testing.TB, req *http.Request) reply {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return reply{header: http.Header{}, err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(b), err}
}

// ask runs a statement that has to succeed.
func ask(t testing.TB, c *embedded.Child, sql string, params ...string) string {
	t.Helper()
	r := post(t, c, strings.NewReader(sql), params...)
	if r.status != http.StatusOK || r.err != nil {
		t.Fatalf("%s: status %d, %v\n%s", sql, r.status, r.err, r.body)
	}
	return strings.TrimSuffix(r.body, "\n")
}

func want(t testing.TB, got, wanted string) {
	t.Helper()
	if got != wanted {
		t.Errorf("got %q, want %q", got, wanted)
	}
}
