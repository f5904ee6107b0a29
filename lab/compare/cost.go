package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/weirmesh/weir/lab/control"
)

// Moment is how much was spent and done until some time. CPU is that of all processes of a role, also of those that have ended: it never
// falls.
type Moment struct {
	CPU      map[control.Role]time.Duration
	Requests uint64 // from outside
	Calls    uint64 // between workloads, requests included
}

// Spent is what one role spent.
type Spent struct {
	Role             control.Role  `json:"role"`
	CPU              time.Duration `json:"cpu_ns"`
	Share            float64       `json:"share"`             // of all roles
	PerThousandCalls time.Duration `json:"per_1000_calls_ns"` // 0 without calls
	PerRequest       time.Duration `json:"per_request_ns"`    // 0 without requests
}

// Spending returns what each role spent between two moments, the greatest first.
func Spending(from, to Moment) ([]Spent, error) {
	if to.Requests < from.Requests || to.Calls < from.Calls {
		return nil, fmt.Errorf("there were fewer requests or calls at the end than at the beginning")
	}
	var out []Spent
	total := time.Duration(0)
	for role, cpu := range to.CPU {
		spent := cpu - from.CPU[role]
		if spent < 0 {
			return nil, fmt.Errorf("the CPU time of %s fell by %s: processes that have ended are missing", role, -spent)
		}
		out = append(out, Spent{
			Role: role, CPU: spent, PerThousandCalls: per(spent*1000, to.Calls-from.Calls), PerRequest: per(spent, to.Requests-from.Requests),
		})
		total += spent
	}
	for i := range out {
		if total > 0 {
			out[i].Share = float64(out[i].CPU) / float64(total)
		}
	}
	slices.SortFunc(out, func(a, b Spent) int { return cmp.Or(cmp.Compare(b.CPU, a.CPU), cmp.Compare(a.Role, b.Role)) })
	return out, nil
}

func per(d time.Duration, n uint64) time.Duration {
	if n == 0 {
		return 0
	}
	return time.Duration(float64(d) / float64(n))
}

// Slice is a stretch of time: what the mesh (proxies and services) spent in it, and how many calls it carried.
type Slice struct {
	CPU   time.Duration
	Calls uint64
}

// MeshSlice is the stretch between two moments.
func MeshSlice(from, to Moment) Slice {
	mesh := func(m Moment) time.Duration { return m.CPU[control.Proxy] + m.CPU[control.Service] }
	return Slice{CPU: mesh(to) - mesh(from), Calls: to.Calls - from.Calls}
}

// Estimate is a mean with its 90 % interval, by Student's t distribution.
type Estimate struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	N    int     `json:"n"`
}

// Overhead returns the share of the mesh's CPU time for a call that telemetry costs: 1 - off/on. The slices alternate, on and off in
// turn, and are compared in pairs, so that what drifts slowly (temperature, neighbours) is in both of a pair. There have to be two pairs
// or more.
func Overhead(on, off []Slice) (Estimate, error) {
	if len(on) != len(off) || len(on) < 2 {
		return Estimate{}, fmt.Errorf("there are %d slices with telemetry and %d without: two pairs or more are needed", len(on), len(off))
	}
	shares := make([]float64, len(on))
	for i := range on {
		if on[i].Calls == 0 || off[i].Calls == 0 || on[i].CPU <= 0 || off[i].CPU <= 0 {
			return Estimate{}, fmt.Errorf("pair %d has a slice without calls or without CPU time", i+1)
		}
		shares[i] = 1 - float64(off[i].CPU)/float64(off[i].Calls)*float64(on[i].Calls)/float64(on[i].CPU)
	}
	return estimate(shares), nil
}

// estimate needs two values or more.
func estimate(values []float64) Estimate {
	n, sum, squares := float64(len(values)), 0.0, 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / n
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	half := student95(len(values)-1) * math.Sqrt(squares/(n-1)/n)
	return Estimate{Mean: mean, Low: mean - half, High: mean + half, N: len(values)}
}

// student95 is the 95 % quantile of Student's t distribution: from tables, and beyond them by the first terms of its expansion about the
// normal distribution (Abramowitz and Stegun 26.7.5).
func student95(degrees int) float64 {
	table := []float64{
		6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812,
		1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725,
	}
	if degrees <= len(table) {
		return table[degrees-1]
	}
	const z = 1.6449
	return z + (z*z*z+z)/(4*float64(degrees))
}
