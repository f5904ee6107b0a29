package ledger_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weirmesh/weir/lab/ledger"
)

func key(outcome string) ledger.Key {
	return ledger.Key{Side: ledger.Received, From: "web", To: "cart", Endpoint: "GET /cart/{id}", Outcome: outcome}
}

func open(t *testing.T, path, process string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(path, process)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func read(t *testing.T, dir string) ledger.Counts {
	t.Helper()
	counts, err := ledger.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func TestCountsOfAllProcessesAreSummed(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, filepath.Join(dir, "a.ledger"), "a"), open(t, filepath.Join(dir, "b.ledger"), "b")
	a.Add(key(ledger.OK), 2)
	a.Add(key(ledger.Refused), 1)
	b.Add(key(ledger.OK), 3)
	b.Add(key(ledger.Timeout), 0) // nothing is no count
	want := ledger.Counts{key(ledger.OK): 5, key(ledger.Refused): 1}
	if got := read(t, dir); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := b.Counts(), (ledger.Counts{key(ledger.OK): 3}); !maps.Equal(got, want) {
		t.Errorf("b counts %v, want %v", got, want)
	}
}

func TestReopenedLedgerGoesOnCounting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.ledger")
	for range 3 {
		l, err := ledger.Open(path, "a")
		if err != nil {
			t.Fatal(err)
		}
		l.Add(key(ledger.OK), 1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l.Add(key(ledger.OK), 1) // closed: does nothing
	}
	process, counts, err := ledger.ReadFile(path)
	if err != nil || process != "a" || counts[key(ledger.OK)] != 3 {
		t.Errorf("got %q, %v, %v", process, counts, err)
	}
}

func TestLedgerHasOneWriterOfOneName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.ledger")
	l := open(t, path, "a")
	if _, err := ledger.Open(path, "a"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a second writer was let in: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(path, "b"); err == nil || !strings.Contains(err.Error(), `belongs to "a"`) {
		t.Errorf("another process was let in: %v", err)
	}
}

func TestKeysWithoutRoomAreVisible(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a.ledger"), "a")
	for i := range ledger.MaxKeys + 100 {
		l.Add(ledger.Key{Side: ledger.Received, Endpoint: fmt.Sprint(i)}, 1)
	}
	counts := read(t, dir)
	if len(counts) != ledger.MaxKeys+1 || counts[ledger.Overflow()] != 100 {
		t.Errorf("%d keys, %d counts beyond them", len(counts), counts[ledger.Overflow()])
	}
}

func TestKeysThatCannotBeStoredAreVisible(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a.ledger"), "a")
	l.Add(ledger.Key{From: strings.Repeat("x", 300)}, 1)
	l.Add(ledger.Key{From: "a\x00b"}, 1)
	if got, want := read(t, dir), (ledger.Counts{ledger.Overflow(): 2}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConcurrentAddsAreAllCounted(t *testing.T) {
	dir := t.TempDir()
	l := open(t, filepath.Join(dir, "a.ledger"), "a")
	var wg sync.WaitGroup
	const workers, each, keys = 8, 2000, 50
	for range workers {
		wg.Go(func() {
			for i := range each {
				l.Add(ledger.Key{Endpoint: fmt.Sprint(i % keys)}, 1)
			}
		})
	}
	wg.Go(func() { // a reader never sees more than there will be
		for range 20 {
			if n := read(t, dir)[ledger.Key{Endpoint: "0"}]; n > workers*each/keys {
				t.Errorf("a reader saw %d", n)
			}
		}
	})
	wg.Wait()
	for k, n := range read(t, dir) {
		if n != workers*each/keys {
			t.Errorf("%v: %d, want %d", k, n, workers*each/keys)
		}
	}
}

func TestCountsAsJSON(t *testing.T) {
	counts := ledger.Counts{key(ledger.Refused): 1, key(ledger.OK): 2}
	text, err := json.Marshal(counts)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"side":"received","from":"web","to":"cart","endpoint":"GET /cart/{id}","outcome":"ok","count":2},` +
		`{"side":"received","from":"web","to":"cart","endpoint":"GET /cart/{id}","outcome":"refused","count":1}]`
	if string(text) != want {
		t.Errorf("got %s", text)
	}
	var back ledger.Counts
	if err := json.Unmarshal(text, &back); err != nil || !maps.Equal(back, counts) {
		t.Errorf("read back %v, %v", back, err)
	}
}

func TestDamagedLedgerIsNamed(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut short":      func(b []byte) []byte { return b[:1000] },
		"empty":          func([]byte) []byte { return nil },
		"no ledger":      func(b []byte) []byte { b[0]++; return b },
		"newer version":  func(b []byte) []byte { b[8]++; return b },
		"name too long":  func(b []byte) []byte { b[17] = 1; return b },
		"key of nothing": func(b []byte) []byte { copy(b[256+16:], "xxxx"); return b },
		"endless key":    func(b []byte) []byte { b[256+1] = 0xff; return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "damaged.ledger")
			open(t, path, "a").Close()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.Read(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("reading said %v", err)
			}
			if _, err := ledger.Open(path, "a"); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("opening said %v", err)
			}
		})
	}
}

// FuzzRead overwrites a part of a ledger: whatever is there, reading gives counts or an error that names the file.
func FuzzRead(f *testing.F) {
	f.Add(uint32(0), []byte{1})
	f.Add(uint32(256), []byte{4, 0, 0, 0, 1, 2, 3, 4})
	f.Add(uint32(512), []byte{255, 255, 255, 255})
	path := filepath.Join(f.TempDir(), "a.ledger")
	l, err := ledger.Open(path, "a")
	if err != nil {
		f.Fatal(err)
	}
	l.Add(key(ledger.OK), 7)
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		dir := t.TempDir()
		content := append([]byte(nil), whole...)
		copy(content[int(at)%2048:], patch)
		if err := os.WriteFile(filepath.Join(dir, "b.ledger"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		counts, err := ledger.Read(dir)
		if (err == nil) == (counts == nil) {
			t.Errorf("got %v and %v", counts, err)
		}
		if err != nil && !strings.Contains(err.Error(), "b.ledger") {
			t.Errorf("which file is it? %v", err)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	l, err := ledger.Open(filepath.Join(b.TempDir(), "a.ledger"), "a")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	k := key(ledger.OK)
	for b.Loop() {
		l.Add(k, 1)
	}
}
