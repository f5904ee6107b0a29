package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/internal/lock"
)

// report is what `weir status -o json` says of the second half of the loop.
type report struct {
	Time   time.Time `json:"time"`
	Store  struct{ Calls uint64 }
	Ingest struct {
		LastData time.Time `json:"last_data"`
		Messages int64
	}
	Features struct {
		Watermark time.Time
		LastData  time.Time `json:"last_data"`
		Lag       int64
	}
	Forecast *decided `json:"forecast"`
	Detect   *decided `json:"detect"`
	Actuator *decided `json:"actuator"`
	Quiet    []string `json:"quiet"`
}

type decided struct {
	LastData       time.Time `json:"last_data"`
	DecidedUpTo    time.Time `json:"decided_up_to"`
	BehindSeconds  *int64    `json:"behind_seconds"`
	LiveProposals  int       `json:"live_proposals"`
	FiringFindings int       `json:"firing_findings"`
	OpenDecisions  int       `json:"open_decisions"`
	WaitingSince   time.Time `json:"waiting_since"`
}

func statusOf(t *testing.T, code int, args ...string) (r report) {
	t.Helper()
	out, _ := runWeir(t, code, append([]string{"status", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("status %q: %v", out, err)
	}
	return r
}

// names reports whether the list of what is quiet has a line with this text.
func (r report) names(text string) bool {
	return slices.ContainsFunc(r.Quiet, func(line string) bool { return strings.Contains(line, text) })
}

// runSQL runs a statement that changes something, which `weir query` does not do on every server.
func runSQL(t *testing.T, at lock.Addresses, format string, args ...any) {
	t.Helper()
	sql := fmt.Sprintf(format, args...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.ClickHouse+"/?database=weir", strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", sql, text)
	}
}

// TestStatusOfTheLoop shows what status says of the stages behind the windows: in an empty data directory, when all is decided, when one of
// them has fallen behind, and on a schema from before there were decisions.
func TestStatusOfTheLoop(t *testing.T) {
	dir := t.TempDir()
	startWeir(t, "up", "--data-dir", dir, "--grpc", freePort(t), "--http", freePort(t))
	at := running(t, dir)
	args := []string{"--data-dir", dir}

	empty := statusOf(t, 0, args...)
	for name, d := range map[string]*decided{"forecast": empty.Forecast, "detect": empty.Detect, "actuator": empty.Actuator} {
		if d == nil || !d.DecidedUpTo.IsZero() || d.BehindSeconds != nil || empty.names(name) {
			t.Errorf("before there is data, %s is %+v, quiet %q", name, d, empty.Quiet)
		}
	}

	t.Run("heartbeats", func(t *testing.T) { checkStatusHeartbeats(t, args) })
	runWeir(t, 0, "sim", "run", "--preset", "single", "--length", "1h", "--data-dir", dir)
	all := statusOf(t, 0, args...)
	for name, d := range map[string]*decided{"forecast": all.Forecast, "detect": all.Detect, "actuator": all.Actuator} {
		if d == nil || d.BehindSeconds == nil || *d.BehindSeconds != 0 || d.DecidedUpTo.IsZero() || d.DecidedUpTo.After(all.Features.Watermark) || all.names(name) {
			t.Errorf("when all is decided, %s is %+v, quiet %q", name, d, all.Quiet)
		}
	}
	if all.Actuator.OpenDecisions != 0 || all.Actuator.LastData.IsZero() {
		t.Errorf("when all is decided, the actuator is %+v", all.Actuator)
	}

	closed := all.Forecast.DecidedUpTo
	t.Run("metrics", func(t *testing.T) { checkMetricsAreExplained(t, at) })
	t.Run("rules", func(t *testing.T) { checkRulesNameMetrics(t, at) })
	t.Run("counts", func(t *testing.T) { checkStatusCounts(t, at, args, all) })
	t.Run("waiting", func(t *testing.T) { checkStatusWaiting(t, at, args, all) })
	t.Run("behind", func(t *testing.T) { checkStatusBehind(t, at, args, closed) })
	t.Run("now", func(t *testing.T) { checkStatusNow(t, at, args, dir) })
	t.Run("old schema", func(t *testing.T) { checkStatusOld(t, at, args) })
}

// checkStatusHeartbeats waits until the collector has spoken of itself, which is no data.
func checkStatusHeartbeats(t *testing.T, args []string) {
	var s report
	await(t, "the collector speaks of itself", func() bool {
		s = statusOf(t, 0, args...)
		return s.Ingest.Messages > 0 && s.Features.Lag == 0
	})
	if !s.Ingest.LastData.IsZero() || !s.Features.LastData.IsZero() || !s.names("no data yet at hop ingest") || !s.names("no data yet at hop features") {
		t.Errorf("with heartbeats alone, ingest is %+v, features %+v, quiet %q", s.Ingest, s.Features, s.Quiet)
	}
}

// checkMetricsAreExplained compares what a Weir exports with the table that operators read.
func checkMetricsAreExplained(t *testing.T, at lock.Addresses) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + at.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(text)) {
		name, ok := strings.CutPrefix(line, "# TYPE ")
		name, _, _ = strings.Cut(name, " ")
		if !ok || !strings.HasPrefix(name, "weir_") {
			continue
		}
		seen++
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/operations.md does not say what %s means", name)
		}
	}
	if seen < 20 {
		t.Errorf("%d metrics of its own, want those of every stage", seen)
	}
}

