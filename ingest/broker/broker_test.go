package broker_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/broker"
	"github.com/weirmesh/weir/ingest/kafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// use starts a broker in dir, lets do work with a client of it, and stops it.
func use(t *testing.T, cfg broker.Config, do func(*kafka.Client)) {
	t.Helper()
	cfg.Listen, cfg.Logger = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	b, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := kafka.New(kafka.Config{Addresses: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do(c)
}

func incarnation(t *testing.T, c *kafka.Client) string {
	t.Helper()
	id, err := c.ClusterID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestTheLogAndItsNameSurviveARestart(t *testing.T) {
	for _, sync := range []bool{false, true} {
		cfg := broker.Config{Dir: filepath.Join(t.TempDir(), "made"), Sync: sync}
		var name string
		use(t, cfg, func(c *kafka.Client) {
			name = incarnation(t, c)
			if err := c.EnsureTopics(t.Context(), true, kafka.Topic{Name: "x", Partitions: 2, Replication: 1}); err != nil {
				t.Fatal(err)
			}
			if err := c.Produce(t.Context(), ingest.Record{Topic: "x", Partition: 1, Value: []byte("kept")}); err != nil {
				t.Fatal(err)
			}
		})
		use(t, cfg, func(c *kafka.Client) {
			if got := incarnation(t, c); got != name || name == "" {
				t.Errorf("incarnation is %q, was %q", got, name)
			}
			var values []string
			err := c.Read(t.Context(), "x", 1, 0, false, func(m ingest.Message) bool {
				values = append(values, string(m.Value))
				return true
			})
			if err != nil || len(values) != 1 || values[0] != "kept" {
				t.Errorf("sync %t: the log holds %q, error %v", sync, values, err)
			}
		})
	}
}

// TestAFullDiskIsNeverReached refuses writes while too little is free, says so, and goes on by itself. What is there can be read.
func TestAFullDiskIsNeverReached(t *testing.T) {
	var free atomic.Int64
	free.Store(10 << 20)
	var said []string
	var mu sync.Mutex
	cfg := broker.Config{
		Dir: t.TempDir(), MinFree: 5 << 20, Free: func(string) (int64, error) { return free.Load(), nil },
		Space: func(err error) { mu.Lock(); defer mu.Unlock(); said = append(said, fmt.Sprint(err)) },
	}
	use(t, cfg, func(c *kafka.Client) {
		if err := c.EnsureTopics(t.Context(), true, kafka.Topic{Name: "x", Partitions: 1, Replication: 1}); err != nil {
			t.Fatal(err)
		}
		for i, mib := range []int64{10, 4, 3, 10} {
			free.Store(mib << 20)
			err := c.Produce(t.Context(), ingest.Record{Topic: "x", Value: []byte("kept")})
			if refused := mib < 5; (err != nil) != refused || ingest.IsPermanent(err) || refused && !strings.Contains(err.Error(), "broker.min_free_mib") {
				t.Errorf("write %d with %d MiB: %v", i, mib, err)
			}
			bounds, err := c.Bounds(t.Context(), "x")
			if want := int64(1 + i/3); err != nil || bounds[0].End != want {
				t.Errorf("write %d: the log ends at %v, want %d, error %v", i, bounds, want, err)
			}
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 2 || !strings.Contains(said[0], "4 MiB are free") || said[1] != "<nil>" {
		t.Errorf("said %q", said)
	}
}

func TestTheSystemTellsWhatIsFree(t *testing.T) {
	use(t, broker.Config{Dir: t.TempDir(), MinFree: 1 << 60}, func(c *kafka.Client) {
		if err := c.EnsureTopics(t.Context(), true, kafka.Topic{Name: "x", Partitions: 1, Replication: 1}); err != nil {
			t.Fatal(err)
		}
		if err := c.Produce(t.Context(), ingest.Record{Topic: "x", Value: []byte("x")}); err == nil {
			t.Error("a disk of 2^60 bytes was found")
		}
	})
}

func TestEveryLogHasItsOwnName(t *testing.T) {
	names := map[string]bool{}
	dir := t.TempDir()
	for range 3 {
		use(t, broker.Config{Dir: dir}, func(c *kafka.Client) { names[incarnation(t, c)] = true })
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if len(names) != 3 {
		t.Errorf("names %v, want three", names)
	}
}

func TestStartTellsWhatIsInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]broker.Config{
		"a file where the directory should be": {Dir: file, Listen: "127.0.0.1:0"},
		"an address that is not ours":          {Dir: t.TempDir(), Listen: "203.0.113.1:9092"},
	} {
		cfg.Logger = slog.New(slog.DiscardHandler)
		if b, err := broker.Start(cfg); err == nil {
			b.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
