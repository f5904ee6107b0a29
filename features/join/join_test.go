package join_test

import (
	"slices"
	"testing"

	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/schemas"
)

const length = 4 // messages in a generation of the tables

func messages(spans ...[]span) (log []step) {
	for _, s := range spans {
		log = append(log, step{spans: s})
	}
	return log
}

// gap stands for as many messages that tell the Joiner nothing.
func gap(n int) []step {
	log := make([]step, n)
	for i := range log {
		log[i].empty = true
	}
	return log
}

func TestCallsAndOrphans(t *testing.T) {
	root := span{trace: 1, id: 1, at: "a", kind: server, end: 1}
	out := span{trace: 1, id: 2, parent: 1, at: "a", kind: client, end: 2}
	in := span{trace: 1, id: 3, parent: 2, at: "b", kind: server, end: 3}
	toDB := span{trace: 1, id: 2, parent: 1, at: "a", kind: client, peer: "db", end: 2}
	rootCall := "0: call  -> a by server_span at 1"
	for _, c := range []struct {
		name string
		log  []step
		want []string // calls and orphans
	}{
		{"a root that serves is a call from outside", messages([]span{root}), []string{rootCall}},
		{
			"a root that consumes is a call from outside", messages([]span{{trace: 1, id: 1, at: "a", kind: consumer}}),
			[]string{"0: call  -> a by server_span at 0"},
		},
		{
			"a root without a kind is a call from outside", messages([]span{{trace: 1, id: 1, at: "a"}}),
			[]string{"0: call  -> a by server_span at 0"},
		},
		{"an inner root is no call", messages([]span{{trace: 1, id: 1, at: "a", kind: inner}}), nil},
		{"a client root is no call", messages([]span{{trace: 1, id: 1, at: "a", kind: client}}), nil},
		{"a producer root is no call", messages([]span{{trace: 1, id: 1, at: "a", kind: producer}}), nil},
		{
			"the child comes after its parent", messages([]span{root}, []span{out}, []span{in}),
			[]string{rootCall, "2: call a -> b by server_span at 3"},
		},
		{
			"the child comes before its parent and counts where the parent came", messages([]span{root}, []span{in}, []span{out}),
			[]string{rootCall, "2: call a -> b by server_span at 3"},
		},
		{
			"the child comes before its parent in the same message", messages([]span{in, out, root}),
			[]string{"0: call  -> a by server_span at 1", "0: call a -> b by server_span at 3"},
		},
		{"the same instance is inner work", messages([]span{root, {trace: 1, id: 2, parent: 1, at: "a", kind: server}}), []string{rootCall}},
		{"another instance of the workload is a call", messages([]span{
			{trace: 1, id: 1, at: "a/0", kind: inner}, {trace: 1, id: 2, parent: 1, at: "a/1", kind: server},
		}), []string{"0: call a/0 -> a/1 by server_span at 0"}},
		{
			"without kinds another instance is a call", messages([]span{{trace: 1, id: 1, at: "a", kind: inner}, {trace: 1, id: 2, parent: 1, at: "b"}}),
			[]string{"0: call a -> b by server_span at 0"},
		},
		{"a span that sends shows no call to itself", messages([]span{root, {trace: 1, id: 2, parent: 1, at: "b", kind: client}}), []string{rootCall}},
		{
			"the same ids in another trace are strangers", messages([]span{root, {trace: 2, id: 3, parent: 1, at: "b", kind: server}}),
			[]string{rootCall},
		},
		{
			"siblings are calls each", messages([]span{{trace: 1, id: 3, parent: 1, at: "b", kind: server}, {trace: 1, id: 4, parent: 1, at: "c", kind: server}, root}),
			[]string{rootCall, "0: call a -> b by server_span at 0", "0: call a -> c by server_span at 0"},
		},
		{
			"a match reaches back one generation", slices.Concat(messages([]span{root, out}), gap(6), messages([]span{in})),
			[]string{rootCall, "7: call a -> b by server_span at 3"},
		},
		{
			"a match does not reach back two generations", slices.Concat(messages([]span{root, out}), gap(7), messages([]span{in}), gap(8)),
			[]string{rootCall, "16: call ? -> b by server_span at 3", "16: orphan b at 3 counted true"},
		},
		{
			"a server without parent ends as a call from somebody", slices.Concat(messages([]span{in}), gap(8)),
			[]string{"8: call ? -> b by server_span at 3", "8: orphan b at 3 counted true"},
		},
		{
			"a consumer without parent ends as a call from somebody",
			slices.Concat(messages([]span{{trace: 1, id: 3, parent: 2, at: "b", kind: consumer}}), gap(8)),
			[]string{"8: call ? -> b by server_span at 0", "8: orphan b at 0 counted true"},
		},
		{
			"an inner span without parent ends as an orphan", slices.Concat(messages([]span{{trace: 1, id: 3, parent: 2, at: "b", kind: inner}}), gap(8)),
			[]string{"8: orphan b at 0 counted false"},
		},
		{
			"a span without kind and parent ends as an orphan", slices.Concat(messages([]span{{trace: 1, id: 3, parent: 2, at: "b"}}), gap(8)),
			[]string{"8: orphan b at 0 counted false"},
		},
		{"a client without parent ends as an orphan", slices.Concat(messages([]span{out}), gap(8)), []string{"8: orphan a at 2 counted false"}},
		{
			"a declared peer that nobody answers for is called when the generation ends", slices.Concat(messages([]span{root, toDB}), gap(8)),
			[]string{rootCall, "8: call a -> db by client_span at 2"},
		},
		{
			"a declared peer that answered is called once, by its own record", slices.Concat(messages([]span{root, toDB, in}), gap(8)),
			[]string{rootCall, "0: call a -> b by server_span at 3"},
		},
		{
			"a declared peer that answered first is called once, by its own record", slices.Concat(messages([]span{root, in}, []span{toDB}), gap(8)),
			[]string{rootCall, "1: call a -> b by server_span at 3"},
		},
		{
			"an answer in the next generation still counts instead", slices.Concat(messages([]span{root, toDB}), gap(4), messages([]span{in}), gap(8)),
			[]string{rootCall, "5: call a -> b by server_span at 3"},
		},
		{
			"an answer from the generation before still counts instead", slices.Concat(messages([]span{root, in}), gap(4), messages([]span{toDB}), gap(12)),
			[]string{rootCall, "5: call a -> b by server_span at 3"},
		},
		{
			"inner work under a call to a peer is no answer",
			slices.Concat(messages([]span{root, toDB, {trace: 1, id: 5, parent: 2, at: "a", kind: inner}}), gap(8)),
			[]string{rootCall, "8: call a -> db by client_span at 2"},
		},
		{
			"the call of an application through the proxy beside it is the proxy's",
			slices.Concat(messages([]span{root, toDB, {trace: 1, id: 5, parent: 2, at: "a", kind: client, peer: "db2", end: 4}}), gap(8)),
			[]string{rootCall, "8: call a -> db2 by client_span at 4"},
		},
		{
			"the call of an application through the proxy beside it is the proxy's, whichever comes first",
			slices.Concat(messages([]span{{trace: 1, id: 5, parent: 2, at: "a", kind: client, peer: "db2", end: 4}, root}, []span{toDB}), gap(8)),
			[]string{rootCall, "8: call a -> db2 by client_span at 4"},
		},
		{
			"a proxy that is answered leaves no call of the application beside it",
			slices.Concat(messages([]span{
				root, toDB, {trace: 1, id: 5, parent: 2, at: "a", kind: client, peer: "db"}, {trace: 1, id: 6, parent: 5, at: "b", kind: server, end: 5},
			}), gap(8)),
			[]string{rootCall, "0: call a -> b by server_span at 5"},
		},
		{
			"each attempt that a proxy makes is a call",
			slices.Concat(messages([]span{
				toDB, {trace: 1, id: 5, parent: 2, at: "b/1", kind: server}, {trace: 1, id: 6, parent: 2, at: "b/2", kind: server},
			}), gap(8)),
			[]string{"0: call a -> b/1 by server_span at 0", "0: call a -> b/2 by server_span at 0", "8: orphan a at 2 counted false"},
		},
		{
			"a proxy that does not say where a call went leaves it to the application",
			slices.Concat(messages([]span{root, toDB, {trace: 1, id: 5, parent: 2, at: "a", kind: client}}), gap(8)),
			[]string{rootCall, "8: call a -> db by client_span at 2"},
		},
		{
			"a callee whose proxy was silent and its caller are one call",
			slices.Concat(messages([]span{root, toDB, {trace: 1, id: 6, parent: 5, at: "db/1", kind: server, end: 4}}), gap(8)),
			[]string{rootCall, "8: call a -> db/1 by server_span at 4", "8: orphan db/1 at 4 counted true"},
		},
		{
			"a callee whose proxy was silent and its caller are one call, whichever comes first",
			slices.Concat(messages([]span{{trace: 1, id: 6, parent: 5, at: "db/1", kind: server, end: 4}}, []span{root}, []span{toDB}), gap(8)),
			[]string{"1: call  -> a by server_span at 1", "8: call a -> db/1 by server_span at 4", "8: orphan db/1 at 4 counted true"},
		},
		{
			"one caller makes one of two silent calls",
			slices.Concat(messages([]span{root, toDB, {trace: 1, id: 6, parent: 5, at: "db/1", kind: server}, {trace: 1, id: 8, parent: 7, at: "db/2", kind: server}}), gap(8)),
			[]string{
				rootCall, "8: call ? -> db/2 by server_span at 0", "8: call a -> db/1 by server_span at 0",
				"8: orphan db/1 at 0 counted true", "8: orphan db/2 at 0 counted true",
			},
		},
		{
			"a sender of another trace, or to another workload, is not the caller",
			slices.Concat(messages([]span{
				toDB, {trace: 2, id: 6, parent: 5, at: "db/1", kind: server}, {trace: 1, id: 7, parent: 5, at: "cart", kind: server},
			}), gap(8)),
			[]string{
				"8: call ? -> cart by server_span at 0", "8: call ? -> db/1 by server_span at 0", "8: call a -> db by client_span at 2",
				"8: orphan a at 2 counted false", "8: orphan cart at 0 counted true", "8: orphan db/1 at 0 counted true",
			},
		},
		{
			"a proxy elsewhere does not speak for the application",
			slices.Concat(messages([]span{root, toDB, {trace: 1, id: 5, parent: 2, at: "egress", kind: client, peer: "outside", end: 4}}), gap(8)),
			[]string{rootCall, "8: call a -> db by client_span at 2", "8: call egress -> outside by client_span at 4"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(c.log, 0, length).from(0)
			got = slices.DeleteFunc(got, func(line string) bool { return !isCallOrOrphan(line) })
			if d := diff(got, c.want); d != "" {
				t.Error(d)
			}
		})
	}
}

