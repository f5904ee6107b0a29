package schedule

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// Plan is what is to be sent, in order: ordinary requests, and those of the faults that hold. It is not safe for concurrent use.
type Plan struct {
	seed     uint64
	curve    Curve
	factor   float64
	mix      *mix
	ordinary *stream
	faults   []held // in the order they were given
}

// held is a fault that holds.
type held struct {
	name
	*stream
}

// name tells one fault from another; n counts equal ones.
type name struct {
	spec.Fault
	n int
}

// New returns the plan for a load on a service from its start on.
func New(c Curve, entry spec.Service, seed uint64) (*Plan, error) {
	m, err := newMix(entry)
	if err != nil {
		return nil, err
	}
	p := &Plan{seed: seed, curve: c, factor: 1, mix: m}
	p.ordinary = newStream(c, 1, 0, p.chance(""), func(rng *rand.Rand, _ int) Request { return m.ordinary(rng) })
	return p, nil
}

// chance is the source of chance for what has a name.
func (p *Plan) chance(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes anything
	return rand.New(rand.NewPCG(p.seed, h.Sum64()))
}

// first is the stream whose request comes next.
func (p *Plan) first() *stream {
	first := p.ordinary
	for _, f := range p.faults {
		if f.at < first.at {
			first = f.stream
		}
	}
	return first
}

// Next is when the next request is to be sent; false when there is none before something is changed.
func (p *Plan) Next() (at time.Duration, ok bool) {
	at = p.first().at
	return at, at != never
}

// Pop takes the next request; false when there is none.
func (p *Plan) Pop() (Request, bool) {
	s := p.first()
	if s.at == never {
		return Request{}, false
	}
	return s.pop(), true
}

// Skip drops the requests before a time. Those after it are the same as if they had been sent.
func (p *Plan) Skip(until time.Duration) {
	for at, ok := p.Next(); ok && at < until; at, ok = p.Next() {
		p.first().pop()
	}
}

// Rate is how many requests a second are wanted at a time.
func (p *Plan) Rate(at time.Duration) float64 {
	sum := p.ordinary.rate(at)
	for _, f := range p.faults {
		sum += f.rate(at)
	}
	return sum
}

// Scale multiplies the rate of the load from now on; 1 is what the lab file says. Faults that say their rate themselves keep it.
func (p *Plan) Scale(now time.Duration, factor float64) error {
	if !(factor >= 0 && factor <= maxFactor) {
		return fmt.Errorf("factor is %g: it has to be from 0 to %d", factor, maxFactor)
	}
	p.factor, p.ordinary.factor = factor, factor
	p.ordinary.draw(now)
	for _, f := range p.faults {
		if relative(f.Kind) {
			f.factor = factor
			f.draw(now)
		}
	}
	return nil
}

const maxFactor = 1000

// Hold makes exactly these faults hold from now on. One that held before goes on. After an error nothing is different.
func (p *Plan) Hold(now time.Duration, faults []spec.Fault) error {
	var next []held
	again, share := map[spec.Fault]int{}, 0.0
	for _, f := range faults {
		f, err := p.check(f)
		if err != nil {
			return err
		}
		if f.Kind == spec.NewEndpoint {
			share = max(share, f.Size)
			continue
		}
		next = append(next, p.begin(name{f, again[f]}, now))
		again[f]++
	}
	p.faults, p.mix.share = next, share
	return nil
}

// begin returns a fault that holds already, or begins it.
func (p *Plan) begin(n name, now time.Duration) held {
	for _, h := range p.faults {
		if h.name == n {
			return h
		}
	}
	return held{n, p.fault(n, now)}
}