// checkStatusCounts adds a finding, proposals and a decision that the actuator never sees.
func checkStatusCounts(t *testing.T, at lock.Addresses, args []string, before report) {
	end := before.Forecast.DecidedUpTo.UnixMilli()
	finding := "INSERT INTO finding_rows (finding_id, revision, kind, state, started_at, workload) VALUES "
	runSQL(t, at, finding+"('f-1', 1, 'errors', 'firing', %d, 'cart'), ('f-2', 1, 'errors', 'firing', %[1]d, 'cart'), ('f-2', 2, 'errors', 'resolved', %[1]d, 'cart')", end)
	decision := "INSERT INTO decision_rows (decision_id, kind, verdict, made_at, valid_until, workload, stored) VALUES "
	for _, row := range []struct {
		id, kind, verdict, workload string
		valid                       time.Duration // beyond what is decided
	}{
		{"d-1", "scale", "propose", "cart", time.Minute},
		{"d-2", "scale", "propose", "cart", 5 * time.Minute}, // renewed
		{"d-3", "scale", "propose", "front", time.Minute},
		{"d-4", "scale", "propose", "mail", 0}, // over
		{"d-5", "scale", "decline", "mail", time.Hour},
		{"d-6", "shift", "propose", "cart", time.Minute},
	} {
		runSQL(t, at, decision+"('%s', '%s', '%s', %d, %d, '%s', now() - 10)", row.id, row.kind, row.verdict, end-60_000, end+row.valid.Milliseconds(), row.workload)
	}
	after := statusOf(t, 0, args...)
	added := func(of func(report) *decided, count func(*decided) int) int {
		return count(of(after)) - count(of(before))
	}
	forecast, detect := func(r report) *decided { return r.Forecast }, func(r report) *decided { return r.Detect }
	live := func(d *decided) int { return d.LiveProposals }
	if n := added(forecast, live); n != 2 {
		t.Errorf("%d live proposals of forecast more, want 2: one renewed, one other", n)
	}
	if n := added(detect, live); n != 1 {
		t.Errorf("%d live proposals of detect more, want 1", n)
	}
	if n := added(detect, func(d *decided) int { return d.FiringFindings }); n != 1 {
		t.Errorf("%d firing findings more, want 1: the other is resolved", n)
	}
	if after.Actuator.OpenDecisions != 6 {
		t.Errorf("the actuator is %+v, want 6 decisions without an outcome", after.Actuator)
	}
	if after.names("actuator") {
		t.Errorf("decisions of 10 s ago are not late, quiet is %q", after.Quiet)
	}
}

// checkStatusWaiting takes all outcomes away, as if the actuator had never answered.
func checkStatusWaiting(t *testing.T, at lock.Addresses, args []string, before report) {
	runSQL(t, at, "TRUNCATE TABLE outcome_rows")
	made := before.Actuator.DecidedUpTo.Add(-2 * time.Hour)
	runSQL(t, at, "INSERT INTO decision_rows (decision_id, made_at, stored) VALUES ('d-7', '%s', now() - 60)", made.Format(time.DateTime))
	none := statusOf(t, 0, args...)
	if a := none.Actuator; !none.names("at hop actuator") || !a.LastData.IsZero() || none.Time.Sub(a.WaitingSince) < time.Minute {
		t.Errorf("without an outcome for a minute, the actuator is %+v, quiet %q", a, none.Quiet)
	}
	if a := none.Actuator; !a.DecidedUpTo.Equal(made) || a.BehindSeconds == nil || *a.BehindSeconds != 7200 {
		t.Errorf("the actuator is %+v, want 2 h behind", a)
	}
	// Times of storing are whole seconds, and the run may have stored decisions in this one.
	runSQL(t, at, "INSERT INTO outcome_rows (decision_id, stage, by, stored) VALUES ('d-1', 'reported', 'actuator', now() + 2)")
	some := statusOf(t, 0, args...)
	if a := some.Actuator; some.names("at hop actuator") || a.OpenDecisions != none.Actuator.OpenDecisions-1 || a.DecidedUpTo != before.Actuator.DecidedUpTo {
		t.Errorf("with an outcome just now, the actuator is %+v, quiet %q", a, some.Quiet)
	}
}

