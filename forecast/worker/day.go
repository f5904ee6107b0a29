package worker

import (
	"math"
	"time"

	"github.com/weirmesh/weir/forecast/plan"
	"github.com/weirmesh/weir/schemas"
)

// dayMinutes is how far back scaling in looks.
const dayMinutes = 24 * 60

// minute is what one minute said about a version that matters for planning.
type minute struct {
	seen, acted  bool
	rejected     bool // calls to it, or to a caller of it, were refused
	unnamed      bool // calls of the workload came without a version that could be kept
	troubled     bool // so many of its calls failed that what it carries is not what it could
	load         float64
	completeness float64
	instances    int
}

// day is the last 24 hours of a version, minute by minute.
type day struct {
	minutes [dayMinutes]minute
	next    int
	kept    int
	total   int // minutes since the first
}

func (d *day) add(m minute) {
	d.minutes[d.next] = m
	d.next = (d.next + 1) % dayMinutes
	d.kept = min(d.kept+1, dayMinutes)
	d.total++
}

// back is the minute i minutes ago; 0 is the newest.
func (d *day) back(i int) minute {
	return d.minutes[(d.next-1-i+2*dayMinutes)%dayMinutes]
}

// recent is the mean load and the most instances of the last n minutes that were seen.
func (d *day) recent(n int) (load float64, instances int) {
	seen := 0
	for i := range min(n, d.kept) {
		if m := d.back(i); m.seen {
			load += m.load
			instances = max(instances, m.instances)
			seen++
		}
	}
	if seen == 0 {
		return math.NaN(), 0
	}
	return load / float64(seen), instances
}

// view sums the day up for the planner. What is not known is NaN.
func (d *day) view() plan.Day {
	v := plan.Day{Completeness: math.NaN(), PeakLoad: math.NaN()}
	for i := range d.kept {
		m := d.minutes[i]
		if !m.seen {
			continue
		}
		v.PeakLoad = larger(v.PeakLoad, m.load)
		v.Completeness = -larger(-v.Completeness, -m.completeness)
		v.InstancesMax = max(v.InstancesMax, m.instances)
		v.Rejected = v.Rejected || m.rejected
		v.Unnamed = v.Unnamed || m.unnamed
		v.ActedOn = v.ActedOn || m.acted
		v.Finding = v.Finding || m.troubled
	}
	return v
}

// larger is the larger of two numbers, the other one where one is not known.
func larger(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

// empty reports whether nothing was seen for all of the 24 hours.
func (d *day) empty() bool { return d.kept == dayMinutes && d.history().Present == 0 }

// history says how much of the target was seen.
func (d *day) history() plan.History {
	h := plan.History{Span: time.Duration(d.total) * time.Minute}
	for i := range d.kept {
		if d.minutes[i].seen {
			h.Present++
		}
	}
	return h
}

// troubled reports whether a window has so many failures that it says nothing about capacity, and that this is no time to take any away.
// Findings are the detect stage's; this stage must not wait for them, or its decisions would depend on who was faster.
func troubled(w schemas.ServiceWindow) bool {
	return w.Errors >= troubledErrors && w.ErrorRate() > troubledShare
}

func minuteOf(w schemas.ServiceWindow, rejected bool) minute {
	return minute{
		seen: true, acted: w.ActedOn, rejected: rejected, troubled: troubled(w), load: w.Load(), completeness: w.Completeness, instances: w.Instances,
	}
}
