package join_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/schemas"
)

// makeTrace makes the spans of one trace: a tree with calls, inner work, calls to declared peers, and sometimes a parent that never comes.
func makeTrace(rng *rand.Rand, trace int) []span {
	kinds := [...]schemas.Kind{none, none, inner, inner, server, server, server, server, client, client, client, client, client, producer, consumer}
	var spans []span
	for id := 1; id <= 1+rng.IntN(6); id++ {
		s := span{trace: trace, id: id, at: fmt.Sprintf("w%d/%d", rng.IntN(4), rng.IntN(2)), end: int64(1000*trace + id)}
		if id > 1 {
			s.parent = 1 + rng.IntN(id-1)
		}
		if rng.IntN(8) == 0 {
			s.parent = 100 + id // never comes
		}
		s.kind = kinds[rng.IntN(len(kinds))]
		if s.kind.Sends() && rng.IntN(3) > 0 {
			s.peer = []string{"db0", "db1", "w0", "w1"}[rng.IntN(4)] // some are workloads that report too
		}
		s.retry = rng.IntN(5) == 0
		spans = append(spans, s)
	}
	return spans
}

// makeLog scatters the spans of many traces, some of them more than once, over a log with control messages and unreadable ones. The
// distance between the spans of a trace is about spread messages, so that traces reach over several generations.
func makeLog(rng *rand.Rand, messages, spread int) []step {
	log := make([]step, messages)
	put := func(at int, s span) {
		if at >= 0 && at < messages {
			log[at].spans = append(log[at].spans, s)
		}
	}
	for trace := range messages {
		home := rng.IntN(messages)
		for _, s := range makeTrace(rng, trace+1) {
			put(home+rng.IntN(spread), s)
			for rng.IntN(3) == 0 {
				put(home+rng.IntN(3*spread), s)
			}
		}
	}
	for i := range log {
		switch rng.IntN(20) {
		case 0:
			log[i] = step{empty: true}
		case 1:
			log[i] = step{endBefore: int64(1000 * rng.IntN(messages))}
		}
	}
	return log
}

// TestRestartEquivalence is the promise that exact counting stands on: whoever starts again at Restart comes to the same outputs at the
// same offsets.
func TestRestartEquivalence(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 60
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		length := []int64{4, 8, 16}[rng.IntN(3)]
		log := makeLog(rng, 100+rng.IntN(200), int(length)*(1+rng.IntN(2)))
		whole := run(log, 0, length)
		for range 8 {
			split := int64(rng.IntN(len(log)))
			got := run(log, join.Restart(split, length), length).from(split)
			if d := diff(got, whole.from(split)); d != "" {
				t.Fatalf("seed %d, length %d, restart at %d for %d: %s", seed, length, join.Restart(split, length), split, d)
			}
		}
	}
}

func TestRestartReadsNoMoreThanItNeeds(t *testing.T) {
	// The first span makes the second, in the next generation, a duplicate. Without it the second would have waited for the third, and
	// answered for the peer that the third declares.
	child := span{trace: 1, id: 2, parent: 1, at: "b", kind: server, end: 2}
	log := slices.Concat(messages([]span{child}), gap(3), messages([]span{child}), gap(3),
		messages([]span{{trace: 1, id: 1, at: "a", kind: client, peer: "db", end: 1}}), gap(8))
	const split = 3*length + 1
	whole := run(log, 0, length).from(split)
	if len(whole) == 0 {
		t.Fatal("the log shows nothing")
	}
	if d := diff(run(log, join.Restart(split, length), length).from(split), whole); d != "" {
		t.Error(d)
	}
	if d := diff(run(log, join.Restart(split, length)+length, length).from(split), whole); d == "" {
		t.Error("a later restart is as good")
	}
}

func TestRestartIsExactAfterAMessageThatHoldsNoSpans(t *testing.T) {
	// The last message before the split is the first of a generation, and unreadable. It must end what the restart got wrong.
	child := span{trace: 1, id: 2, parent: 1, at: "b", kind: server, end: 2}
	log := slices.Concat(messages([]span{child}), gap(3), messages([]span{child}), gap(3),
		messages([]span{{trace: 1, id: 1, at: "a", kind: client, peer: "db", end: 1}}), gap(8),
		messages([]span{{trace: 2, id: 1, at: "a", kind: server, end: 3}}))
	split := int64(len(log) - 1)
	if d := diff(run(log, join.Restart(split, length), length).from(split), run(log, 0, length).from(split)); d != "" {
		t.Error(d)
	}
}

