package service_test

import (
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

// mail is a queue that delivers to a notifier, by one worker.
func mail(t testing.TB, to spec.Service) *mesh {
	queue := plain(t, "queue", post("/messages"))
	queue.Kind, queue.Deliver, queue.Versions[0].Slots = spec.Queue, to.Name, 1
	return newMesh(t, queue, to)
}

func TestQueueDeliversInTracesOfItsOwn(t *testing.T) {
	t.Parallel()
	m := mail(t, plain(t, "notifier", post("/notify")))
	all := m.start()
	for range 3 {
		if got := all["queue"].ask(t.Context(), "POST", "/messages"); got.status != http.StatusAccepted {
			t.Errorf("got %+v", got)
		}
	}
	deliveries := m.sink.of(t, "queue", ptrace.SpanKindProducer, 3)
	brought := map[string]bool{}
	for _, s := range m.sink.of(t, "queue", ptrace.SpanKindServer, 3) {
		brought[s.TraceID().String()] = true
	}
	for _, d := range deliveries {
		if !d.ParentSpanID().IsEmpty() || d.Links().Len() != 1 || brought[d.TraceID().String()] {
			t.Fatalf("a delivery is no trace of its own, linked to one that came: %v", d.Attributes().AsRaw())
		}
		if from := d.Links().At(0).TraceID().String(); !brought[from] {
			t.Errorf("linked to %s", from)
		}
		if d.attribute("messaging.destination.name") != "queue" || d.attribute("messaging.operation.type") != "send" {
			t.Errorf("delivery %v", d.Attributes().AsRaw())
		}
	}
	for _, s := range m.sink.of(t, "notifier", ptrace.SpanKindServer, 3) {
		if brought[s.TraceID().String()] {
			t.Error("the notifier works in the trace that brought the message")
		}
	}
	m.expectLedger(ledger.Counts{
		received("", "queue", "POST /messages", ledger.OK):        3,
		attempted("queue", "notifier", "POST /notify", ledger.OK): 3, received("queue", "notifier", "POST /notify", ledger.OK): 3,
	})
}

func TestQueueTriesAgain(t *testing.T) {
	t.Parallel()
	m := mail(t, plain(t, "notifier", post("/notify")))
	all := m.start()
	all["notifier"].set(spec.Fault{Kind: spec.Errors, Size: 1})
	all["queue"].ask(t.Context(), "POST", "/messages")
	all["queue"].ask(t.Context(), "POST", "/messages")
	failures := attempted("queue", "notifier", "POST /notify", ledger.ServerError)
	eventually(t, "it fails and tries again", func() bool { return all["queue"].counts()[failures] >= 2 })
	if g := all["queue"].gauges(); g.QueueDepth != 1 {
		t.Errorf("gauges %+v", g)
	}
	all["notifier"].set()
	eventually(t, "both are delivered", func() bool {
		return all["notifier"].counts()[received("queue", "notifier", "POST /notify", ledger.OK)] == 2
	})
}

func TestQueueGrowthSlowsDeliveries(t *testing.T) {
	t.Parallel()
	m := mail(t, plain(t, "notifier", post("/notify")))
	all := m.start()
	all["queue"].set(spec.Fault{Kind: spec.QueueGrowth, Size: 200}) // of 1 ms
	for range 3 {
		all["queue"].ask(t.Context(), "POST", "/messages")
	}
	for _, d := range m.sink.of(t, "queue", ptrace.SpanKindProducer, 3) {
		if took := d.EndTimestamp().AsTime().Sub(d.StartTimestamp().AsTime()); took < 200*time.Millisecond {
			t.Errorf("a delivery took %s", took)
		}
	}
}

func TestQueueDeliversWhatItHasBeforeItStops(t *testing.T) {
	t.Parallel()
	notifier := plain(t, "notifier", post("/notify"))
	notifier.Versions[0].Work = 20 * time.Millisecond
	m := mail(t, notifier)
	all := m.start()
	for range 10 {
		all["queue"].ask(t.Context(), "POST", "/messages")
	}
	if err := all["queue"].stop(); err != nil {
		t.Fatal(err)
	}
	m.expectLedger(ledger.Counts{
		received("", "queue", "POST /messages", ledger.OK):        10,
		attempted("queue", "notifier", "POST /notify", ledger.OK): 10, received("queue", "notifier", "POST /notify", ledger.OK): 10,
	})
}

func TestQueueCountsWhatIsLost(t *testing.T) {
	t.Parallel()
	m := mail(t, plain(t, "notifier", post("/notify"))) // nobody runs it
	cfg := m.config(m.services[0])
	cfg.Finish = 300 * time.Millisecond
	queue := m.run(cfg)
	for range 5 {
		queue.ask(t.Context(), "POST", "/messages")
	}
	if err := queue.stop(); err != nil {
		t.Fatal(err)
	}
	counts, err := ledger.Read(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := counts[attempted("queue", "notifier", "POST /notify", ledger.Lost)]; n != 5 {
		t.Errorf("counted %v", counts)
	}
}
