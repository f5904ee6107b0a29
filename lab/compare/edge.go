// Package compare holds what really happened in the lab against what Weir says: how often each service called each other one and how
// often that failed (Edges), how long the client waited (Latency), and what the telemetry costs (Spending, Overhead).
//
// The truth is the ledger: what a caller saw of each attempt, and what the instance that was called answered. Weir counts at the proxies
// between the two, so there are calls that only one side can know: one that a proxy refused or could not connect never reached an
// instance, and one that a proxy repeated reached instances more often than it was made. Such differences are explained where Weir's own
// counts say so. Any other one is wrong.
//
// The package is pure but for Weir, which reads Weir's store.
package compare

import (
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/lab/spec"
)

// Seen is what Weir says about one edge, over some windows.
type Seen struct {
	From            string `json:"source_workload"` // "" = outside the mesh, "?" = not known
	To              string `json:"destination_workload"`
	Calls           uint64 `json:"calls"` // that reached the workload, or broke on their way
	Errors          uint64 `json:"errors"`
	Errors4xx       uint64 `json:"errors_4xx"`
	Errors5xx       uint64 `json:"errors_5xx"`
	ErrorsGRPC      uint64 `json:"errors_grpc"`
	ErrorsTransport uint64 `json:"errors_transport"`
	RejectedMesh    uint64 `json:"rejected_mesh"` // not among Calls
	ByCallers       uint64 `json:"by_callers"`    // of Calls, those that only their callers reported

	Histogram tally.Histogram `json:"histogram"` // durations of Calls
}

// Mesh is what the comparison has to know.
type Mesh struct {
	Gateway  string // workload of the ingress gateway: what comes from outside passes through it
	Entry    string // the service that it routes to
	Services []spec.Service
}

// DefaultGateway is the workload of Istio's ingress gateway.
const DefaultGateway = "istio-ingressgateway"

// name is an edge by its ends.
type name struct{ from, to string }

// side is what one end of an edge counted.
type side struct {
	known                                 bool // somebody counts at this end
	n, client, server, transport, timeout uint64
}

func (s *side) add(outcome string, n uint64) {
	s.known = true
	s.n += n
	switch outcome {
	case ledger.ClientError:
		s.client += n
	case ledger.ServerError, ledger.Refused:
		s.server += n
	case ledger.Transport:
		s.transport += n
	case ledger.Timeout:
		s.timeout += n
	}
}

// truth is both ends of an edge, as the ledger has them.
type truth struct{ sent, received side }

// truths sorts what was counted by edge. Ledgers do not know the gateway: what the client sent belongs to both of its edges, and the
// entry service received what passed through.
func truths(counts ledger.Counts, m Mesh) map[name]*truth {
	out := map[name]*truth{}
	at := func(from, to string) *truth {
		if out[name{from, to}] == nil {
			out[name{from, to}] = &truth{}
		}
		return out[name{from, to}]
	}
	for k, n := range counts {
		from := k.From
		if from == "" && k.To == m.Entry && m.Gateway != "" {
			from = m.Gateway
		}
		switch {
		case k.Outcome == ledger.Lost: // a message, not a call
		case k.Side == ledger.Received:
			at(from, k.To).received.add(k.Outcome, n)
		case k.Side == ledger.Attempted:
			at(from, k.To).sent.add(k.Outcome, n)
			if from != k.From {
				at("", m.Gateway).sent.add(k.Outcome, n)
			}
		}
	}
	return out
}

// Between returns what was counted from one reading of the ledgers to a later one.
func Between(earlier, later ledger.Counts) ledger.Counts {
	out := ledger.Counts{}
	for k, n := range later {
		if n > earlier[k] {
			out[k] = n - earlier[k]
		}
	}
	return out
}
