package main_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

const aWindow = 10 * time.Second

// speaker is an instance that sends two spans a second.
type speaker struct {
	workload, instance string
	to                 string // its collector's HTTP address
	drops              bool   // it drops as many as it sends, from `since` to `until`, and counts them
}

// crowd is senders, and what they share.
type crowd struct {
	t     *testing.T
	mu    sync.Mutex // guards what follows
	all   []speaker
	spans uint64
	next  time.Time // what ended before was sent
	since time.Time // drops begin; zero = they have not
	drops float64
}

const everyTick = time.Second / 2 // a span of each

// post sends a request; a collector that is dead takes none, and the telemetry is gone.
func (c *crowd) post(to, path string, body []byte) {
	resp, err := http.Post("http://"+to+path, "application/x-protobuf", bytes.NewReader(body))
	if err == nil {
		_ = resp.Body.Close()
	}
}

func (s speaker) describe(r pcommon.Resource) {
	r.Attributes().PutStr("service.name", s.workload)
	r.Attributes().PutStr("service.instance.id", s.instance)
}

// send sends spans that ended at these times.
func (c *crowd) send(s speaker, ends ...time.Time) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	s.describe(rs.Resource())
	list := rs.ScopeSpans().AppendEmpty().Spans()
	for _, end := range ends {
		c.spans++
		var trace pcommon.TraceID
		binary.BigEndian.PutUint64(trace[:], c.spans*0x9e3779b97f4a7c15)
		span := list.AppendEmpty()
		span.SetTraceID(trace)
		span.SetSpanID(pcommon.SpanID(trace[:8]))
		span.SetKind(ptrace.SpanKindServer)
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(end.Add(-5 * time.Millisecond)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		c.t.Error(err)
	}
	c.post(s.to, "/v1/traces", body)
}

// count tells how many spans a sender has dropped so far.
func (c *crowd) count(s speaker, now time.Time) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	s.describe(rm.Resource())
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("otel.sdk.processor.span.processed")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := sum.DataPoints().AppendEmpty()
	p.Attributes().PutStr("error.type", "queue_full")
	p.SetTimestamp(pcommon.NewTimestampFromTime(now))
	p.SetDoubleValue(c.drops)
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		c.t.Error(err)
	}
	c.post(s.to, "/v1/metrics", body)
}

// tick lets everybody send what ended since the last tick: a machine that is busy elsewhere sends later, not less.
func (c *crowd) tick(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ends []time.Time
	for ; !c.next.After(now); c.next = c.next.Add(everyTick) {
		ends = append(ends, c.next)
		if !c.since.IsZero() && !c.next.Before(c.since) && c.next.Before(c.since.Add(aWindow)) {
			c.drops++
		}
	}
	for _, s := range c.all {
		c.send(s, ends...)
		if s.drops && len(ends) > 0 {
			c.count(s, ends[len(ends)-1])
		}
	}
}

// change changes the crowd between two ticks.
func (c *crowd) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// run sends what ended in the 80 s before now and then ticks until the test ends.
func (c *crowd) run() {
	c.next = time.Now().Add(-80 * time.Second).Truncate(everyTick)
	done, over := make(chan struct{}), make(chan struct{})
	c.t.Cleanup(func() { close(done); <-over })
	go func() {
		defer close(over)
		tick := time.NewTicker(everyTick)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				c.tick(now)
			case <-done:
				return
			}
		}
	}()
}

// TestMissingTelemetryIsMissed: one of three collectors dies and takes a third of cart's telemetry with it, and another workload drops half
// of its own and counts it. The windows of both say so, those of others do not, and those after it are complete.
func TestMissingTelemetryIsMissed(t *testing.T) {
	t.Parallel() // it waits, most of the time
	config := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(config, []byte("kafka: {partitions: 2, replication: 1}\nfeatures: {check_interval: 1s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broker, engine := freePort(t), freePort(t)
	startWeir(t, "broker", "--config", config, "--data-dir", t.TempDir(), "--listen", broker)
	startWeir(t, "clickhouse", "--data-dir", t.TempDir(), "--listen", engine)
	startWeir(t, "features", "--config", config, "--kafka", broker, "--clickhouse", engine)
	c := &crowd{t: t}
	var collectors []*process
	for i := range 3 {
		at := freePort(t)
		collectors = append(collectors, startWeir(t, "collector", "--config", config, "--kafka", broker, "--grpc", freePort(t), "--http", at))
		c.all = append(c.all, speaker{workload: "cart", instance: "cart-" + strconv.Itoa(i), to: at})
	}
	c.all = append(c.all, speaker{workload: "stock", instance: "stock-0", to: c.all[0].to},
		speaker{workload: "noisy", instance: "noisy-0", to: c.all[1].to, drops: true})

	ask := func(sql string) string {
		out, _ := exec.Command(weir(t), "query", "--clickhouse", engine, "-o", "TSV", sql).Output() // while stages start, nothing answers
		return strings.TrimSpace(string(out))
	}
	await(t, "heartbeats of three collectors", func() bool {
		return ask("SELECT uniqExact(instance) FROM samples WHERE workload = 'weir-collector'") == "3"
	})
	c.run()
	await(t, "what was written through three collectors", func() bool {
		return ask("SELECT uniqExact(metric) FROM samples WHERE workload = 'cart'") == "3"
	})

	begin := time.Now().Truncate(aWindow).Add(aWindow) // of the window that is harmed
	<-time.After(time.Until(begin))
	collectors[2].kill(t, false)
	c.change(func() { c.since = begin })
	<-time.After(time.Until(begin.Add(aWindow)))
	c.change(func() { c.all[2].to = c.all[0].to })

	completeness := func(start time.Time) map[string]float64 {
		out := map[string]float64{}
		sql := fmt.Sprintf("SELECT workload, completeness FROM service_windows WHERE window_start = toDateTime(%d)", start.Unix())
		for line := range strings.Lines(ask(sql)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
			out[name], _ = strconv.ParseFloat(value, 64)
		}
		return out
	}
	near := func(got, want map[string]float64) bool {
		return maps.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 0.04 })
	}
	harmed := map[string]float64{"cart": 2. / 3, "noisy": 0.5, "stock": 1}
	await(t, fmt.Sprintf("completeness of %v", harmed), func() bool { return near(completeness(begin), harmed) })

	whole := map[string]float64{"cart": 1, "noisy": 1, "stock": 1}
	await(t, "a window that is judged and whole", func() bool {
		return time.Since(begin) > 2*aWindow+7*time.Second && near(completeness(begin.Add(aWindow)), whole)
	})
	gaps := strings.Split(ask("SELECT DISTINCT scope, hop, kind FROM gaps FINAL WHERE share > 0.04 ORDER BY ALL"), "\n")
	if want := []string{"//cart\tcollector\tcollector_silent", "//noisy\tsource\tdropped_at_source"}; !slices.Equal(gaps, want) {
		t.Errorf("gaps are %q, want %q", gaps, want)
	}
}
