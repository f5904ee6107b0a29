package replay_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/ingest/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spansPerRequest is how many spans each line of the test's recordings holds: as many as a request may, so that each line is a request.
const spansPerRequest = recording.MaxItems

// record writes an OTLP recording of so many requests and opens it. Span k of the recording ends at k+1 seconds. The lines in bad are
// not readable, and come before the request with that number.
func record(t *testing.T, requests int, bad ...int) *recording.Recording {
	t.Helper()
	var out strings.Builder
	marshal := ptrace.JSONMarshaler{}
	for i := range requests {
		if slices.Contains(bad, i) {
			out.WriteString("{\"resourceSpans\": nonsense\n")
		}
		traces := ptrace.NewTraces()
		spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for k := range spansPerRequest {
			s := spans.AppendEmpty()
			s.SetTraceID(pcommon.TraceID{1, byte(i), byte(i >> 8)})
			s.SetSpanID(pcommon.SpanID{1, byte(k), byte(k >> 8)})
			s.SetEndTimestamp(pcommon.Timestamp(int64(i*spansPerRequest+k+1) * int64(time.Second)))
		}
		line, err := marshal.MarshalTraces(traces)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	file := filepath.Join(t.TempDir(), "traces.json")
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := recording.Open(file, recording.OTLPJSON)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// config returns a Config that sends, saves and reports nowhere.
func config() replay.Config {
	return replay.Config{
		Senders: 1, Now: time.Now,
		Send: func(context.Context, recording.Request) error { return nil },
		Bad:  func(context.Context, recording.BadRow) error { return nil },
		Save: func(replay.Progress) error { return nil },
	}
}

func TestEveryRequestIsSentOnceInOrder(t *testing.T) {
	var sent []int
	cfg := config()
	cfg.Send = func(_ context.Context, r recording.Request) error { sent = append(sent, r.Index); return nil }
	p, err := replay.Run(t.Context(), record(t, 5), replay.Progress{Path: "kept"}, cfg)
	if err != nil || !slices.Equal(sent, []int{0, 1, 2, 3, 4}) {
		t.Errorf("sent %v, error %v", sent, err)
	}
	want := replay.Progress{Path: "kept", Requests: 5, SpansSent: 5000, FirstEvent: int64(time.Second), LastEvent: 5000 * int64(time.Second)}
	if p != want {
		t.Errorf("progress %+v, want %+v", p, want)
	}
}

func TestAcknowledgementsOutOfOrderMakeProgressWithoutGaps(t *testing.T) {
	const requests = 6
	r := record(t, requests)
	synctest.Test(t, func(t *testing.T) {
		acknowledge := map[int]chan struct{}{}
		for i := range requests {
			acknowledge[i] = make(chan struct{})
		}
		saved, saves := 0, 0
		cfg := config()
		cfg.Senders = requests
		cfg.Send = func(_ context.Context, r recording.Request) error { <-acknowledge[r.Index]; return nil }
		cfg.Save = func(p replay.Progress) error { saved, saves = p.Requests, saves+1; return nil }
		done := make(chan error, 1)
		go func() {
			_, err := replay.Run(t.Context(), r, replay.Progress{}, cfg)
			done <- err
		}()
		// Each step acknowledges a request; what is saved is how many lie below the first gap.
		for _, step := range []struct{ ack, saved int }{{0, 1}, {2, 1}, {4, 1}, {1, 3}, {5, 3}, {3, 6}} {
			synctest.Wait()
			close(acknowledge[step.ack])
			synctest.Wait()
			if saved != step.saved {
				t.Errorf("after request %d: saved %d, want %d", step.ack, saved, step.saved)
			}
		}
		if err := <-done; err != nil || saves != 3 {
			t.Errorf("%d saves, error %v", saves, err)
		}
	})
}

func TestWhatWasSavedBeforeAFailureIsWhatResumeSkips(t *testing.T) {
	const requests = 40
	r, away := record(t, requests), errors.New("away")
	var acknowledged sync.Map
	var at replay.Progress
	for rounds := 0; at.Requests < requests; rounds++ {
		if rounds == requests {
			t.Fatalf("no progress beyond %+v", at)
		}
		var left atomic.Int64
		left.Store(7)
		saved := at
		cfg := config()
		cfg.Senders = 3
		cfg.Send = func(_ context.Context, r recording.Request) error {
			if r.Index < at.Requests {
				t.Errorf("request %d is sent again, %d were saved", r.Index, at.Requests)
			}
			if left.Add(-1) < 0 {
				return away
			}
			acknowledged.Store(r.Index, true)
			return nil
		}
		cfg.Save = func(p replay.Progress) error { saved = p; return nil }
		p, err := replay.Run(t.Context(), r, at, cfg)
		if p != saved || p.Requests < requests && !errors.Is(err, away) {
			t.Fatalf("progress %+v, saved %+v, error %v", p, saved, err)
		}
		at = saved
		for i := range at.Requests {
			if _, ok := acknowledged.Load(i); !ok {
				t.Fatalf("progress is %d, but request %d was never acknowledged", at.Requests, i)
			}
		}
	}
	if at.SpansSent != 40_000 || at.FirstEvent != int64(time.Second) || at.LastEvent != 40_000*int64(time.Second) {
		t.Errorf("progress %+v", at)
	}
}

func TestAFailingSaveStopsTheReplay(t *testing.T) {
	full := errors.New("disk full")
	cfg := config()
	cfg.Save = func(replay.Progress) error { return full }
	if _, err := replay.Run(t.Context(), record(t, 3), replay.Progress{}, cfg); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}

func TestBadRowsAreReportedAndCounted(t *testing.T) {
	r := record(t, 6, 0, 3, 5)
	var lines []int
	cfg := config()
	cfg.Bad = func(_ context.Context, row recording.BadRow) error { lines = append(lines, row.Line); return nil }
	p, err := replay.Run(t.Context(), r, replay.Progress{}, cfg)
	if err != nil || p.BadRows != 3 || p.Requests != 6 || !slices.Equal(lines, []int{1, 5, 8}) {
		t.Errorf("bad lines %v, progress %+v, error %v", lines, p, err)
	}
	stop := errors.New("dead letter is away")
	cfg.Bad = func(context.Context, recording.BadRow) error { return stop }
	if _, err := replay.Run(t.Context(), r, replay.Progress{}, cfg); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
}

func TestTheRateIsKept(t *testing.T) {
	for _, c := range []struct {
		rate float64
		want time.Duration // from the first to the last request
	}{{0, 0}, {1000, 19 * time.Second}, {100_000, 190 * time.Millisecond}} {
		t.Run(fmt.Sprint(c.rate), func(t *testing.T) {
			r := record(t, 20)
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				cfg := config()
				cfg.Rate = c.rate
				cfg.Send = func(context.Context, recording.Request) error { at = append(at, time.Now()); return nil }
				if _, err := replay.Run(t.Context(), r, replay.Progress{}, cfg); err != nil {
					t.Fatal(err)
				}
				if took := at[len(at)-1].Sub(at[0]); took != c.want {
					t.Errorf("took %v, want %v", took, c.want)
				}
			})
		})
	}
}

