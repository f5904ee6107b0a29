package actuator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/actuator"
	"github.com/weirmesh/weir/actuator/istio"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// TestNoEffect: what must not count does not. Every log also holds a good decision, which has its outcome whatever surrounds it.
func TestNoEffect(t *testing.T) {
	good := decision(schemas.Scale, "pay@v1", 0, 3, 6)
	cart := decision(schemas.Scale, "cart@v1", 0, 3, 6)
	change := func(m ingest.Message, c func(*ingest.Message)) ingest.Message { c(&m); return m }
	for _, tt := range []struct {
		name     string
		messages []ingest.Message
		outcome  string // of cart
		dead     string // what the dead letter says
	}{
		{name: "no signature", messages: []ingest.Message{change(signed(t, cart), func(m *ingest.Message) { m.Headers = nil })}, dead: "not that of a trusted key"},
		{name: "somebody else's signature", dead: "not that of a trusted key", messages: []ingest.Message{
			change(signed(t, cart), func(m *ingest.Message) { m.Headers = []wire.Header{{Key: "signature", Value: "bad"}} }),
		}},
		{name: "no decision", dead: "unexpected end", messages: []ingest.Message{change(signed(t, cart), func(m *ingest.Message) { m.Value = nil })}},
		{name: "another content than its id says", dead: "its id is", messages: []ingest.Message{
			change(signed(t, cart), func(m *ingest.Message) {
				m.Value = []byte(strings.Replace(string(m.Value), `"Proposed":6`, `"Proposed":60`, 1))
			}),
		}},
		{name: "the last replica", dead: "it would take the last replica", messages: []ingest.Message{signed(t, decision(schemas.Scale, "cart@v1", 0, 3, 0))}},
		{name: "a watermark without a time", dead: "has no weir-event-time", messages: []ingest.Message{
			change(watermark("detect", 0), func(m *ingest.Message) { m.Headers = m.Headers[:2] }),
		}},
		{name: "another control message", messages: []ingest.Message{{Headers: []wire.Header{{Key: wire.HeaderControl, Value: "dance"}}}}},
		{name: "an expired one", messages: []ingest.Message{signed(t, decision(schemas.Scale, "cart@v1", -20, 3, 6))}},
		{name: "a duplicate", messages: []ingest.Message{signed(t, cart), signed(t, cart), signed(t, cart)}, outcome: "reported dry_run"},
		{name: "a duplicate that says it is of the past", messages: []ingest.Message{
			signed(t, cart), signed(t, decision(schemas.Scale, "cart@v1", 0, 3, 6, past)), watermark("forecast", 5), watermark("detect", 5),
		}, outcome: "reported dry_run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(append(tt.messages, signed(t, good))...)
			w.finish(t, 0)
			if got := w.stages(cart, good); got[0] != tt.outcome || got[1] != "reported dry_run" {
				t.Errorf("outcomes %q", got)
			}
			for id, n := range w.published {
				if n != 1 {
					t.Errorf("the outcome of %s was published %d times", id, n)
				}
			}
			if tt.dead == "" && len(w.dead) > 0 || tt.dead != "" && !strings.Contains(fmt.Sprint(w.dead[0]), tt.dead) {
				t.Errorf("dead letters %v, want %q", w.dead, tt.dead)
			}
			if w.position.Durable != int64(len(w.log)) {
				t.Errorf("committed %+v of %d", w.position, len(w.log))
			}
		})
	}
}

func TestLiveDecisionsAreJudgedByTheClock(t *testing.T) {
	d := decision(schemas.Scale, "cart@v1", 0, 3, 6)
	for clock, want := range map[int]string{0: "reported dry_run", 9: "reported dry_run", 10: "expired expired", -5: "refused clock"} {
		w := newWorld(signed(t, d))
		w.finish(t, clock)
		if got := w.stages(d); got[0] != want || w.only(t).At != at(clock) {
			t.Errorf("at %d: %q at %v", clock, got, w.only(t).At)
		}
	}
}

// TestThePastIsJudgedByEventTime: a replay is years behind the clock and far faster, and refuses nothing for that. A decision waits until
// all stages have come to its time, so that one that was made earlier but comes later counts.
func TestThePastIsJudgedByEventTime(t *testing.T) {
	const years = 2_000_000
	in := decision(schemas.Scale, "cart@v1", 5, 3, 2, past)
	early := decision(schemas.Scale, "cart@v1", 1, 3, 2, past)
	off := decision(schemas.Shift, "cart@v2", 4, 50, 0, past)
	later := decision(schemas.Scale, "cart@v1", 60, 3, 6, past)
	messages := []ingest.Message{
		signed(t, early), signed(t, in), signed(t, later), watermark("forecast", 70), // forecast is ahead
		watermark("other", 0), signed(t, off), watermark("detect", 30),
	}
	w := newWorld(messages...)
	w.finish(t, years)
	want := []string{"reported replay", "superseded no_reduction_during_shift", "reported replay", ""}
	if got := w.stages(early, in, off, later); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, o := range w.outcomes {
		if o.DecisionID == in.ID && o.At != at(5) {
			t.Errorf("settled at %v, want the time at which it was made", o.At)
		}
	}
	if w.position.Restart != 0 || w.position.Durable != 2 {
		t.Errorf("committed %+v: offset 2 still waits, and 0 was live at the time that comes next", w.position)
	}
	w = newWorld(append(messages, watermark("detect", 130), watermark("forecast", 130))...)
	w.finish(t, years)
	if got := w.stages(later); got[0] != "reported replay" {
		t.Errorf("at the end: %q", got)
	}
}

