package compare

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/lab/load/tally"
)

// judge compares the two ends of one edge with Weir.
type judge struct {
	truth
	weir    Seen
	before  uint64 // what the gateway refused before this edge began
	grpc    bool
	outside bool   // the callee is a host outside the mesh
	denied  uint64 // calls that the callee's proxy answered itself, as arrived found

	verdict Verdict
	why     []string
}

func (j *judge) explain(format string, args ...any) {
	if j.verdict == Exact {
		j.verdict = Explained
	}
	j.why = append(j.why, fmt.Sprintf(format, args...))
}

func (j *judge) blame(format string, args ...any) {
	j.verdict = Wrong
	j.why = append(j.why, fmt.Sprintf(format, args...))
}

func (j *judge) edge(at name) Edge {
	j.verdict = Exact
	answered := j.received
	switch {
	case j.received.known:
		j.arrived()
		if j.sent.known {
			j.attempts()
		}
	case j.sent.known && j.outside && j.weir.Calls == 0:
		answered = side{}
		j.explain("%d calls left the mesh: Weir has no edges to hosts outside.", j.sent.n)
	case j.sent.known:
		answered = j.sent
		j.unanswered()
	default:
		j.blame("Weir shows %d calls that nobody in the lab made.", j.weir.Calls+j.weir.RejectedMesh)
	}
	j.failures(answered)
	out := Edge{
		From: at.from, To: at.to, Weir: j.weir.Calls, Difference: int64(j.weir.Calls) - int64(answered.n),
		Rejected: j.weir.RejectedMesh, Transport: j.weir.ErrorsTransport,
		Errors: answered.server, WeirErrors: j.weir.Errors, ClientErrors: answered.client, Weir4xx: j.weir.Errors4xx,
		P50: tally.Millis(j.weir.Histogram.Quantile(0.5)), P99: tally.Millis(j.weir.Histogram.Quantile(0.99)),
		Verdict: j.verdict, Why: strings.Join(j.why, " "),
	}
	if j.sent.known {
		out.Sent = &j.sent.n
	}
	if j.received.known {
		out.Received = &j.received.n
	}
	return out
}

// arrived compares Weir's calls with what instances answered. Weir also counts calls that came as far as the callee's proxy: those that a
// policy denied there, those whose connection broke before an answer, and those that the caller gave up.
func (j *judge) arrived() {
	if j.weir.Calls < j.received.n {
		j.blame("Weir has %d calls fewer than instances answered.", j.received.n-j.weir.Calls)
		return
	}
	more := j.weir.Calls - j.received.n
	left := more
	part := func(of uint64) uint64 {
		n := min(left, of)
		left -= n
		return n
	}
	j.denied = part(j.deniable())
	broke, gaveUp, unseen := part(j.weir.ErrorsTransport), part(j.abandoned()), part(j.weir.ByCallers)
	if left > 0 {
		j.blame("Weir has %d calls more than instances answered, and only %d failures of connections, %d denials and %d timeouts to explain them.",
			more, broke, j.denied, gaveUp)
		return
	}
	if j.denied > 0 {
		j.explain("The callee's proxy answered %d calls itself (a policy denied them).", j.denied)
	}
	if broke > 0 {
		j.explain("The connection of %d calls broke before an instance answered.", broke)
	}
	if unseen > 0 {
		j.explain("%d calls are known from their callers alone: no instance got them, or what it reported was lost.", unseen)
	}
	if gaveUp > 0 {
		j.explain("The caller gave up %d calls before an instance answered.", gaveUp)
	}
}

// deniable is how many calls the callee's proxy can have denied at most: the caller saw an error of its own that no instance answered, and
// so did Weir, unless the call is gRPC: PERMISSION_DENIED is no error of the callee's.
func (j *judge) deniable() uint64 {
	seen, asked := beyond(j.weir.Errors4xx, j.received.client), beyond(j.sent.client, j.received.client)
	switch {
	case j.grpc:
		return asked
	case j.sent.known:
		return min(seen, asked)
	}
	return seen
}

// abandoned is how many calls the caller gave up at most without the instance noticing. Weir has them with an outcome that is not known,
// whatever the instance answered.
func (j *judge) abandoned() uint64 { return beyond(j.sent.timeout, j.received.timeout) }

// beyond is a - b, or 0.
func beyond(a, b uint64) uint64 { return a - min(a, b) }

// attempts compares what was tried with what arrived. What did not must have been refused, or have failed at the caller.
func (j *judge) attempts() {
	refused := min(j.weir.RejectedMesh+j.before, j.sent.n)
	missing := int64(j.sent.n) - int64(j.received.n)
	if missing < 0 {
		j.explain("Proxies tried %d calls again.", -missing)
		return
	}
	broken := max(0, min(missing, int64(j.weir.Calls)-int64(j.received.n))) // arrived has judged these
	missing -= broken
	if n := min(missing, int64(refused)); n > 0 {
		j.explain("The mesh refused %d calls.", n)
		missing -= n
	}
	switch unanswered := int64(j.sent.transport + j.sent.timeout); {
	case missing > unanswered:
		j.blame("%d calls did not arrive, and neither the mesh nor the caller says why.", missing)
	case missing > 0:
		j.explain("The caller gave up %d calls, or had no connection for them, before they arrived.", missing)
	}
}

// unanswered compares with the caller alone, where nobody counts at the other end.
func (j *judge) unanswered() {
	missing := int64(j.sent.n) - int64(j.weir.Calls) - int64(j.weir.RejectedMesh)
	if j.weir.RejectedMesh > 0 {
		j.explain("The mesh refused %d calls.", j.weir.RejectedMesh)
	}
	switch failed := int64(j.sent.transport + j.sent.timeout); {
	case missing < 0:
		j.blame("Weir has %d calls more than were made.", -missing)
	case missing > failed:
		j.blame("Weir has %d calls fewer than were made, and only %d failed at the caller.", missing, failed)
	case missing > 0:
		j.explain("%d calls failed at the caller before the mesh saw them.", missing)
	}
}

// failures compares errors. Weir may have more than the end that is trusted: broken connections are errors too, and a call whose caller
// has gone may end in any way. For the same reason it may have fewer.
func (j *judge) failures(trusted side) {
	if !trusted.known {
		return
	}
	uncertain, abandoned := trusted.timeout, uint64(0)
	if j.received.known {
		abandoned = j.abandoned()
	} else { // the caller also sees what proxies answer
		uncertain += trusted.transport
	}
	more := j.weir.ErrorsTransport + uncertain + abandoned
	if j.grpc {
		more += trusted.client // UNIMPLEMENTED is the callee's error for Weir
	}
	unread := min(abandoned, beyond(trusted.server, j.sent.server))
	j.within("errors", j.weir.Errors, trusted.server, trusted.server-unread, trusted.server+more)
	if !j.grpc {
		fewer := min(j.weir.RejectedMesh, trusted.client)
		if j.received.known { // the callee has not seen refused ones, and the caller not the answers to those it gave up
			fewer = min(abandoned, beyond(trusted.client, j.sent.client))
		}
		j.within("4xx", j.weir.Errors4xx, trusted.client, trusted.client-fewer, trusted.client+uncertain+j.denied)
	}
}

// within judges a count that may lie between two bounds.
func (j *judge) within(what string, weir, truth, low, high uint64) {
	switch {
	case weir == truth:
	case weir < low || weir > high:
		j.blame("Weir has %d %s where there were %d.", weir, what, truth)
	default:
		j.explain("Weir has %d %s where %d were answered: the rest are broken, refused, denied or abandoned calls.", weir, what, truth)
	}
}