func isCallOrOrphan(line string) bool {
	for i := range line {
		if line[i] == ' ' {
			return line[i+1] == 'c' || line[i+1] == 'o'
		}
	}
	return false
}

func TestDuplicates(t *testing.T) {
	s := span{trace: 1, id: 1, at: "a", kind: server, end: 1}
	fresh := []string{"call  -> a by server_span at 1", "fresh a at 1"}
	again := "duplicate a at 1"
	for _, c := range []struct {
		name string
		log  []step
		want []string
	}{
		{"within a message", messages([]span{s, s}), append([]string{again}, fresh...)},
		{"within a generation", messages([]span{s}, []span{s}), append([]string{again}, fresh...)},
		{"in the next generation", slices.Concat(messages([]span{s}), gap(6), messages([]span{s})), append([]string{again}, fresh...)},
		{"after two generations it is forgotten", slices.Concat(messages([]span{s}), gap(7), messages([]span{s})), slices.Concat(fresh, fresh)},
		{
			"a duplicate keeps the memory alive", slices.Concat(messages([]span{s}), gap(6), messages([]span{s}), gap(3), messages([]span{s})),
			append([]string{again, again}, fresh...),
		},
		{
			"another origin does not make it another span", messages([]span{s}, []span{{trace: 1, id: 1, at: "b", kind: server, end: 2}}),
			append([]string{"duplicate b at 2"}, fresh...),
		},
		{
			"a lost record is neither fresh nor remembered", messages([]span{{trace: 1, id: 1, at: "a", end: 1, lost: true}}, []span{s}),
			append([]string{"lost a at 1"}, fresh...),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(c.log, 0, length).only("call", "fresh", "duplicate", "lost", "orphan")
			slices.Sort(c.want)
			if d := diff(got, c.want); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAControlMessageEndsOnlyWhatIsOlder(t *testing.T) {
	old := span{trace: 1, id: 3, parent: 2, at: "b", kind: server, end: 10}
	young := span{trace: 2, id: 3, parent: 2, at: "c", kind: server, end: 20}
	sent := span{trace: 3, id: 2, at: "a", kind: client, peer: "db", end: 15}
	log := slices.Concat(
		messages([]span{old, young}), gap(3), messages([]span{sent}),
		[]step{{endBefore: 20}},
		messages([]span{old, sent, {trace: 2, id: 2, at: "a", kind: client, end: 1}}),
		[]step{{endBefore: 100}},
	)
	got := slices.DeleteFunc(run(log, 0, length).from(5), func(line string) bool { return line[3] == 'f' })
	want := []string{
		"5: call ? -> b by server_span at 10", "5: call a -> db by client_span at 15", "5: orphan b at 10 counted true",
		"6: call a -> c by server_span at 20", "6: duplicate a at 15", "6: duplicate b at 10",
	}
	if d := diff(got, want); d != "" {
		t.Error(d)
	}
}

func TestAJumpOverManyGenerationsEndsWhatWaits(t *testing.T) {
	r, j := newRecorder(), join.New(length)
	step{spans: []span{{trace: 1, id: 3, parent: 2, at: "b", kind: inner}}}.feed(j, 0, r)
	step{spans: []span{{trace: 2, id: 3, parent: 2, at: "c", kind: inner}}}.feed(j, 4, r)
	step{spans: []span{{trace: 3, id: 1, at: "d", kind: inner}}}.feed(j, 400, r)
	want := []string{"400: fresh d at 0", "400: orphan b at 0 counted false", "400: orphan c at 0 counted false"}
	if d := diff(r.from(5), want); d != "" {
		t.Error(d)
	}
}

func TestThePeerIsLookedForInTheCallersNamespace(t *testing.T) {
	for _, c := range []struct{ declared, want string }{{"", "n"}, {"other", "other"}} {
		r := &calls{}
		j := join.New(length)
		b := batch(span{trace: 1, id: 1, at: "a", kind: client, peer: "db", end: 1})
		b.Peers[b.Spans[0].Peer].Namespace = c.declared
		j.Message(0, b, r)
		j.EndBefore(1, 2, r)
		want := schemas.Workload{Tenant: "t", Cluster: "c", Namespace: c.want, Name: "db"}
		if len(*r) != 1 || (*r)[0].To.Workload != want {
			t.Errorf("declared in %q: calls %+v, want one to %+v", c.declared, *r, want)
		}
	}
}

func TestAnApplicationAndTheProxyBesideItAreOneInstance(t *testing.T) {
	app := schemas.Origin{Workload: schemas.Workload{Tenant: "t", Namespace: "n", Name: "a", Version: "1.2.3", Region: "north"}, Instance: "a-1"}
	proxy := app
	proxy.Version, proxy.Region, proxy.Cluster = "v1", "", "c"
	for _, c := range []struct {
		name   string
		change func(*schemas.Origin)
		calls  int
	}{
		{"other version, more and less of its place", func(*schemas.Origin) {}, 0},
		{"another instance", func(o *schemas.Origin) { o.Instance = "a-2" }, 1},
		{"another workload", func(o *schemas.Origin) { o.Name = "b" }, 1},
		{"another namespace", func(o *schemas.Origin) { o.Namespace = "m" }, 1},
		{"another region", func(o *schemas.Origin) { o.Region = "south" }, 1},
		{"another tenant", func(o *schemas.Origin) { o.Tenant = "u" }, 1},
		{"no instance", func(o *schemas.Origin) { o.Instance = "" }, 1},
	} {
		other := proxy
		c.change(&other)
		for _, first := range []string{"parent", "child"} {
			b := batch(span{trace: 1, id: 1, at: "x", kind: inner}, span{trace: 1, id: 2, parent: 1, at: "y", kind: server})
			b.Origins = []schemas.Origin{app, other}
			if first == "child" {
				slices.Reverse(b.Spans)
			}
			r := &calls{}
			join.New(length).Message(0, b, r)
			if len(*r) != c.calls {
				t.Errorf("%s, %s first: calls %+v, want %d", c.name, first, *r, c.calls)
			}
		}
	}
}

// calls keeps calls as they are.
type calls []schemas.Call

func (c *calls) Call(call schemas.Call)                { *c = append(*c, call) }
func (c *calls) Retried(schemas.Call)                  {}
func (c *calls) Seen(schemas.Origin, int64, join.Fate) {}
func (c *calls) Orphan(schemas.Origin, int64, bool)    {}

func TestOutsideAndUnknownCallersKeepTheTenant(t *testing.T) {
	r, j := &calls{}, join.New(length)
	j.Message(0, batch(span{trace: 1, id: 1, at: "a", kind: server}, span{trace: 2, id: 1, parent: 9, at: "a", kind: server}), r)
	j.EndBefore(1, 1, r)
	want := []schemas.Workload{{Tenant: "t", Name: schemas.Outside}, {Tenant: "t", Name: schemas.UnknownCaller}}
	var got []schemas.Workload
	for _, c := range *r {
		got = append(got, c.From.Workload)
	}
	if !slices.Equal(got, want) {
		t.Errorf("callers %+v, want %+v", got, want)
	}
}
