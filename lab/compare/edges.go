package compare

import (
	"cmp"
	"slices"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/lab/spec"
)

// Verdict is what the comparison of an edge comes to.
type Verdict string

// The verdicts.
const (
	Exact     Verdict = "exact"     // all counts are the same
	Explained Verdict = "explained" // they differ by what one of the sides cannot have seen
	Wrong     Verdict = "WRONG"
)

// Edge is one row of the comparison. Counts are nil where nobody counts at that end: at the gateway, and outside the mesh.
type Edge struct {
	From string `json:"from"` // "" = outside the mesh
	To   string `json:"to"`

	Sent       *uint64 `json:"sent"`     // attempts, by who called
	Received   *uint64 `json:"received"` // answers, by who was called
	Weir       uint64  `json:"weir"`     // calls
	Difference int64   `json:"difference"`
	Rejected   uint64  `json:"rejected"`  // by the mesh, as Weir saw it
	Transport  uint64  `json:"transport"` // failures of connections, as Weir saw it

	Errors       uint64 `json:"errors"` // of the callee: 5xx and refusals
	WeirErrors   uint64 `json:"weir_errors"`
	ClientErrors uint64 `json:"client_errors"`
	Weir4xx      uint64 `json:"weir_4xx"`

	P50     float64 `json:"p50_ms"` // of Weir
	P99     float64 `json:"p99_ms"`
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"`
}

// Edges compares what was counted with what Weir says about the same time. Every edge that either of them knows is in the result, sorted
// by its ends. There must have been no call under way at both ends of that time.
func Edges(counts ledger.Counts, seen []Seen, m Mesh) []Edge {
	all := truths(counts, m)
	weir := map[name]Seen{}
	for _, s := range seen {
		at := name{s.From, s.To}
		weir[at] = sum(weir[at], s)
		if all[at] == nil {
			all[at] = &truth{}
		}
	}
	out := make([]Edge, 0, len(all))
	for at, t := range all {
		// Who counts is known from the mesh: a service that got nothing has written nothing down.
		t.received.known = m.has(at.to)
		t.sent.known = t.sent.known || m.has(at.from)
		j := judge{truth: *t, weir: weir[at], grpc: m.speaksGRPC(at.to), outside: !m.has(at.to) && at.to != m.Gateway}
		if at.from == m.Gateway {
			j.before = weir[name{"", m.Gateway}].RejectedMesh
		}
		out = append(out, j.edge(at))
	}
	slices.SortFunc(out, func(a, b Edge) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return out
}

// Right reports whether no edge is wrong.
func Right(edges []Edge) bool {
	return !slices.ContainsFunc(edges, func(e Edge) bool { return e.Verdict == Wrong })
}

func (m Mesh) has(service string) bool {
	return slices.ContainsFunc(m.Services, func(s spec.Service) bool { return s.Name == service })
}

func (m Mesh) speaksGRPC(service string) bool {
	return slices.ContainsFunc(m.Services, func(s spec.Service) bool { return s.Name == service && s.Protocol == spec.GRPC })
}

// sum adds up rows of the same edge.
func sum(a, b Seen) Seen {
	h := tally.Histogram{}
	h.Merge(a.Histogram)
	h.Merge(b.Histogram)
	return Seen{
		From: b.From, To: b.To, Calls: a.Calls + b.Calls, Errors: a.Errors + b.Errors, Errors4xx: a.Errors4xx + b.Errors4xx,
		Errors5xx: a.Errors5xx + b.Errors5xx, ErrorsGRPC: a.ErrorsGRPC + b.ErrorsGRPC,
		ErrorsTransport: a.ErrorsTransport + b.ErrorsTransport, RejectedMesh: a.RejectedMesh + b.RejectedMesh,
		ByCallers: a.ByCallers + b.ByCallers, Histogram: h,
	}
}