// TestStalledStage: when a stage says nothing, no more than so many decisions wait for it.
func TestStalledStage(t *testing.T) {
	var messages []ingest.Message
	for i := range 20 {
		messages = append(messages, signed(t, decision(schemas.Scale, "cart@v1", i, 3, 6, past)), watermark("forecast", i))
	}
	w := newWorld(messages...)
	w.finish(t, 0, func(cfg *actuator.Config, _ *actuator.Parts) { cfg.MaxWaiting = 5 })
	if len(w.outcomes) != 15 {
		t.Errorf("%d of 20 were settled, want all but 5", len(w.outcomes))
	}
}

// history is a log as the deciding stages write it: each in its own time, decisions before the watermark that covers them.
type history struct {
	forecast, detect [][]ingest.Message // one chunk for each step of event time, in order
}

func newHistory(t testing.TB, r *rand.Rand, minutes int) history {
	var h history
	for m := 1; m <= minutes; m += 1 + r.IntN(3) {
		var f, d []ingest.Message
		for range r.IntN(3) {
			target := fmt.Sprintf("w%d@v%d", r.IntN(2), 1+r.IntN(2))
			f = append(f, signed(t, decision(schemas.Scale, target, m, 5, float64(1+r.IntN(9)), past)))
		}
		if r.IntN(4) == 0 {
			d = append(d, signed(t, decision(schemas.Shift, fmt.Sprintf("w%d@v2", r.IntN(2)), m, 50, float64(r.IntN(50)), past)))
		}
		h.forecast, h.detect = append(h.forecast, append(f, watermark("forecast", m))), append(h.detect, append(d, watermark("detect", m)))
	}
	return h
}

// mix brings the stages' messages into one order, with decisions about the present, duplicates and forged ones in between.
func (h history) mix(t testing.TB, r *rand.Rand, extra bool) []ingest.Message {
	var out []ingest.Message
	f, d := h.forecast, h.detect
	for len(f)+len(d) > 0 {
		if len(d) == 0 || len(f) > 0 && r.IntN(2) == 0 {
			out, f = append(out, f[0]...), f[1:]
		} else {
			out, d = append(out, d[0]...), d[1:]
		}
		if !extra {
			continue
		}
		switch r.IntN(4) {
		case 0:
			out = append(out, signed(t, decision(schemas.Scale, fmt.Sprintf("w%d@v1", r.IntN(3)), -r.IntN(12), 5, float64(1+r.IntN(9)))))
		case 1:
			out = append(out, out[r.IntN(len(out))])
		case 2:
			out = append(out, ingest.Message{Value: []byte("forged")})
		}
	}
	return out
}

// TestSpeedOfStagesDoesNotMatter: whichever stage is ahead of the other, the past has the same outcomes.
func TestSpeedOfStagesDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 10 {
		h := newHistory(t, r, 40)
		first := newWorld(h.mix(t, r, false)...)
		first.finish(t, 0)
		for range 5 {
			w := newWorld(h.mix(t, r, false)...)
			w.finish(t, 0)
			same(t, w, first)
		}
	}
}

func same(t testing.TB, got, want *world) {
	t.Helper()
	for key, o := range want.outcomes {
		if got.outcomes[key] != o {
			t.Fatalf("outcome %s:\n got %+v\nwant %+v", key, got.outcomes[key], o)
		}
	}
	if len(got.outcomes) != len(want.outcomes) {
		t.Fatalf("%d outcomes, want %d", len(got.outcomes), len(want.outcomes))
	}
}

// TestKilledAnywhere kills the worker before or after each thing it does that others can see, and its successors too. The outcomes
// are those of a worker that nobody kills, all are published, and all dead letters are kept. Without knowing what is published it only
// tells again.
func TestKilledAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	checks, err := istio.New()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		messages := newHistory(t, r, 30).mix(t, r, true)
		every := int64(2 + r.IntN(6))
		fresh := func() *world {
			w := newWorld(messages...)
			w.checks = checks
			w.flushAt = func(offset int64) bool { return offset%every == 0 }
			return w
		}
		calm := fresh()
		calm.finish(t, 0)
		for _, forgetful := range []bool{false, true} {
			for killAt := 1; killAt <= calm.steps; killAt++ {
				for _, late := range []bool{false, true} {
					w := fresh()
					w.killAt, w.late = []int{killAt, killAt + 1 + r.IntN(4), killAt + 5 + r.IntN(9)}, late
					w.finish(t, 0, func(_ *actuator.Config, p *actuator.Parts) {
						if forgetful {
							p.Published = nil
						}
					})
					same(t, w, calm)
					told(t, w, calm, forgetful)
				}
			}
		}
	}
}