// checkStatusBehind sets the position of one shard back.
func checkStatusBehind(t *testing.T, at lock.Addresses, args []string, closed time.Time) {
	for _, c := range []struct {
		stage         string
		behind, still time.Duration
		says          string // "" = nothing
	}{
		{"forecast", 14 * time.Minute, 0, ""},
		{"forecast", 20 * time.Minute, 0, "forecast is 20 min of event time behind the closed windows"},
		{"forecast", 4 * time.Minute, time.Minute, ""},
		{"forecast", 6 * time.Minute, time.Minute, "forecast is 6 min of event time behind the closed windows"},
		{"detect", 90 * time.Minute, 0, "detect is 1 h 30 min of event time behind the closed windows"},
	} {
		setPosition(t, at, c.stage, closed.Add(-c.behind), c.still)
		s := statusOf(t, 0, args...)
		d := map[string]*decided{"forecast": s.Forecast, "detect": s.Detect}[c.stage]
		if d.BehindSeconds == nil || *d.BehindSeconds != int64(c.behind/time.Second) {
			t.Errorf("%s is %+v, want %s behind", c.stage, d, c.behind)
		}
		if s.names(c.stage) != (c.says != "") || c.says != "" && !s.names(c.says) {
			t.Errorf("%s is %s behind and has not moved for %s: quiet is %q, want %q", c.stage, c.behind, c.still, s.Quiet, c.says)
		}
	}
	runSQL(t, at, "ALTER TABLE positions DELETE WHERE stage = 'detect' SETTINGS mutations_sync = 1")
	if s := statusOf(t, 0, args...); !s.names("detect has not decided yet about 1 h of closed windows") {
		t.Errorf("without a position, detect is %+v, quiet %q", s.Detect, s.Quiet)
	}
	setPosition(t, at, "detect", closed, 0)
}

// setPosition says that a stage has come to a time, one of its shards at least.
func setPosition(t *testing.T, at lock.Addresses, stage string, decided time.Time, still time.Duration) {
	t.Helper()
	runSQL(t, at, "ALTER TABLE positions DELETE WHERE stage = '%s' SETTINGS mutations_sync = 1", stage)
	runSQL(t, at, "INSERT INTO positions (stage, shard, at, stored) VALUES ('%s', 0, '%s', now() - %d), ('%[1]s', 1, '%[4]s', now() - %[3]d)",
		stage, decided.Format(time.DateTime), int(still.Seconds()), decided.Add(time.Hour).Format(time.DateTime))
}

// checkStatusNow sends windows of the present, where less is late.
func checkStatusNow(t *testing.T, at lock.Addresses, args []string, dir string) {
	runSQL(t, at, "TRUNCATE TABLE decision_rows") // the run waits until every decision has its outcome
	start := time.Now().Add(-6 * time.Minute).UTC().Truncate(time.Minute)
	runWeir(t, 0, "sim", "run", "--preset", "single", "--length", "5m", "--start", start.Format(time.RFC3339), "--data-dir", dir)
	closed := start.Add(5 * time.Minute)
	if s := statusOf(t, 0, args...); s.names("forecast") || s.names("detect") || *s.Forecast.BehindSeconds != 0 {
		t.Errorf("when all is decided, forecast is %+v, quiet %q", s.Forecast, s.Quiet)
	}
	setPosition(t, at, "forecast", closed.Add(-3*time.Minute), 0)
	if s := statusOf(t, 0, args...); !s.names("forecast is 3 min of event time behind") {
		t.Errorf("forecast is %+v, quiet %q", s.Forecast, s.Quiet)
	}
}

// checkStatusOld takes the tables of the second half away, one and then all.
func checkStatusOld(t *testing.T, at lock.Addresses, args []string) {
	runSQL(t, at, "CREATE OR REPLACE VIEW findings AS SELECT 1 AS other")
	broken := statusOf(t, 1, args...)
	if broken.Detect != nil || broken.Forecast == nil || broken.Actuator == nil || broken.Store.Calls == 0 {
		t.Errorf("with findings that cannot be read, status is %+v", broken)
	}
	for _, table := range []string{"positions", "decisions", "outcomes"} {
		runSQL(t, at, "DROP TABLE %s SYNC", table)
	}
	s := statusOf(t, 0, args...)
	if s.Forecast != nil || s.Detect != nil || s.Actuator != nil || s.Store.Calls == 0 {
		t.Errorf("on an old schema, status is %+v", s)
	}
	if out, _ := runWeir(t, 0, append([]string{"status"}, args...)...); strings.Contains(out, "actuator") {
		t.Errorf("on an old schema, status says\n%s", out)
	}
}
