package compare_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

func shop() compare.Mesh {
	return compare.Mesh{Gateway: compare.DefaultGateway, Entry: "web", Services: []spec.Service{
		{Name: "web", Protocol: spec.HTTP}, {Name: "cart", Protocol: spec.HTTP}, {Name: "price", Protocol: spec.GRPC},
	}}
}

type tallied struct {
	side, from, to, outcome string
	n                       uint64
}

func counts(all ...tallied) ledger.Counts {
	out := ledger.Counts{}
	for i, c := range all {
		// Endpoints are added up.
		out[ledger.Key{Side: c.side, From: c.from, To: c.to, Endpoint: "GET /" + string(rune('a'+i)), Outcome: c.outcome}] = c.n
	}
	return out
}

func find(t *testing.T, edges []compare.Edge, from, to string) compare.Edge {
	t.Helper()
	for _, e := range edges {
		if e.From == from && e.To == to {
			return e
		}
	}
	t.Fatalf("no edge %s -> %s in %+v", from, to, edges)
	return compare.Edge{}
}

const gateway = compare.DefaultGateway

// TestEdge judges one call from web to cart at a time.
func TestEdge(t *testing.T) {
	const sent, got = ledger.Attempted, ledger.Received
	for _, tt := range []struct {
		name    string
		to      string // "" = cart
		truth   []tallied
		weir    compare.Seen
		verdict compare.Verdict
		why     string
	}{
		{
			name: "known from callers alone", truth: []tallied{{sent, "web", "cart", ledger.OK, 10}, {got, "web", "cart", ledger.OK, 10}},
			weir: compare.Seen{Calls: 12, ByCallers: 2}, verdict: compare.Explained, why: "2 calls are known from their callers alone",
		},
		{
			name: "more than callers reported", truth: []tallied{{sent, "web", "cart", ledger.OK, 10}, {got, "web", "cart", ledger.OK, 10}},
			weir: compare.Seen{Calls: 13, ByCallers: 2}, verdict: compare.Wrong, why: "3 calls more",
		},
		{
			name: "out of the mesh", to: "files.example.com", truth: []tallied{{sent, "web", "files.example.com", ledger.OK, 10}},
			verdict: compare.Explained, why: "10 calls left the mesh",
		},
		{
			name: "all the same", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 7},
				{sent, "web", "cart", ledger.ClientError, 2},
				{sent, "web", "cart", ledger.ServerError, 1},
				{got, "web", "cart", ledger.OK, 7},
				{got, "web", "cart", ledger.ClientError, 2},
				{got, "web", "cart", ledger.ServerError, 1},
			}, weir: compare.Seen{Calls: 10, Errors: 1, Errors4xx: 2, Errors5xx: 1}, verdict: compare.Exact,
		},
		{
			name: "refusals are errors", truth: []tallied{
				{sent, "web", "cart", ledger.Refused, 3}, {got, "web", "cart", ledger.Refused, 3},
			}, weir: compare.Seen{Calls: 3, Errors: 3}, verdict: compare.Exact,
		},
		{
			name: "Weir lost some", truth: []tallied{{sent, "web", "cart", ledger.OK, 10}, {got, "web", "cart", ledger.OK, 10}},
			weir: compare.Seen{Calls: 9}, verdict: compare.Wrong, why: "1 calls fewer",
		},
		{
			name: "Weir saw nothing", truth: []tallied{{sent, "web", "cart", ledger.OK, 10}, {got, "web", "cart", ledger.OK, 10}},
			verdict: compare.Wrong, why: "10 calls fewer",
		},
		{
			name: "Weir counted twice", truth: []tallied{{sent, "web", "cart", ledger.OK, 10}, {got, "web", "cart", ledger.OK, 10}},
			weir: compare.Seen{Calls: 20}, verdict: compare.Wrong, why: "10 calls more",
		},
		{
			name: "connections broke", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.Transport, 2}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 10, Errors: 2, ErrorsTransport: 2}, verdict: compare.Explained, why: "connection of 2 calls broke",
		},
		{
			name: "more than broke", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.Transport, 2}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 10, Errors: 1, ErrorsTransport: 1}, verdict: compare.Wrong, why: "only 1 failures",
		},
		{
			name: "refused by the mesh", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.ClientError, 5}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 8, RejectedMesh: 5}, verdict: compare.Explained, why: "mesh refused 5 calls",
		},
		{
			name: "all of it refused", truth: []tallied{{sent, "web", "cart", ledger.ClientError, 5}},
			weir: compare.Seen{RejectedMesh: 5}, verdict: compare.Explained, why: "mesh refused 5 calls",
		},
		{
			name: "denied by the callee's proxy", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.ClientError, 5}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 13, Errors4xx: 5}, verdict: compare.Explained, why: "proxy answered 5 calls itself",
		},
		{
			name: "all of it denied", truth: []tallied{{sent, "web", "cart", ledger.ClientError, 5}},
			weir: compare.Seen{Calls: 5, Errors4xx: 5}, verdict: compare.Explained, why: "proxy answered 5 calls itself",
		},
		{
			name: "denied beside 4xx of instances", truth: []tallied{
				{sent, "web", "cart", ledger.ClientError, 7}, {got, "web", "cart", ledger.ClientError, 4},
			}, weir: compare.Seen{Calls: 7, Errors4xx: 7}, verdict: compare.Explained, why: "proxy answered 3 calls itself",
		},
		{
			name: "some denied, some broken, some given up", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8},
				{sent, "web", "cart", ledger.ClientError, 3},
				{sent, "web", "cart", ledger.Transport, 2},
				{sent, "web", "cart", ledger.Timeout, 1},
				{got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 14, Errors: 2, ErrorsTransport: 2, Errors4xx: 3}, verdict: compare.Explained,
			why: "answered 3 calls itself (a policy denied them). The connection of 2 calls broke before an instance answered. The caller gave up 1 calls",
		},
		{
			name: "denied and counted without its 4xx", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.ClientError, 5}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 13, Errors4xx: 4}, verdict: compare.Wrong, why: "5 calls more",
		},
		{
			name: "denied though the caller had an answer", truth: []tallied{{sent, "web", "cart", ledger.OK, 8}, {got, "web", "cart", ledger.OK, 8}},
			weir: compare.Seen{Calls: 9, Errors4xx: 1}, verdict: compare.Wrong, why: "1 calls more",
		},
		{
			name: "more 4xx than denied", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.ClientError, 5}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 13, Errors4xx: 6}, verdict: compare.Wrong, why: "6 4xx where there were 0",
		},
		{
			name: "gRPC denied", to: "price", truth: []tallied{
				{sent, "web", "price", ledger.OK, 8}, {sent, "web", "price", ledger.ClientError, 5}, {got, "web", "price", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 13}, verdict: compare.Explained, why: "proxy answered 5 calls itself",
		},
		{
			name: "gRPC with more than denied", to: "price", truth: []tallied{
				{sent, "web", "price", ledger.OK, 8}, {sent, "web", "price", ledger.ClientError, 5}, {got, "web", "price", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 14}, verdict: compare.Wrong, why: "6 calls more",
		},
		{
			name: "given up with an outcome that is not known", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.Timeout, 2}, {got, "web", "cart", ledger.OK, 10},
			}, weir: compare.Seen{Calls: 10}, verdict: compare.Exact,
		},
		{
			name: "given up on the way to the instance", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.Timeout, 2}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 10}, verdict: compare.Explained, why: "gave up 2 calls before an instance answered",
		},
		{
			name: "given up, and an error for the proxy", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.Timeout, 2}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 10, Errors: 2}, verdict: compare.Explained, why: "abandoned",
		},
		{
			name: "the error that nobody waited for", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8},
				{sent, "web", "cart", ledger.Timeout, 2},
				{got, "web", "cart", ledger.OK, 8},
				{got, "web", "cart", ledger.ServerError, 2},
			}, weir: compare.Seen{Calls: 10}, verdict: compare.Explained, why: "0 errors where 2 were answered",
		},
		{
			name: "the 4xx that nobody waited for", truth: []tallied{
				{sent, "web", "cart", ledger.Timeout, 2}, {got, "web", "cart", ledger.ClientError, 2},
			}, weir: compare.Seen{Calls: 2}, verdict: compare.Explained, why: "0 4xx where 2 were answered",
		},
		{
			name: "the error that the caller did read", truth: []tallied{
				{sent, "web", "cart", ledger.ServerError, 2},
				{sent, "web", "cart", ledger.Timeout, 2},
				{got, "web", "cart", ledger.OK, 2},
				{got, "web", "cart", ledger.ServerError, 2},
			}, weir: compare.Seen{Calls: 4}, verdict: compare.Wrong, why: "0 errors where there were 2",
		},
		{
			name: "more than the caller gave up", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.Timeout, 2}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 11}, verdict: compare.Wrong, why: "3 calls more",
		},
		{
			name: "gRPC given up", to: "price", truth: []tallied{
				{sent, "web", "price", ledger.Timeout, 2}, {got, "web", "price", ledger.Timeout, 1},
			}, weir: compare.Seen{Calls: 2, Errors: 1}, verdict: compare.Explained, why: "gave up 1 calls before an instance answered",
		},
		{
			name: "vanished", truth: []tallied{{sent, "web", "cart", ledger.OK, 9}, {got, "web", "cart", ledger.OK, 8}},
			weir: compare.Seen{Calls: 8}, verdict: compare.Wrong, why: "1 calls did not arrive",
		},
		{
			name: "given up before they left", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {sent, "web", "cart", ledger.Timeout, 2}, {got, "web", "cart", ledger.OK, 8},
			}, weir: compare.Seen{Calls: 8}, verdict: compare.Explained, why: "gave up 2 calls",
		},
		{
			name: "proxies tried again", truth: []tallied{
				{sent, "web", "cart", ledger.OK, 8}, {got, "web", "cart", ledger.OK, 8}, {got, "web", "cart", ledger.Refused, 2},
			}, weir: compare.Seen{Calls: 10, Errors: 2}, verdict: compare.Explained, why: "tried 2 calls again",
		},
		{
			name: "errors missed", truth: []tallied{{sent, "web", "cart", ledger.ServerError, 8}, {got, "web", "cart", ledger.ServerError, 8}},
			weir: compare.Seen{Calls: 8, Errors: 7}, verdict: compare.Wrong, why: "7 errors where there were 8",
		},
		{
			name: "errors invented", truth: []tallied{{sent, "web", "cart", ledger.OK, 8}, {got, "web", "cart", ledger.OK, 8}},
			weir: compare.Seen{Calls: 8, Errors: 1}, verdict: compare.Wrong, why: "1 errors where there were 0",
		},
		{
			name: "4xx missed", truth: []tallied{{sent, "web", "cart", ledger.ClientError, 8}, {got, "web", "cart", ledger.ClientError, 8}},
			weir: compare.Seen{Calls: 8}, verdict: compare.Wrong, why: "0 4xx where there were 8",
		},
		{
			name: "the caller has gone", truth: []tallied{{sent, "web", "cart", ledger.Timeout, 8}, {got, "web", "cart", ledger.Timeout, 8}},
			weir: compare.Seen{Calls: 8, Errors4xx: 3}, verdict: compare.Explained, why: "abandoned",
		},
		{
			name: "gRPC has no 4xx", to: "price", truth: []tallied{
				{sent, "web", "price", ledger.ClientError, 8}, {got, "web", "price", ledger.ClientError, 8},
			}, weir: compare.Seen{Calls: 8}, verdict: compare.Exact,
		},
		{
			name: "nobody called", weir: compare.Seen{Calls: 3}, verdict: compare.Wrong, why: "3 calls more",
		},
		{
			name: "lost messages are no calls", truth: []tallied{
				{sent, "web", "cart", ledger.Lost, 3}, {sent, "web", "cart", ledger.OK, 1}, {got, "web", "cart", ledger.OK, 1},
			}, weir: compare.Seen{Calls: 1}, verdict: compare.Exact,
		},
	} {
		tt.weir.From, tt.weir.To = "web", "cart"
		if tt.to != "" {
			tt.weir.To = tt.to
		}
		e := find(t, compare.Edges(counts(tt.truth...), []compare.Seen{tt.weir}, shop()), "web", tt.weir.To)
		if e.Verdict != tt.verdict || !strings.Contains(e.Why, tt.why) || (e.Why == "") != (e.Verdict == compare.Exact) {
			t.Errorf("%s: %s: %q, want %s: %q", tt.name, e.Verdict, e.Why, tt.verdict, tt.why)
		}
		if compare.Right([]compare.Edge{e}) != (tt.verdict != compare.Wrong) {
			t.Errorf("%s: right is not the verdict", tt.name)
		}
	}
}

