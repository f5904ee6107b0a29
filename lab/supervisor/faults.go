package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/spec"
)

// begin checks a fault, begins it and carries it out. What cannot be carried out does not hold.
func (s *Supervisor) begin(ctx context.Context, f control.NewFault) (control.Fault, error) {
	if err := s.cfg.Lab.CheckFault(f.Fault); err != nil {
		return control.Fault{}, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	if f.Kind == spec.Brownout && f.Instance == "" {
		f.Instance = s.pick(f.Fault)
	}
	s.faults.Lock()
	defer s.faults.Unlock()
	held, err := s.dial.On(f.Fault, f.Length, s.hit(f.Fault), time.Now())
	if err != nil {
		return held, err
	}
	if err := s.carryOut(ctx, held.Fault, true); err != nil {
		_, end := s.dial.Off(held.ID, time.Now())
		return held, errors.Join(fmt.Errorf("carry out %s: %w", held.ID, err), end, s.spread(ctx))
	}
	s.expireSoon()
	return held, nil
}

// end ends a fault.
func (s *Supervisor) end(ctx context.Context, id string) (control.Fault, error) {
	s.faults.Lock()
	defer s.faults.Unlock()
	t, err := s.dial.Off(id, time.Now())
	if err != nil {
		return control.Fault{}, err
	}
	return control.Fault{Truth: t}, s.carryOut(ctx, t.Fault, false)
}

// expire ends faults whose time is over, until ctx ends.
func (s *Supervisor) expire(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wake:
		}
		next, err := s.expired(ctx)
		if err != nil {
			s.log.Error("Fault could not be ended", "error", err)
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
	}
}

func (s *Supervisor) expired(ctx context.Context) (next time.Time, err error) {
	s.faults.Lock()
	defer s.faults.Unlock()
	ended, next, err := s.dial.Expire(time.Now())
	for _, t := range ended {
		err = errors.Join(err, s.carryOut(ctx, t.Fault, false))
	}
	return next, err
}

// retell tells the load generator again what holds, when it has been started anew.
func (s *Supervisor) retell(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.again:
		}
		err := poll(ctx, "the load generator does not listen", func() (bool, error) { return listens(ctx, s.ports.Load) })
		if err == nil {
			s.faults.Lock()
			err = s.tellLoad(ctx, s.dial.At(spec.AtLoad))
			s.faults.Unlock()
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("Load generator was not told which faults hold", "error", err)
		}
	}
}

func (s *Supervisor) expireSoon() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// carryOut does, or undoes, what a fault says. Instances and load are told everything that holds; what happens to the lab itself happens
// here.
func (s *Supervisor) carryOut(ctx context.Context, f spec.Fault, on bool) error {
	switch f.Kind {
	case spec.CollectorDown:
		return s.setCollector(ctx, f.Region, !on)
	case spec.ProxySilent:
		s.silence()
		return nil
	case spec.PriceChange:
		price := s.priceOf(f.Region)
		if on {
			price = f.Size
		}
		return s.cluster.setPrice(ctx, f.Region, strconv.FormatFloat(price, 'g', -1, 64))
	case spec.Deploy:
		if !on {
			return nil
		}
		return s.cluster.restart(ctx, s.cfg.Lab.Mesh.Namespace, f.Service+"-"+f.Version, time.Now())
	}
	return s.spread(ctx)
}

// spread tells instances and load which faults hold.
func (s *Supervisor) spread(ctx context.Context) error {
	s.agent.SetFaults(s.dial.At(spec.AtInstances))
	return s.tellLoad(ctx, s.dial.At(spec.AtLoad))
}

// hit returns the pods that a fault hits.
func (s *Supervisor) hit(f spec.Fault) []string {
	info, ok := f.Kind.Info()
	if !ok || info.Where == spec.AtLoad || f.Kind == spec.CollectorDown || f.Kind == spec.PriceChange {
		return nil
	}
	var pods []string
	for _, i := range s.agent.Instances() {
		if agent.Hits(f, i) {
			pods = append(pods, i.Pod)
		}
	}
	slices.Sort(pods)
	if f.Kind == spec.ProxySilent && f.Size > 0 && f.Size < 1 {
		pods = pods[:max(1, int(f.Size*float64(len(pods))+0.5))]
	}
	return pods
}

// pick chooses one instance of a service, the same one each time.
func (s *Supervisor) pick(f spec.Fault) string {
	pods := s.hit(f)
	if len(pods) == 0 {
		return ""
	}
	return pods[int(s.cfg.Lab.Seed%uint64(len(pods)))]
}

func (s *Supervisor) priceOf(region string) float64 {
	r, _ := s.cfg.Lab.Mesh.Region(region)
	return r.Price
}
