package mesh

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// maxFaults is how many faults a mesh keeps apart on an instance.
const maxFaults = 64

// maxEvents keeps the load quick to compute.
const maxEvents = 1000

// maxReplicas is how many instances the services may have together.
const maxReplicas = 100_000

// problems gathers what is wrong with a configuration.
type problems []error

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Errorf(format, args...))
	}
}

// Validate reports everything that makes c unusable, joined.
func (c Config) Validate() error {
	var p problems
	whole := !c.Start.IsZero() && c.Start.Equal(c.Start.Truncate(time.Minute))
	p.check(whole, "start: %s is no whole minute", c.Start.Format(time.RFC3339Nano))
	p.check(c.Length >= time.Minute && c.Length%time.Minute == 0, "length: %s is no whole number of minutes", c.Length)
	p.check(c.Length <= 3660*24*time.Hour, "length: %s is more than ten years", c.Length)
	c.Load.validate(&p, c.Length)
	c.validateServices(&p)
	p.check(len(c.Events) <= maxEvents, "events: there are %d, at most %d can be", len(c.Events), maxEvents)
	for i, e := range c.Events {
		e.validate(&p, c, fmt.Sprintf("events[%d]", i))
	}
	p.check(len(c.Faults) <= maxFaults, "faults: there are %d, at most %d can be", len(c.Faults), maxFaults)
	for i, f := range c.Faults {
		f.validate(&p, c, fmt.Sprintf("faults[%d]", i))
	}
	return errors.Join(p...)
}

func (l Load) validate(p *problems, length time.Duration) {
	p.check(between(l.Rate, 0, 1e6), "load.rate: %v a second cannot be", l.Rate)
	p.check(between(l.Daily, 0, 5), "load.daily: %v is not in 0..5", l.Daily)
	p.check(between(l.PeakHour, 0, 24), "load.peak_hour: %v is not in 0..24", l.PeakHour)
	p.check(between(l.Growth, -0.99, 10), "load.growth: %v is not in -0.99..10", l.Growth)
	for i, f := range l.Weekly {
		p.check(between(f, 0, 1e3), "load.weekly[%d]: factor %v cannot be", i, f)
	}
	p.check(between(l.Bursts.Factor, 0, 1e3), "load.bursts.factor: %v cannot be", l.Bursts.Factor)
	p.check(l.Bursts.Factor == 0 || l.Bursts.Length > 0 && l.Bursts.Every > 0, "load.bursts: length and every have to be above 0")
	if l.Series == nil {
		return
	}
	p.check(len(l.Series) >= int(length/time.Minute), "load: the series has %d minutes, the run %d", len(l.Series), int(length/time.Minute))
	bad := slices.IndexFunc(l.Series, func(v float64) bool { return v < 0 || v > 1e8 })
	p.check(bad < 0, "load: minute %d of the series cannot be", bad)
}

// validateServices allows calls only to services further down, which keeps call trees finite.
func (c Config) validateServices(p *problems) {
	place := map[string]int{}
	entry, replicas := 0.0, 0
	for i, s := range c.Services {
		at := fmt.Sprintf("services[%d]", i)
		_, twice := place[s.Name]
		p.check(s.Name != "" && !twice, "%s.name: %q is not a name of its own", at, s.Name)
		place[s.Name] = i
		entry += s.Entry
		for _, v := range s.Versions {
			replicas += v.Replicas
		}
		s.validate(p, at)
	}
	p.check(replicas <= maxReplicas, "services: they have %d replicas, at most %d can be", replicas, maxReplicas)
	p.check(entry > 0, "services: none has an entry share, so nothing would arrive")
	for i, s := range c.Services {
		for j, call := range s.Calls {
			to, known := place[call.To]
			p.check(known && to > i, "services[%d].calls[%d].to: %q is no service further down the list", i, j, call.To)
		}
	}
}

func (s Service) validate(p *problems, at string) {
	p.check(between(s.Entry, 0, 1e6), "%s.entry: %v cannot be", at, s.Entry)
	p.check(s.Balancer == LeastLoaded || s.Balancer == TwoChoices,
		"%s.balancer: %q is neither %s nor %s", at, s.Balancer, LeastLoaded, TwoChoices)
	p.check(s.Queue >= 0 && s.Queue <= 1e6, "%s.queue: %d is not in 0..1000000", at, s.Queue)
	p.check(s.StartLag >= 0, "%s.start_lag: %s is below 0", at, s.StartLag)
	weight := 0.0
	names := map[string]bool{}
	for i, v := range s.Versions {
		v.validate(p, fmt.Sprintf("%s.versions[%d]", at, i))
		p.check(!names[v.Name], "%s.versions[%d].name: %q is there twice", at, i, v.Name)
		names[v.Name] = true
		weight += v.Weight
	}
	p.check(weight > 0, "%s.versions: none has a weight", at)
	for i, call := range s.Calls {
		call.validate(p, fmt.Sprintf("%s.calls[%d]", at, i))
	}
}

