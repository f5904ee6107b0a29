package supervisor

import (
	"fmt"
	"time"

	"github.com/weirmesh/weir/lab/control"
)

func (s *Supervisor) setPhase(p control.Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == control.Failed {
		return // why it failed is what people want to read until the end
	}
	s.phase = p
	if p == control.Ready {
		s.ready = time.Now()
	}
}

// is reports whether the lab is in a phase. What is set while it starts may be used from Ready on.
func (s *Supervisor) is(p control.Phase) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == p
}

func (s *Supervisor) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.failure = control.Failed, err
	s.log.Error("Lab could not be started", "error", err)
}

// step runs f as a step that people see.
func (s *Supervisor) step(name string, f func() error) error {
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.stepDone(name)
	return nil
}

// stepDone ends a step, which began when the one before had ended.
func (s *Supervisor) stepDone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := s.started
	if n := len(s.steps); n > 0 {
		began = s.steps[n-1].Ended
	}
	s.steps = append(s.steps, control.Step{Name: name, Began: began, Ended: time.Now()})
}
