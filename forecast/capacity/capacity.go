// Package capacity says how much load one replica of a workload carries: a straight line through what was observed, plain enough to stand
// in a report.
//
// A Model keeps the last minutes of one workload at one version. Fit sorts them by load, takes the mean of each of some 20 equally full
// bins, and draws the least-squares line Busy = Intercept + Slope*Load through those means: at a few calls a minute a single minute is
// mostly chance, and a mean of 50 is not. Busy is CPU where somebody reports it, and calls under way otherwise (L = lambda W, Little,
// Operations Research 9(3), 1961). Beyond the loads that were seen the line says nothing, so a rating never goes far beyond them.
//
// The package is pure: the same points in the same order give the same fit, bit for bit. What does not support a fit is refused with a
// reason, never guessed.
package capacity

import (
	"fmt"
	"math"

	"github.com/weirmesh/weir/schemas"
)

// Point is one minute of a workload at one version.
type Point struct {
	// Load is what one replica was asked for, in calls per second, counted like the load that will be divided by the rating:
	// schemas.ServiceWindow.Load over the instances that reported.
	Load float64
	// CPU is the mean CPU use of the replicas as a share of their limit; NaN where nobody said.
	CPU float64
	// InFlight is the mean number of calls under way in one replica; NaN where it is not known.
	InFlight float64
}

// rejectedShare is the share of calls that may have been rejected, and so did no work, in a minute that still counts.
const rejectedShare = 0.01

// PointOf is what a window says about one replica. It is false where a window says nothing about that: nobody reported, over 1 % of the
// calls were rejected, or an action of Weir shaped it. Leaving out incomplete windows, and those during a firing finding, is left to the
// caller, who knows them.
func PointOf(w schemas.ServiceWindow) (Point, bool) {
	rejected := float64(w.RejectedMesh + w.RejectedWeir)
	if w.Instances <= 0 || w.Length <= 0 || w.ActedOn || rejected > rejectedShare*float64(w.Offered) {
		return Point{}, false
	}
	n := float64(w.Instances)
	return Point{Load: w.Load() / n, CPU: w.CPU, InFlight: w.InFlight / n}, true
}

// Model collects points in bounded memory: the last Config.Keep, 24 bytes each. It is not safe for concurrent use.
type Model struct {
	cfg  Config
	ring []Point
	next int // where the next point goes once the ring is full: the oldest
}

// New gives a model without points, or what is wrong with the configuration.
func New(cfg Config) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("capacity model: %w", err)
	}
	return &Model{cfg: cfg}, nil
}

// Observe takes the next minute. A point without a load, or with neither CPU nor calls under way, is left out.
func (m *Model) Observe(p Point) {
	if !known(p.Load) || !known(p.CPU) && !known(p.InFlight) {
		return
	}
	if len(m.ring) < m.cfg.Keep {
		m.ring = append(m.ring, p)
		return
	}
	m.ring[m.next] = p
	m.next = (m.next + 1) % len(m.ring)
}

// Fit draws the line through the points of now. The error is always a *Refusal. It sorts all points, about a millisecond for a week of
// minutes, so callers with many workloads fit less often than they observe.
func (m *Model) Fit() (Fit, error) {
	unit, s := m.series()
	if len(s) < m.cfg.MinPoints {
		return Fit{}, refuse(InsufficientHistory, "only %d of %d minutes have been observed", len(s), m.cfg.MinPoints)
	}
	f := Fit{Unit: unit, Points: len(s), Bins: m.cfg.Bins, LoadLow: s.load(0.01), LoadHigh: s.load(0.99)}
	if f.LoadHigh-f.LoadLow < m.cfg.MinVariation*f.LoadHigh || f.LoadHigh == 0 {
		return Fit{}, refuse(LoadHardlyVaried, "load per replica varied by only %s, between %s and %s calls/s",
			Percent((f.LoadHigh-f.LoadLow)/max(f.LoadHigh, math.SmallestNonzeroFloat64)), Number(f.LoadLow), Number(f.LoadHigh))
	}
	line, err := leastSquares(s.bins(f.Bins))
	if err != nil {
		return Fit{}, refuse(NoSlope, "the regression cannot be computed: %v", err)
	}
	f.Intercept, f.Slope, f.R2 = line.intercept, line.slope, line.r2
	if err := m.doubt(f, s); err != nil {
		return Fit{}, err
	}
	m.rate(&f, s)
	return f, nil
}

// minRise is the smallest rise over the loads seen, as a share of the mean, that is more than rounding.
const minRise = 0.02

// doubt refuses a line that must not be used.
func (m *Model) doubt(f Fit, s series) error {
	rise, mean := f.Slope*(f.LoadHigh-f.LoadLow), s.meanBusy()
	switch {
	case math.IsNaN(rise) || math.Abs(rise) <= minRise*mean:
		return refuse(NoSlope, "%s stayed at %s while load per replica went from %s to %s calls/s",
			f.Unit.words(), f.Unit.amount(mean), Number(f.LoadLow), Number(f.LoadHigh))
	case math.IsNaN(f.R2) || f.R2 < m.cfg.MinR2:
		return refuse(PoorFit, "R2 is %s: load explains %s of the differences in %s between %d levels of load",
			Number(f.R2), Percent(f.R2), f.Unit.words(), f.Bins)
	case f.Slope < 0:
		return refuse(NoSlope, "%s fell by %s while load per replica rose from %s to %s calls/s",
			f.Unit.words(), f.Unit.amount(-rise), Number(f.LoadLow), Number(f.LoadHigh))
	case f.Unit == CPU && f.Intercept >= m.cfg.TargetCPU:
		return refuse(IdleAboveTarget, "CPU is at %s even without load, above the target of %s, so more replicas would not bring it down",
			Percent(f.Intercept), Percent(m.cfg.TargetCPU))
	}
	return nil
}

// rate says what one replica may get.
func (m *Model) rate(f *Fit, s series) {
	if f.Unit == InFlight {
		f.RatedLoad = s.healthyLoad(m.cfg.MaxSlowdown)
		f.RangeLimited = f.RatedLoad*(1+m.cfg.Margin) >= f.LoadHigh
		return
	}
	f.Target = m.cfg.TargetCPU
	wanted := (f.Target - f.Intercept) / f.Slope
	f.RatedLoad = max(min(wanted, f.LoadHigh*(1+m.cfg.Margin)), f.LoadLow*(1-m.cfg.Margin))
	f.RangeLimited = f.RatedLoad != wanted
}

func known(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