// TestStartedAnewAtEveryMessage lets a worker read one message and then another worker go on. The outcomes are those of one worker that
// reads them all, and each is published once.
func TestStartedAnewAtEveryMessage(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	checks, err := istio.New()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		calm := newWorld(newHistory(t, r, 30).mix(t, r, true)...)
		w := newWorld()
		calm.checks, w.checks = checks, checks
		w.flushAt = func(int64) bool { return true }
		calm.finish(t, 0)
		for _, m := range calm.log {
			w.log = append(w.log, m)
			w.finish(t, 0)
		}
		same(t, w, calm)
		told(t, w, calm, false)
	}
}

// TestLastWordsAreKnownAfterARestart: a stage that has said how far it is need not say it again to a later worker.
func TestLastWordsAreKnownAfterARestart(t *testing.T) {
	d := decision(schemas.Scale, "cart@v1", 20, 3, 6, past)
	messages := []ingest.Message{watermark("forecast", 70), watermark("detect", 10), signed(t, d), watermark("detect", 30)}
	w := newWorld(messages[:3]...)
	w.finish(t, 0)
	if len(w.outcomes) != 0 {
		t.Fatalf("outcomes %v before its time", w.outcomes)
	}
	w.log = newWorld(messages...).log
	w.finish(t, 0)
	if got := w.stages(d); got[0] != "reported replay" {
		t.Errorf("got %q", got)
	}
}

// TestReadAgainToRemember: what a later worker reads again only because it must know it, it does not do again.
func TestReadAgainToRemember(t *testing.T) {
	w := newWorld(signed(t, decision(schemas.Scale, "cart@v1", 0, 3, 6)), ingest.Message{Value: []byte("forged")})
	w.finish(t, 0)
	if want := (ingest.Position{Restart: 0, Durable: 2}); w.position != want {
		t.Fatalf("committed %+v, want %+v: the decision is live", w.position, want)
	}
	steps := w.steps
	w.finish(t, 0, func(_ *actuator.Config, p *actuator.Parts) { p.Published = nil })
	if w.steps != steps {
		t.Errorf("%d more steps", w.steps-steps)
	}
	w.finish(t, 10)
	if want := (ingest.Position{Restart: 2, Durable: 2}); w.position != want {
		t.Errorf("committed %+v, want %+v: the decision has expired", w.position, want)
	}
}

func told(t testing.TB, got, want *world, forgetful bool) {
	t.Helper()
	if len(got.published) != len(want.published) || len(got.dead) != len(want.dead) {
		t.Fatalf("%d published and %d dead, want %d and %d", len(got.published), len(got.dead), len(want.published), len(want.dead))
	}
	for id, n := range got.published {
		if want.published[id] != 1 || n > 1 && !forgetful {
			t.Fatalf("the outcome of %s was published %d times, in a calm run %d times", id, n, want.published[id])
		}
	}
	if got.back || got.position != want.position {
		t.Fatalf("committed %+v, want %+v", got.position, want.position)
	}
}

// TestStoreAway: outcomes are saved as soon as the store is back; nothing is committed before.
func TestStoreAway(t *testing.T) {
	w := newWorld(signed(t, decision(schemas.Scale, "cart@v1", 0, 3, 6)))
	var ready []error
	away := failing{Outcomes: w, times: 2}
	w.finish(t, 0, func(_ *actuator.Config, p *actuator.Parts) {
		p.Outcomes = &away
		p.Ready = func(err error) { ready = append(ready, err) }
	})
	if w.only(t).Stage != schemas.StageReported || w.position.Durable != 1 {
		t.Errorf("outcomes %v, committed %+v", w.outcomes, w.position)
	}
	if len(ready) < 4 || ready[0] != nil || ready[1] == nil || ready[len(ready)-1] != nil {
		t.Errorf("ready was told %v", ready)
	}
}

type failing struct {
	actuator.Outcomes
	times int
}

func (f *failing) SaveOutcomes(ctx context.Context, o []schemas.DecisionOutcome) error {
	if f.times--; f.times >= 0 {
		return errors.New("the store is away")
	}
	return f.Outcomes.SaveOutcomes(ctx, o)
}

// TestUnreadableIsSaidOnce: a sender of nonsense does not fill our log.
func TestUnreadableIsSaidOnce(t *testing.T) {
	var text strings.Builder
	w := newWorld(slices.Repeat([]ingest.Message{{Value: []byte("forged")}}, 100)...)
	w.finish(t, 0, func(_ *actuator.Config, p *actuator.Parts) { p.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
	if n := strings.Count(text.String(), "not believed"); n != 1 || len(w.dead) != 100 {
		t.Errorf("said %d times, %d dead letters", n, len(w.dead))
	}
}

func TestConfig(t *testing.T) {
	for _, bad := range []func(*actuator.Config){
		func(c *actuator.Config) { c.Limits.MinReplicas = 0 },
		func(c *actuator.Config) { c.Stages = nil },
	} {
		cfg := actuator.DefaultConfig()
		bad(&cfg)
		if _, err := actuator.New(cfg, actuator.Parts{}); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