// TestFromOutside follows what the client sent through the gateway.
func TestFromOutside(t *testing.T) {
	const sent, got = ledger.Attempted, ledger.Received
	truth := counts(tallied{sent, "", "web", ledger.OK, 90}, tallied{sent, "", "web", ledger.ClientError, 12},
		tallied{sent, "", "web", ledger.Transport, 3}, tallied{got, "", "web", ledger.OK, 90}, tallied{got, "", "web", ledger.ClientError, 10})
	in := compare.Seen{To: gateway, Calls: 101, Errors4xx: 10, Errors: 1, RejectedMesh: 2}
	through := compare.Seen{From: gateway, To: "web", Calls: 101, Errors4xx: 10, Errors: 1, ErrorsTransport: 1}
	edges := compare.Edges(truth, []compare.Seen{in, through}, shop())
	if len(edges) != 2 || !compare.Right(edges) {
		t.Fatalf("%+v", edges)
	}
	first := find(t, edges, "", gateway)
	if *first.Sent != 105 || first.Received != nil || first.Difference != -4 || !strings.Contains(first.Why, "2 calls failed at the caller") {
		t.Errorf("%+v", first)
	}
	second := find(t, edges, gateway, "web")
	if *second.Sent != 105 || *second.Received != 100 || second.Difference != 1 || second.Verdict != compare.Explained {
		t.Errorf("%+v", second)
	}
	in.Calls = 104
	if e := find(t, compare.Edges(truth, []compare.Seen{in}, shop()), "", gateway); e.Verdict != compare.Wrong {
		t.Errorf("Weir invents a call from outside: %+v", e)
	}
	in.Calls = 90
	if e := find(t, compare.Edges(truth, []compare.Seen{in}, shop()), "", gateway); e.Verdict != compare.Wrong {
		t.Errorf("Weir misses calls from outside: %+v", e)
	}
}

