package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

// labRecordings holds what a real Istio mesh reported, with what really happened in it: see the README there.
const labRecordings = "../../lab/testdata/recordings"

// labRecording is a recording of the lab with its truth.
type labRecording struct {
	dir    string
	mesh   spec.Mesh
	faults []spec.Fault
	counts ledger.Counts
}

// labWindow is a row of edge_windows, as far as it is held against the truth.
type labWindow struct {
	compare.Seen
	Version      string  `json:"destination_version"`
	Retries      uint64  `json:"retries"`
	Completeness float64 `json:"completeness"`
}

// TestLabRecordings replays what Envoys, istiod's configuration and OpenTelemetry's SDK made of a mesh, and holds Weir's windows against
// the ledgers of those who called and answered.
func TestLabRecordings(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(labRecordings, "*", "lab.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s: %v", labRecordings, err)
	}
	for _, file := range files {
		dir, second := filepath.Dir(file), t.TempDir()
		again := startWeir(t, "replay", "--data-dir", second, "--format", "otlp-json", dir)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			r, first := readLabRecording(t, dir), t.TempDir()
			s := replay(t, first, "otlp-json", dir)
			windows, digest := windowsOf(t, first)
			t.Run("summary", func(t *testing.T) { checkWhole(t, s, windows) })
			t.Run("counts", func(t *testing.T) { r.checkCounts(t, windows) })
			t.Run("errors", func(t *testing.T) { r.checkErrors(t, windows) })
			t.Run("again", func(t *testing.T) {
				<-again.done
				if _, other := windowsOf(t, second); other != digest {
					t.Errorf("windows of a second replay have the hash %s, those of the first %s", other, digest)
				}
			})
		})
	}
}

func readLabRecording(t *testing.T, dir string) labRecording {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	lab, err := spec.Decode(read("lab.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := labRecording{dir: dir, mesh: lab.Mesh}
	if err := json.Unmarshal(read("ledger.json"), &r.counts); err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(read("truth.jsonl"))); ; {
		var truth spec.Truth
		if err := dec.Decode(&truth); errors.Is(err, io.EOF) {
			return r
		} else if err != nil {
			t.Fatal(err)
		}
		r.faults = append(r.faults, truth.Fault)
	}
}

// windowsOf returns the windows of edges, and a hash of those and of the services' without what tells of the order in which records came.
func windowsOf(t *testing.T, dir string) ([]labWindow, string) {
	t.Helper()
	row := "SELECT formatRowNoNewline('JSONEachRow', * EXCEPT revision) FROM "
	out, _ := runWeir(t, 0, "query", "--data-dir", dir, "--log-level", "error", "-o", "TSVRaw", row+"edge_windows UNION ALL "+row+"service_windows")
	rows := slices.Sorted(strings.Lines(out))
	hash := sha256.Sum256([]byte(strings.Join(rows, "")))
	return edgesOf(t, rows), hex.EncodeToString(hash[:])
}

// checkWhole wants a summary without any loss, as a recording is made while nothing is under way at both of its ends.
func checkWhole(t *testing.T, s summary, windows []labWindow) {
	t.Helper()
	if s.SpansRead == 0 || s.SpansSent != s.SpansRead || s.SpansDuplicate != 0 || s.Orphans != 0 || s.DeadLetters != 0 {
		t.Errorf("a recording is whole, but this is what became of it: %+v", s)
	}
	calls := uint64(0)
	for _, w := range windows {
		calls += w.Calls + w.RejectedMesh
		if w.Completeness != 1 {
			t.Errorf("nothing is missing, but the completeness of %s -> %s is %g", w.From, w.To, w.Completeness)
		}
	}
	if calls == 0 || calls != uint64(s.Calls) {
		t.Errorf("edges hold %d calls, the summary says %d", calls, s.Calls)
	}
}

// edgesOf decodes the rows that have two ends.
func edgesOf(t *testing.T, rows []string) (windows []labWindow) {
	t.Helper()
	for _, row := range rows {
		if !strings.Contains(row, `"destination_workload":`) {
			continue
		}
		var w labWindow
		if err := json.Unmarshal([]byte(row), &w); err != nil {
			t.Fatal(err)
		}
		windows = append(windows, w)
	}
	return windows
}

// checkCounts judges each edge as `weir lab compare` does.
func (r labRecording) checkCounts(t *testing.T, windows []labWindow) {
	t.Helper()
	var seen []compare.Seen
	for _, w := range windows {
		seen = append(seen, w.Seen)
	}
	edges := compare.Edges(r.counts, seen, compare.Mesh{Gateway: compare.DefaultGateway, Entry: r.mesh.Entry, Services: r.mesh.Services})
	var table bytes.Buffer
	if err := compare.WriteEdges(&table, edges); err != nil {
		t.Fatal(err)
	}
	if !compare.Right(edges) {
		t.Errorf("at least one edge is wrong:\n%s", table.String())
	}
	t.Logf("%d edges:\n%s", len(edges), table.String())
}

// checkErrors wants errors of the second version of catalog where it is a bad release, and nowhere else.
func (r labRecording) checkErrors(t *testing.T, windows []labWindow) {
	t.Helper()
	_, bad := r.fault(spec.BadRelease)
	errs := uint64(0)
	for _, w := range windows {
		if w.To == "catalog" && w.Version == "v2" {
			errs += w.Errors
		}
	}
	if (errs > 0) != bad {
		t.Errorf("catalog v2 has %d errors; a bad release: %t", errs, bad)
	}
}

func (r labRecording) fault(kind spec.FaultKind) (spec.Fault, bool) {
	for _, f := range r.faults {
		if f.Kind == kind {
			return f, true
		}
	}
	return spec.Fault{}, false
}
