package lifecycle_test

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// service generates the windows of one workload at one version, call by call.
type service struct {
	name, version string
	rate          float64 // calls per second at the peak of the day
	errors        float64 // share of failed calls
	meanMs        float64
	sigma         float64 // of the logarithm of a call's latency; 0 = exponential
	timeouts      float64 // share of calls that take ten seconds
	load          float64 // utilisation at the peak: latency grows by 1 / (1 - utilisation)
	wander        float64 // standard deviation of the slow wandering of the mean's logarithm

	rng   *rand.Rand
	drift float64
}

// fault is what is wrong with a service.
type fault struct {
	errors float64 // added to the share of failed calls
	slower float64 // factor on the latency; 0 = none
	slow   float64 // share of calls that it concerns; 0 = all
}

var epoch = time.Date(2025, 3, 4, 0, 0, 0, 0, time.UTC)

func at(i int) time.Time { return epoch.Add(time.Duration(i) * 10 * time.Second) }

// daily is the traffic at window i as a share of the peak: six times as much at noon as at midnight.
func daily(i int) float64 {
	return (1 + 5*math.Pow(math.Sin(math.Pi*float64(i)/8640), 2)) / 6
}

func (s *service) seed(seed uint64) *service {
	c := *s
	h := uint64(14695981039346656037)
	for _, b := range []byte(s.name + s.version) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	c.rng = rand.New(rand.NewPCG(seed, h))
	return &c
}

// window is that of index i with the given share of the peak's traffic.
func (s *service) window(i int, traffic float64, f fault) (schemas.ServiceWindow, bool) {
	n := poisson(s.rng, s.rate*10*traffic)
	if n == 0 {
		return schemas.ServiceWindow{}, false
	}
	s.drift = 0.98*s.drift + 0.2*s.wander*s.rng.NormFloat64()
	mean := s.meanMs * math.Exp(s.drift) * (1 - s.load) / (1 - s.load*traffic)
	w := schemas.ServiceWindow{
		Workload: schemas.Workload{Cluster: "c", Namespace: "shop", Name: s.name, Version: s.version},
		Start:    at(i), Length: 10 * time.Second,
		Offered: uint64(n), Calls: uint64(n), StatusKnown: uint64(n), Instances: 2, Completeness: 1,
	}
	var top [8]float64 // the slowest calls, falling
	var sum float64
	for range n {
		ms := s.call(mean, f)
		sum += ms
		if s.rng.Float64() < s.errors+f.errors {
			w.Errors++
		}
		for k := range top {
			if ms > top[k] {
				ms, top[k] = top[k], ms
			}
		}
	}
	w.MeanMs = sum / float64(n)
	rank := n - int(math.Ceil(0.99*float64(n)-1e-9))
	w.P99Ms = 1000 * schemas.BucketOf(uint64(top[rank]*1e6)).Seconds()
	return w, true
}

func (s *service) call(mean float64, f fault) float64 {
	if s.timeouts > 0 && s.rng.Float64() < s.timeouts {
		return 10_000
	}
	if f.slower > 0 && (f.slow == 0 || s.rng.Float64() < f.slow) {
		mean *= f.slower
	}
	if s.sigma == 0 {
		return mean * s.rng.ExpFloat64()
	}
	return mean * math.Exp(s.sigma*s.rng.NormFloat64()-s.sigma*s.sigma/2)
}

func poisson(rng *rand.Rand, mean float64) int {
	n := 0
	for t := rng.ExpFloat64(); t < mean; t += rng.ExpFloat64() {
		n++
	}
	return n
}
