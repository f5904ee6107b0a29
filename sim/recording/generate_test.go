package recording_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/sim/recording"
)

// tree reads every file below dir.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(dir, "trace", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(p)] = string(b)
	}
	return files
}

func generate(t *testing.T, cfg recording.Config) (sum recording.Summary, dir, otlp string) {
	t.Helper()
	day, err := recording.Generate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	otlp = filepath.Join(dir, "day.jsonl.gz")
	if err := day.WriteNezha(dir); err != nil {
		t.Fatal(err)
	}
	if err := day.WriteOTLP(otlp); err != nil {
		t.Fatal(err)
	}
	return day.Summary, dir, otlp
}

// TestGenerateCounts holds the counter against what the generator knows it made.
func TestGenerateCounts(t *testing.T) {
	calm := recording.DefaultConfig()
	calm.Duplicates, calm.Orphans, calm.Late, calm.Skewed, calm.Backwards, calm.Failing = 0, 0, 0, 0, 0, 0
	rough := recording.DefaultConfig()
	rough.Duplicates, rough.Orphans, rough.Late, rough.Skewed, rough.Backwards, rough.Failing = 0.1, 0.1, 0.05, 0.5, 0.05, 0.2
	rough.Start = time.Date(2025, 3, 4, 23, 30, 0, 0, time.UTC) // late rows have no next hour
	for name, cfg := range map[string]recording.Config{"calm": calm, "default": recording.DefaultConfig(), "rough": rough} {
		t.Run(name, func(t *testing.T) {
			sum, dir, otlp := generate(t, cfg)
			t.Logf("%+v", sum)
			nezha, err := recording.Count(dir)
			if err != nil {
				t.Fatal(err)
			}
			full, err := recording.CountOTLP(otlp)
			if err != nil {
				t.Fatal(err)
			}
			for form, tr := range map[string]recording.Truth{"nezha": nezha, "otlp": full} {
				got := []int{tr.Rows, tr.Spans, tr.Duplicates, tr.Orphans, tr.Backwards, tr.Bad}
				want := []int{sum.Rows, sum.Spans, sum.Duplicates, sum.Dropped, sum.Backwards, 0}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: rows, spans, duplicates, orphans, backwards, bad %v, want %v", form, got, want)
				}
			}
			if nezha.Calls != sum.NezhaCalls() || nezha.Errors != 0 {
				t.Errorf("nezha: %d calls, %d errors, want %d, 0", nezha.Calls, nezha.Errors, sum.NezhaCalls())
			}
			if full.Calls != sum.OTLPCalls() || full.Errors != sum.Errors {
				t.Errorf("otlp: %d calls, %d errors, want %d, %d", full.Calls, full.Errors, sum.OTLPCalls(), sum.Errors)
			}
			unknown := 0
			for _, e := range full.Edges {
				if e.Source == "?" {
					unknown += e.Calls
				}
			}
			if unknown != sum.Dropped {
				t.Errorf("otlp: %d calls from ?, want %d", unknown, sum.Dropped)
			}
		})
	}
}

// TestGenerateHolds looks for the troubles that the recording is made for.
func TestGenerateHolds(t *testing.T) {
	sum, dir, otlp := generate(t, recording.DefaultConfig())
	for what, n := range map[string]int{
		"duplicates": sum.Duplicates, "orphans": sum.Dropped, "late rows": sum.Late, "skewed pods": sum.Skewed,
		"backwards": sum.Backwards, "errors": sum.Errors, "peer calls": sum.PeerCalls, "inner roots": sum.InnerRoots,
	} {
		if n == 0 {
			t.Errorf("no %s", what)
		}
	}
	if sum.OTLPCalls() < recording.DefaultConfig().Calls {
		t.Errorf("%d calls, fewer than asked for", sum.OTLPCalls())
	}
	files := tree(t, dir)
	for _, name := range []string{"09_00_trace.csv.gz", "09_09_trace.csv.gz", "10_00_trace.csv.gz"} {
		if files[name] == "" {
			t.Errorf("no file %s", name)
		}
	}
	full, err := recording.CountOTLP(otlp)
	if err != nil {
		t.Fatal(err)
	}
	edges := map[string]bool{}
	for _, e := range full.Edges {
		edges[e.Source+">"+e.Destination] = true
	}
	for _, e := range []string{">front", "loadgen>front", "nightly-job>front", "front>ads", "front>cart", "cart>cart-cache", "catalog>catalog-db", "checkout>mail", "?>cart"} {
		if !edges[e] {
			t.Errorf("no calls %s", e)
		}
	}
	for _, e := range []string{"front>cart-cache", "checkout>queue", "front>front"} {
		if edges[e] {
			t.Errorf("calls %s", e)
		}
	}
}

func TestGenerateSeed(t *testing.T) {
	cfg := recording.DefaultConfig()
	cfg.Calls = 2000
	_, first, firstOTLP := generate(t, cfg)
	_, again, againOTLP := generate(t, cfg)
	cfg.Seed++
	_, other, _ := generate(t, cfg)
	if !reflect.DeepEqual(tree(t, first), tree(t, again)) {
		t.Error("the same seed gives other Nezha files")
	}
	if reflect.DeepEqual(tree(t, first), tree(t, other)) {
		t.Error("another seed gives the same files")
	}
	a, errA := os.ReadFile(firstOTLP)
	b, errB := os.ReadFile(againOTLP)
	if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
		t.Errorf("the same seed gives other OTLP: %v", err)
	}
}

