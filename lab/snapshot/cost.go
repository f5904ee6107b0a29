package snapshot

import (
	"context"
	"errors"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/ledger"
)

// Measured is what telemetry was found to cost.
type Measured struct {
	Share compare.Estimate // of the CPU time of proxies and services
	Spent []compare.Spent  // by role, while telemetry was on
}

// afterSwitch is how long proxies need to take on what istiod tells them.
const afterSwitch = 3 * time.Second

// Cost turns the telemetry of proxies on and off in turn and measures what the mesh spends. It ends with telemetry on. progress is told
// the number of each slice, from 1, before it begins.
func Cost(ctx context.Context, lab *control.Client, pairs int, slice time.Duration, progress func(i int, on bool)) (m Measured, err error) {
	if _, err := lab.Status(ctx); err != nil {
		return m, err
	}
	defer func() {
		back, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer stop()
		err = errors.Join(err, lab.Tracing(back, true))
	}()
	var on, off []compare.Slice
	for i := range 2 * pairs {
		// on, off, off, on, ...: what grows evenly is in both halves alike.
		enabled := i%4 == 0 || i%4 == 3
		progress(i+1, enabled)
		from, to, err := stretch(ctx, lab, enabled, slice)
		if err != nil {
			return m, err
		}
		if !enabled {
			off = append(off, compare.MeshSlice(from, to))
			continue
		}
		on = append(on, compare.MeshSlice(from, to))
		if m.Spent, err = compare.Spending(from, to); err != nil {
			return m, err
		}
	}
	m.Share, err = compare.Overhead(on, off)
	return m, err
}

// stretch measures a slice with telemetry on or off.
func stretch(ctx context.Context, lab *control.Client, on bool, length time.Duration) (from, to compare.Moment, err error) {
	if err = lab.Tracing(ctx, on); err != nil {
		return from, to, err
	}
	if err = wait(ctx, afterSwitch); err != nil {
		return from, to, err
	}
	if from, err = moment(ctx, lab); err != nil {
		return from, to, err
	}
	if err = wait(ctx, length); err != nil {
		return from, to, err
	}
	to, err = moment(ctx, lab)
	return from, to, err
}

// moment reads what has been spent and done so far.
func moment(ctx context.Context, lab *control.Client) (compare.Moment, error) {
	m := compare.Moment{CPU: map[control.Role]time.Duration{}}
	s, err := lab.Status(ctx)
	if err != nil {
		return m, err
	}
	for _, p := range s.Parts {
		m.CPU[p.Role] += p.CPU
	}
	counts, err := lab.Counts(ctx)
	if err != nil {
		return m, err
	}
	for k, n := range counts {
		switch {
		case k.Side == ledger.Received:
			m.Calls += n
		case k.From == "": // only the generator calls from outside
			m.Requests += n
		}
	}
	return m, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
