package smoothing

import (
	"math"

	"github.com/weirmesh/weir/forecast/smoothing/interval"
)

const (
	regretHalfLife = 1440 // steps: what was good today
	guardHalfLife  = 120  // steps: what was good in the last hours
	guardPower     = 16   // a tenth better is four times the weight
)

// horizon weighs the members for one number of steps ahead by the errors that their forecasts for it turned out to have, and keeps the
// quantiles of what is left.
//
// The weights are those of ML-Poly (Gaillard, Stoltz and van Erven, A Second-order Bound with Excess Losses, 2014) on absolute error, with
// forgetting: a member counts as far as it would have improved what was said. Over it stands a guard with a short memory: while the last
// value alone is better, after an outburst that no season knows, it takes over.
type horizon struct {
	steps          int
	regret, square []float64 // a member
	pool, last     float64   // forgotten absolute errors of the pool and of the last value
	errors         *interval.Tracker
	made           []origin // ring of the forecasts that wait for their value
}

// origin is a forecast as it was made.
type origin struct {
	ok           bool      // a value had been observed in the step it was made
	members      []float64 // NaN: the member said nothing
	pooled, said float64
	frame        interval.Frame
}

func newHorizon(steps, members int) *horizon {
	h := &horizon{steps: steps, regret: make([]float64, members), square: make([]float64, members), errors: interval.New(steps)}
	all := make([]float64, steps*members)
	for i := range steps {
		h.made = append(h.made, origin{members: all[i*members : (i+1)*members : (i+1)*members]})
	}
	return h
}

// observe scores the forecast that was made for step t.
func (h *horizon) observe(t int, value float64) {
	o := &h.made[t%h.steps]
	if !o.ok {
		return
	}
	h.learn(o, value)
	decay := math.Exp2(-1.0 / guardHalfLife)
	h.pool = h.pool*decay + math.Abs(value-o.pooled)
	h.last = h.last*decay + math.Abs(value-o.members[0])
	h.errors.Observe(value-o.said, o.frame)
}

// learn updates the regrets by the gradient of the absolute error at what the pool said.
func (h *horizon) learn(o *origin, value float64) {
	decay := math.Exp2(-1.0 / regretHalfLife)
	toward := 1.0
	if value > o.pooled {
		toward = -1
	}
	for i, f := range o.members {
		if math.IsNaN(f) {
			continue
		}
		r := toward * (o.pooled - f)
		h.regret[i] = h.regret[i]*decay + r
		h.square[i] = h.square[i]*decay + r*r
	}
}

// combine weighs the members' forecasts: by the pool alone, and with the guard.
func (h *horizon) combine(members []float64) (pooled, said float64) {
	var sum, weights, plain, awake float64
	for i, f := range members {
		if math.IsNaN(f) {
			continue
		}
		plain += f
		awake++
		if h.regret[i] > 0 {
			w := h.regret[i] / h.square[i]
			sum += w * f
			weights += w
		}
	}
	pooled = plain / awake // the last value is always awake
	if weights > 0 {
		pooled = sum / weights
	}
	if h.pool == 0 {
		return pooled, pooled
	}
	share := 1 / (1 + math.Pow(h.last/h.pool, guardPower))
	return pooled, pooled + share*(members[0]-pooled)
}