func TestGenerateLoad(t *testing.T) {
	cfg := recording.DefaultConfig()
	cfg.Start, cfg.Minutes = time.Date(2025, 3, 4, 0, 0, 0, 0, time.UTC), 24*60
	cfg.Skewed, cfg.Late = 0, 0
	_, dir, _ := generate(t, cfg)
	tr, err := recording.Count(dir)
	if err != nil {
		t.Fatal(err)
	}
	hours := map[int]int{}
	for _, w := range tr.Windows {
		if w.Seconds == 3600 {
			hours[time.Unix(w.Start, 0).UTC().Hour()] += w.Calls
		}
	}
	if hours[15] < 3*hours[3] || hours[3] == 0 {
		t.Errorf("%d calls at 15:00 and %d at 03:00, want about four times as many", hours[15], hours[3])
	}
}

func TestConfigErrors(t *testing.T) {
	tests := map[string]func(*recording.Config){
		"calls":    func(c *recording.Config) { c.Calls = 0 },
		"midnight": func(c *recording.Config) { c.Minutes = 24 * 60 },
		"fraction": func(c *recording.Config) { c.Late = 1.5 },
		"services": func(c *recording.Config) { c.Services = nil },
		"cycle": func(c *recording.Config) {
			c.Services = []recording.Service{{Name: "a", Pods: 1, Entry: 1, Calls: []recording.Call{{To: "a"}}}}
		},
		"1970": func(c *recording.Config) { c.Start = time.Unix(0, 0) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := recording.DefaultConfig()
			spoil(&cfg)
			if _, err := recording.Generate(cfg); !errors.Is(err, recording.ErrConfig) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestMutate: each mutation changes the truth in its own way and in no other.
func TestMutate(t *testing.T) {
	cfg := recording.DefaultConfig()
	cfg.Calls, cfg.Duplicates, cfg.Orphans, cfg.Skewed = 5000, 0, 0, 0
	_, dir, _ := generate(t, cfg)
	base, err := recording.Count(dir)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b recording.Truth) bool { return reflect.DeepEqual(a.Windows, b.Windows) }
	tests := []struct {
		name string
		m    recording.Mutation
		ok   func(tr recording.Truth, changed int) bool
	}{
		{"drop parents", recording.DropParents(0.05), func(tr recording.Truth, n int) bool {
			return n > 0 && tr.Spans == base.Spans-n && tr.Orphans > 0 && tr.Calls < base.Calls
		}},
		{"double", recording.Double(0.1), func(tr recording.Truth, n int) bool {
			return n > 0 && tr.Duplicates == n && same(tr, base)
		}},
		{"skew", recording.SkewHosts(0.1), func(tr recording.Truth, n int) bool {
			return n > 0 && tr.Calls == base.Calls && !same(tr, base) && tr.Backwards == base.Backwards
		}},
		{"late", recording.Late(0.05), func(tr recording.Truth, n int) bool {
			return n > 0 && reflect.DeepEqual(tr, base)
		}},
		{"shuffle", recording.Shuffle(), func(tr recording.Truth, n int) bool {
			return n > 0 && reflect.DeepEqual(tr, base)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var trees []map[string]string
			for range 2 {
				out := t.TempDir()
				changes, err := recording.Mutate(dir, out, 7, tt.m)
				if err != nil {
					t.Fatal(err)
				}
				tr, err := recording.Count(out)
				if err != nil {
					t.Fatal(err)
				}
				if !tt.ok(tr, changes[0].Changed) {
					t.Errorf("%v: calls %d of %d, spans %d of %d, duplicates %d, orphans %d", changes, tr.Calls, base.Calls, tr.Spans, base.Spans, tr.Duplicates, tr.Orphans)
				}
				trees = append(trees, tree(t, out))
			}
			if !reflect.DeepEqual(trees[0], trees[1]) {
				t.Error("the same seed gives other files")
			}
			if reflect.DeepEqual(trees[0], tree(t, dir)) {
				t.Error("nothing changed")
			}
		})
	}
}

// TestMutateTogether: a row that is doubled and on a skewed host is skewed once, so it stays a duplicate.
func TestMutateTogether(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	write(t, filepath.Join(in, "10_00_trace.csv"), "1,2,root,p,x,7200000000000,7201000000000,1\nnot a row\n")
	changes, err := recording.Mutate(in, out, 1, recording.Double(1), recording.SkewHosts(1), recording.Late(0))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(changes); got != "[{double 2} {skew-hosts 2} {late 0}]" {
		t.Errorf("changes %s", got)
	}
	tr, err := recording.Count(out)
	if err != nil {
		t.Fatal(err)
	}
	if tr.Duplicates != 1 || tr.Calls != 1 || tr.Bad != 2 || tr.Windows[0].P99 != time.Second {
		t.Errorf("truth %+v", tr)
	}
	if strings.HasPrefix(describe(tr, 3600), "7200 ") {
		t.Error("not skewed")
	}
}
