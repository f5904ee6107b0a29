package residual

import "time"

const (
	pools    = 6               // sizes of pools: 1 to 6 windows
	poolSpan = 2 * time.Minute // windows that are further apart are not judged together
)

// part is what one window adds to a pool.
type part struct {
	start       int64   // Unix ns
	sum, weight float64 // what is judged, over how many calls
	raw         float64 // sum before anything was limited
	calls       float64 // all of them
}

// pool remembers the last judged windows, the newest last.
type pool struct {
	parts [pools]part
	n     int
}

func (p *pool) add(x part) {
	if p.n == pools {
		copy(p.parts[:], p.parts[1:])
		p.n--
	}
	p.parts[p.n] = x
	p.n++
}

func (p *pool) last() part { return p.parts[p.n-1] }

// stretch is the pool of the newest windows up to some size.
type stretch struct {
	part
	rest part // without the window that exceeds the expectation most
}

// stretches are the pools of the newest one to n windows, where unit is what is expected of one call. They end at the first window that is
// too far back.
func (p *pool) stretches(unit float64) (out [pools]stretch, n int) {
	newest := p.last().start
	var total, top part
	for ; n < p.n; n++ {
		x := p.parts[p.n-1-n]
		if newest-x.start >= int64(poolSpan) {
			break
		}
		total = total.plus(x, 1)
		if n == 0 || x.sum-unit*x.weight > top.sum-unit*top.weight {
			top = x
		}
		out[n] = stretch{total, total.plus(top, -1)}
	}
	return out, n
}

func (x part) plus(y part, sign float64) part {
	return part{
		start: y.start, sum: x.sum + sign*y.sum, weight: x.weight + sign*y.weight, raw: x.raw + sign*y.raw, calls: x.calls + sign*y.calls,
	}
}

// dispersion follows how much larger the squared residuals of each pool size are than the model says.
type dispersion [pools]float64

const (
	dispersionMemory = 1080 // windows: 3 hours
	dispersionPrior  = 10   // windows of dispersion 1 that are believed in at the start
	outlier          = 25   // a squared residual counts as at most so many times the dispersion
)

func (d *dispersion) learn(size int, squared float64, windows int) {
	gain := 1 / min(float64(windows+dispersionPrior), dispersionMemory)
	d[size] += gain * (min(squared, outlier*d[size]) - d[size])
}

func newDispersion() (d dispersion) {
	for i := range d {
		d[i] = 1
	}
	return d
}

// tail follows the value that one in a thousand windows exceeds, by stochastic approximation (Robbins and Monro, 1951). Where it is
// further out than that of a normal signal, thresholds are too.
type tail float64

const (
	tailShare  = 0.001
	tailStep   = 0.2
	tailNormal = 3.4 // of the largest of six overlapping pools of a normal signal
)

func newTail() tail { return tailNormal }

func (t *tail) learn(z float64) {
	if z > float64(*t) {
		*t += tailStep * (1 - tailShare)
	} else {
		*t -= tailStep * tailShare
	}
}

func (t tail) factor() float64 { return max(1, float64(t)/tailNormal) }
