package capacity

import (
	"errors"
	"fmt"
)

// Config says when a fit may be trusted.
type Config struct {
	// Keep is how many minutes are kept, the newest.
	Keep int
	// MinPoints is the fewest minutes a fit may rest on.
	MinPoints int
	// Bins is how many levels of load the minutes are averaged into, equally many in each. At least 3.
	Bins int
	// TargetCPU is the share of its CPU limit that a replica should use at most.
	TargetCPU float64
	// MinVariation is how far the load per replica must have varied, as a share of the highest.
	MinVariation float64
	// MinR2 is the smallest share of the differences between the bins that load must explain.
	MinR2 float64
	// Margin is how far beyond the loads that were seen a rating by CPU may go, as a share of them.
	Margin float64
	// MaxSlowdown is up to what multiple of the median latency a minute is healthy. It matters where CPU is not known.
	MaxSlowdown float64
}

// DefaultConfig keeps a week, and needs two hours in which load varied by a fifth. Pure chance reaches the R2 of 0.6 with 20 bins about
// once in 15,000 fits (R2 is then distributed as Beta(1/2, 9)).
func DefaultConfig() Config {
	return Config{
		Keep: 7 * 24 * 60, MinPoints: 120, Bins: 20, TargetCPU: 0.6, MinVariation: 0.2, MinR2: 0.6, Margin: 0.10, MaxSlowdown: 2,
	}
}

// Validate reports every setting that makes no sense.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Bins >= 3, "%d bins are too few for a line", c.Bins)
	check(c.MinPoints >= c.Bins, "%d points cannot fill %d bins", c.MinPoints, c.Bins)
	check(c.Keep >= c.MinPoints, "keeping %d points never gives the %d that are needed", c.Keep, c.MinPoints)
	check(c.TargetCPU > 0 && c.TargetCPU <= 1, "the CPU target %v is not a share above 0", c.TargetCPU)
	check(c.MinVariation > 0 && c.MinVariation < 1, "the variation %v is not a share", c.MinVariation)
	check(c.MinR2 >= 0 && c.MinR2 < 1, "the R2 %v is not a share", c.MinR2)
	check(c.Margin >= 0 && c.Margin < 1, "the margin %v is not a share", c.Margin)
	check(c.MaxSlowdown >= 1, "the slowdown %v is below 1", c.MaxSlowdown)
	return errors.Join(errs...)
}