func TestRestartBoundaries(t *testing.T) {
	for _, c := range []struct{ next, want int64 }{{0, 0}, {1, 0}, {4 * 10, 0}, {4*10 + 1, 10}, {5 * 10, 10}, {5*10 + 1, 20}} {
		if got := join.Restart(c.next, 10); got != c.want {
			t.Errorf("Restart(%d, 10) = %d, want %d", c.next, got, c.want)
		}
	}
}

// reference counts the calls of spans as the package comment states the rules, with maps and all spans at hand.
func reference(spans []span) []string {
	known := map[[2]int]span{}
	for _, s := range spans {
		known[[2]int{s.trace, s.id}] = s
	}
	var out []string
	call := func(from, to, by string, end int64, retried bool) {
		out = append(out, fmt.Sprintf("call %s -> %s by %s at %d", from, to, by, end))
		if retried {
			out = append(out, fmt.Sprintf("retried %s -> %s at %d", from, to, end))
		}
	}
	// repeats reports whether a span that sends, or the one of its instance above it, says that it repeats a call.
	repeats := func(s span) bool {
		above, found := known[[2]int{s.trace, s.parent}]
		return s.kind.Sends() && (s.retry || found && above.kind.Sends() && above.retry && above.at == s.at)
	}
	var lost []span
	answered := map[[2]int]bool{}
	for _, s := range known {
		parent, found := known[[2]int{s.trace, s.parent}]
		switch {
		case s.parent == 0 && (s.kind.Receives() || s.kind == none):
			call("", s.at, "server_span", s.end, s.retry)
		case s.parent == 0:
		case found && parent.at != s.at && !s.kind.Sends():
			call(parent.at, s.at, "server_span", s.end, s.retry || repeats(parent))
			answered[[2]int{s.trace, s.parent}] = true
		case found && parent.at == s.at && s.kind.Sends() && s.peer != "":
			answered[[2]int{s.trace, s.parent}] = true
		case !found && s.kind.Receives():
			lost = append(lost, s)
		}
	}
	var sent []span
	for key, s := range known {
		if s.kind.Sends() && s.peer != "" && !answered[key] {
			sent = append(sent, s)
		}
	}
	byEnd := func(a, b span) int { return cmp.Compare(a.end, b.end) }
	slices.SortFunc(lost, byEnd)
	slices.SortFunc(sent, byEnd)
	for _, s := range lost {
		caller, retried := "?", s.retry
		i := slices.IndexFunc(sent, func(c span) bool { return c.trace == s.trace && c.peer == place(s.at).Name })
		if i >= 0 {
			caller, retried = sent[i].at, retried || repeats(sent[i])
			sent = slices.Delete(sent, i, i+1)
		}
		call(caller, s.at, "server_span", s.end, retried)
	}
	for _, s := range sent {
		call(s.at, s.peer, "client_span", s.end, repeats(s))
	}
	slices.Sort(out)
	return out
}

func TestWithinAGenerationCallsDoNotDependOnOrderOrGrouping(t *testing.T) {
	for seed := range 100 {
		rng := rand.New(rand.NewPCG(uint64(seed), 2))
		var spans []span
		for trace := range 100 {
			made := makeTrace(rng, trace+1)
			spans = append(spans, made...)
			spans = append(spans, made[rng.IntN(len(made))])
		}
		want := reference(spans)
		for range 3 {
			rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
			var log []step
			for at := 0; at < len(spans); {
				n := min(1+rng.IntN(20), len(spans)-at)
				log = append(log, step{spans: spans[at : at+n]})
				at += n
			}
			log = append(log, step{endBefore: 1 << 62})
			if d := diff(run(log, 0, 1<<20).only("call", "retried"), want); d != "" {
				t.Fatalf("seed %d: %s", seed, d)
			}
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	const spans = 1000
	rng := rand.New(rand.NewPCG(1, 3))
	var trace []span
	for len(trace) < spans {
		trace = append(trace, makeTrace(rng, len(trace)+1)...)
	}
	message := batch(trace[:spans]...)
	j, out := join.New(64), &calls{}
	b.ReportAllocs()
	for offset := int64(0); b.Loop(); offset++ {
		for i := range message.Spans { // new traces, so that the table grows as in life
			t := &message.Spans[i].Trace
			t[8], t[9], t[10], t[11] = byte(offset), byte(offset>>8), byte(offset>>16), byte(offset>>24)
		}
		*out = (*out)[:0]
		j.Message(offset, message, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
}