func TestStrangers(t *testing.T) {
	edges := compare.Edges(counts(tallied{ledger.Attempted, "web", "files.example.com", ledger.OK, 4}), []compare.Seen{
		{From: "web", To: "files.example.com", Calls: 4},
		{From: "?", To: "elsewhere", Calls: 2},
		{From: "web", To: "cart", Calls: 1},
		{From: "web", To: "cart", Calls: 2}, // two versions
	}, shop())
	if e := find(t, edges, "web", "files.example.com"); e.Verdict != compare.Exact || e.Received != nil {
		t.Errorf("%+v", e)
	}
	if e := find(t, edges, "?", "elsewhere"); e.Verdict != compare.Wrong || !strings.Contains(e.Why, "nobody in the lab") {
		t.Errorf("%+v", e)
	}
	if e := find(t, edges, "web", "cart"); e.Weir != 3 {
		t.Errorf("%+v", e)
	}
}

func TestBetween(t *testing.T) {
	a, b, c := ledger.Key{To: "a"}, ledger.Key{To: "b"}, ledger.Key{To: "c"}
	got := compare.Between(ledger.Counts{a: 3, b: 2}, ledger.Counts{a: 5, b: 2, c: 1})
	if !reflect.DeepEqual(got, ledger.Counts{a: 2, c: 1}) {
		t.Errorf("%v", got)
	}
}

func TestWriteEdges(t *testing.T) {
	edges := compare.Edges(counts(tallied{ledger.Attempted, "", "web", ledger.OK, 10}, tallied{ledger.Received, "", "web", ledger.OK, 10}),
		[]compare.Seen{{To: gateway, Calls: 10, Histogram: map16()}, {From: gateway, To: "web", Calls: 9}}, shop())
	var out bytes.Buffer
	if err := compare.WriteEdges(&out, edges); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"(outside)", "exact", "WRONG: istio-ingressgateway -> web: Weir has 1 calls fewer than instances answered.", "-1",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	text, err := json.Marshal(edges[0])
	if err != nil || !strings.Contains(string(text), `"sent":10,"received":null,"weir":10,"difference":0`) {
		t.Errorf("%s, %v", text, err)
	}
}