func TestACollectorThatWasSlowIsCaughtUpWith(t *testing.T) {
	r := record(t, 20)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		cfg := config()
		cfg.Rate = 1000
		cfg.Send = func(ctx context.Context, r recording.Request) error {
			if r.Index == 3 {
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		if _, err := replay.Run(t.Context(), r, replay.Progress{}, cfg); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 19*time.Second {
			t.Errorf("took %v, want 19s as if nothing had been slow", took)
		}
	})
}

func TestAReplayThatWaitsCanBeStopped(t *testing.T) {
	r := record(t, 3)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		cfg := config()
		cfg.Rate = 0.1
		p, err := replay.Run(ctx, r, replay.Progress{}, cfg)
		if !errors.Is(err, context.DeadlineExceeded) || p.Requests != 1 {
			t.Errorf("progress %+v, error %v", p, err)
		}
	})
}

func TestProgressFile(t *testing.T) {
	file := replay.File(t.TempDir(), "digest")
	if _, found, err := replay.Load(file); found || err != nil {
		t.Fatalf("before the first save: found %t, error %v", found, err)
	}
	want := replay.Progress{
		Path: "/r", Format: "nezha", Started: time.Unix(100, 0).UTC(), Requests: 3, SpansSent: 30, ItemsSent: 4, BadRows: 1, FirstEvent: 5, LastEvent: 9,
		Baseline: replay.Totals{Spans: 1, Duplicates: 2, Orphans: 3, Calls: 4, Windows: 5, DeadLetters: 6},
	}
	for range 2 {
		if err := want.Save(file); err != nil {
			t.Fatal(err)
		}
		got, found, err := replay.Load(file)
		if !found || err != nil || got != want {
			t.Errorf("loaded %+v, found %t, error %v", got, found, err)
		}
		want.Requests, want.Finished = 4, time.Unix(200, 0).UTC()
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, error %v", entries, err)
	}
}

