package tally

import "github.com/weirmesh/weir/lab/ledger"

// NotSent is the outcome of a request that was not begun because too many were under way. Ledgers do not know it: it was no attempt.
const NotSent = "not_sent"

// Outcomes counts requests by outcome: those of package ledger, and NotSent.
type Outcomes map[string]uint64

// Sent is how many were sent and have ended.
func (o Outcomes) Sent() (sum uint64) {
	for outcome, n := range o {
		if outcome != NotSent {
			sum += n
		}
	}
	return sum
}

// Errors is how many failed through no fault of the client's: neither ok nor 4xx.
func (o Outcomes) Errors() uint64 { return o.Sent() - o[ledger.OK] - o[ledger.ClientError] }

// add counts one request under a name.
func add[K comparable](all map[K]Outcomes, name K, outcome string) {
	if all[name] == nil {
		all[name] = Outcomes{}
	}
	all[name][outcome]++
}