func (v Version) validate(p *problems, at string) {
	p.check(v.Name != "", "%s.name: missing", at)
	p.check(between(v.Weight, 0, 1e6), "%s.weight: %v cannot be", at, v.Weight)
	p.check(v.Replicas >= 0 && v.Replicas <= 1e4, "%s.replicas: %d is not in 0..10000", at, v.Replicas)
	p.check(v.Workers >= 1 && v.Workers <= 1e4, "%s.workers: %d is not in 1..10000", at, v.Workers)
	p.check(v.CPU >= 0, "%s.cpu: %d is below 0", at, v.CPU)
	p.check(v.Work > 0 && v.Work <= time.Hour, "%s.work: %s is not in 0..1h", at, v.Work)
	p.check(slices.Contains([]Variability{Lognormal, Exponential, Constant}, v.Variability),
		"%s.variability: %q is none of %s, %s, %s", at, v.Variability, Lognormal, Exponential, Constant)
	p.check(between(v.Spread, 0, 10), "%s.spread: %v is not in 0..10", at, v.Spread)
	p.check(between(v.ErrorRate, 0, 1), "%s.error_rate: %v is not in 0..1", at, v.ErrorRate)
}

func (c Call) validate(p *problems, at string) {
	p.check(between(c.Probability, 0, 1), "%s.probability: %v is not in 0..1", at, c.Probability)
	p.check(c.Timeout >= 0, "%s.timeout: %s is below 0", at, c.Timeout)
	p.check(c.Attempts >= 1 && c.Attempts <= 100, "%s.attempts: %d is not in 1..100", at, c.Attempts)
	p.check(c.Backoff >= 0, "%s.backoff: %s is below 0", at, c.Backoff)
}

func (e Event) validate(p *problems, c Config, at string) {
	from, to := c.span(e.From, e.To)
	p.check(from < c.Length, "%s.from: %s is after the end", at, e.From)
	switch e.Kind {
	case Ramp, FlashCrowd:
		p.check(between(e.Factor, 0, 1e3), "%s.factor: %v cannot be", at, e.Factor)
		p.check(to > from, "%s.to: %s is not after from", at, e.To)
	case Scale:
		p.check(c.knows(e.Service, e.Version) && e.Version != "", "%s: there is no version %q of service %q", at, e.Version, e.Service)
		p.check(e.Replicas >= 0 && e.Replicas <= 1e4, "%s.replicas: %d is not in 0..10000", at, e.Replicas)
	default:
		p.check(false, "%s.kind: %q is none of %s, %s, %s", at, e.Kind, Ramp, FlashCrowd, Scale)
	}
}

func (f Fault) validate(p *problems, c Config, at string) {
	from, to := c.span(f.From, f.To)
	p.check(from < c.Length, "%s.from: %s is after the end", at, f.From)
	p.check(to > from, "%s.to: %s is not after from", at, f.To)
	p.check(between(f.Share, 0, 1) && f.Share > 0, "%s.share: %v is not above 0 and up to 1", at, f.Share)
	everything := f.Kind == TelemetryLoss && f.Service == "" && f.Version == ""
	p.check(everything || c.knows(f.Service, f.Version), "%s: there is no version %q of service %q", at, f.Version, f.Service)
	p.check(f.Collector == 0 || f.Kind == TelemetryLoss && f.Collector > 0 && f.Collector <= Collectors,
		"%s.collector: %d is none of 1..%d, or the fault is no %s", at, f.Collector, Collectors, TelemetryLoss)
	switch f.Kind {
	case Latency, Slowdown:
		p.check(between(f.Size, 1, 1e4), "%s.size: %v times as long is not in 1..10000", at, f.Size)
	case Errors, Limiter:
		p.check(between(f.Size, 0, 1), "%s.size: a share of %v is not in 0..1", at, f.Size)
	case RetryStorm:
		p.check(between(f.Size, 1, 20) && f.Size == math.Trunc(f.Size), "%s.size: %v more attempts are no whole number in 1..20", at, f.Size)
	case Crash, TelemetryLoss:
	default:
		p.check(false, "%s.kind: %q is not known", at, f.Kind)
	}
}

// knows reports whether a version is there; version "" stands for any.
func (c Config) knows(service, version string) bool {
	return slices.ContainsFunc(c.Services, func(s Service) bool {
		return s.Name == service && (version == "" || slices.ContainsFunc(s.Versions, func(v Version) bool { return v.Name == version }))
	})
}

// span is when something begins and ends, from the start.
func (c Config) span(from, to time.Duration) (begin, end time.Duration) {
	if from < 0 {
		from += c.Length
	}
	if to <= 0 {
		to += c.Length
	}
	return from, to
}

func between(v, low, high float64) bool { return v >= low && v <= high }