func TestASaveThatFailsLeavesTheFileAsItWas(t *testing.T) {
	file := replay.File(t.TempDir(), "digest")
	if err := (replay.Progress{Requests: 1}).Save(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file+".new", 0o700); err != nil { // in the way of the new file
		t.Fatal(err)
	}
	if err := (replay.Progress{Requests: 2}).Save(file); err == nil {
		t.Error("no error")
	}
	if p, _, err := replay.Load(file); err != nil || p.Requests != 1 {
		t.Errorf("loaded %+v, error %v", p, err)
	}
}

func TestLoadTellsWhichFileIsBroken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := replay.Load(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one that names %s", err, file)
	}
}

// collector is a server that answers with the given errors, one for each request, and then takes everything.
type collector struct {
	ptraceotlp.UnimplementedGRPCServer
	mu      sync.Mutex // guards the rest
	answers []error
	took    map[string]int // requests and items, by signal
}

func (c *collector) take(signal string, items int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took[signal+" requests"]++
	if len(c.answers) > 0 {
		err := c.answers[0]
		c.answers = c.answers[1:]
		return err
	}
	c.took[signal] += items
	return nil
}

func (c *collector) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	return ptraceotlp.NewExportResponse(), c.take("spans", r.Traces().SpanCount())
}

type metricsOf struct {
	pmetricotlp.UnimplementedGRPCServer
	*collector
}

func (c *metricsOf) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	return pmetricotlp.NewExportResponse(), c.take("points", r.Metrics().DataPointCount())
}

type logsOf struct {
	plogotlp.UnimplementedGRPCServer
	*collector
}

func (c *logsOf) Export(_ context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	return plogotlp.NewExportResponse(), c.take("records", r.Logs().LogRecordCount())
}

// serve starts a collector that answers so, and returns a client of it.
func serve(t *testing.T, answers ...error) (*collector, *replay.Client) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, server := &collector{answers: answers, took: map[string]int{}}, grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(server, c)
	pmetricotlp.RegisterGRPCServer(server, &metricsOf{collector: c})
	plogotlp.RegisterGRPCServer(server, &logsOf{collector: c})
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	client, err := replay.Dial(listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, client
}

func traces() recording.Request {
	r := recording.Request{Index: 7, File: "f", Line: 9, Signal: recording.Traces, Traces: ptrace.NewTraces()}
	r.Traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	return r
}

func TestSendTriesAgainOnErrorsThatPassAndOnlyThen(t *testing.T) {
	for code, again := range map[codes.Code]bool{
		codes.Unavailable: true, codes.ResourceExhausted: true, codes.DeadlineExceeded: true, codes.Aborted: true,
		codes.InvalidArgument: false, codes.Unimplemented: false, codes.PermissionDenied: false, codes.Internal: false, codes.Unknown: false,
	} {
		t.Run(code.String(), func(t *testing.T) {
			c, client := serve(t, status.Error(code, "no"))
			err := client.Send(t.Context(), traces())
			want := map[string]int{"spans requests": 1}
			if again {
				want = map[string]int{"spans requests": 2, "spans": 1}
			}
			if (err == nil) != again || !maps.Equal(c.took, want) {
				t.Errorf("error %v, took %v, want %v", err, c.took, want)
			}
			if err != nil && !strings.Contains(err.Error(), "send request 7 (f line 9)") {
				t.Errorf("error %v does not say which request", err)
			}
		})
	}
}

func TestSendGivesUpWithItsContext(t *testing.T) {
	_, client := serve(t, slices.Repeat([]error{status.Error(codes.Unavailable, "away")}, 1000)...)
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	if err := client.Send(ctx, traces()); err == nil {
		t.Error("no error")
	}
}

func TestEverySignalIsSentToItsService(t *testing.T) {
	c, client := serve(t)
	points := recording.Request{Signal: recording.Metrics, Metrics: pmetric.NewMetrics()}
	points.Metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	records := recording.Request{Signal: recording.Logs, Logs: plog.NewLogs()}
	records.Logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	for _, r := range []recording.Request{traces(), points, records} {
		if err := client.Send(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	want := map[string]int{"spans": 1, "spans requests": 1, "points": 1, "points requests": 1, "records": 1, "records requests": 1}
	if !maps.Equal(c.took, want) {
		t.Errorf("took %v, want %v", c.took, want)
	}
}
