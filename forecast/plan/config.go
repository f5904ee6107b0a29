package plan

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Config says when what may be proposed.
type Config struct {
	// Quantile is what Outlook.High is: the probability that load stays below.
	Quantile float64
	// Headroom is added to the load before it is divided by the rating, as a share of it.
	Headroom float64
	// Stretch is how far beyond the loads that replicas have been seen to carry they are trusted before more are proposed, as a share of these
	// loads, as long as no ceiling is known there. Without it, each new high in the load of idle replicas would ask for more of them: some
	// 110 times on the first of four like days and 40 on each after; at a quarter it is 0 to 9 on the first and hardly any later (see
	// TestLikeDaysAskForNothing).
	Stretch float64
	// StretchCPU is the same where CPU use is known and follows load closely (R2 of at least closely): CPU use is a cost per call, so a
	// straight line is a law there and not only a habit, and the ceiling on it is known.
	StretchCPU float64
	// Tolerance is how far the replicas needed may be from those that run, as a share of these, before anything is proposed.
	Tolerance float64
	// MinMinutesOut is how many minutes of the last 24 h must have been seen before replicas are added.
	MinMinutesOut int
	// MinHistoryIn is how long a target must have been known before replicas are taken away, MinPresent the share of the minutes of the last
	// 24 h that must have been seen, MinCompleteness the least their completeness may have been at any time.
	MinHistoryIn    time.Duration
	MinPresent      float64
	MinCompleteness float64
	// MaxStepOut is the most a proposal may multiply replicas by, MaxStepIn the largest share that it may take away.
	MaxStepOut, MaxStepIn float64
	// MinReplicas is the fewest replicas that taking away may leave.
	MinReplicas int
	// ValidOut and ValidIn are how long proposals to add and to take away hold without being renewed, ValidDecline is that of declines.
	ValidOut, ValidIn, ValidDecline time.Duration
	// Model is the name under which decisions are made.
	Model schemas.Model
}

// DefaultConfig has the tolerance of Kubernetes' horizontal autoscaler, and as much headroom, so that what is tolerated does not exceed the
// rating.
func DefaultConfig() Config {
	return Config{
		Quantile: 0.9, Headroom: 0.10, Stretch: 0.25, StretchCPU: 1, Tolerance: 0.10,
		MinMinutesOut: 120, MinHistoryIn: 24 * time.Hour, MinPresent: 0.95, MinCompleteness: 0.98,
		MaxStepOut: 2, MaxStepIn: 0.5, MinReplicas: 1,
		ValidOut: 10 * time.Minute, ValidIn: time.Hour, ValidDecline: time.Hour,
		Model: schemas.Model{Name: "planner", Version: "1"},
	}
}

// Validate reports every setting that makes no sense, or would make taking replicas away less safe than it may be.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Quantile >= 0.5 && c.Quantile < 1, "the quantile %v is no upper one", c.Quantile)
	check(c.Headroom >= 0 && c.Headroom <= 10, "the headroom %v is not a share", c.Headroom)
	check(c.Stretch >= 0 && c.Stretch <= 1, "the stretch %v is not a share", c.Stretch)
	check(c.StretchCPU >= 0 && c.StretchCPU <= 1, "the stretch of CPU use %v is not a share", c.StretchCPU)
	check(c.Tolerance >= 0 && c.Tolerance < 1, "the tolerance %v is not a share", c.Tolerance)
	check(c.MinMinutesOut > 0 && c.MinMinutesOut <= minutesOfDay, "%d minutes cannot be demanded of a day", c.MinMinutesOut)
	check(c.MinHistoryIn >= 24*time.Hour, "a history of %v does not cover a day", c.MinHistoryIn)
	check(c.MinPresent > 0.5 && c.MinPresent <= 1, "%v of a day's minutes is not enough", c.MinPresent)
	check(c.MinCompleteness > 0.5 && c.MinCompleteness <= 1, "a completeness of %v is not enough", c.MinCompleteness)
	check(c.MaxStepOut > 1 && c.MaxStepOut <= 10, "a step of %v times is not between 1 and 10", c.MaxStepOut)
	check(c.MaxStepIn > 0 && c.MaxStepIn <= 0.5, "taking %v of the replicas at once is not at most half", c.MaxStepIn)
	check(c.MinReplicas >= 1, "the last replica cannot be taken")
	check(c.ValidOut >= time.Minute && c.ValidIn >= time.Minute && c.ValidDecline >= time.Minute, "decisions must hold for a minute")
	check(c.Model.Name != "", "the model has no name")
	return errors.Join(errs...)
}

const minutesOfDay = 24 * 60
