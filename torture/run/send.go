package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/torture/check"
	"github.com/weirmesh/weir/torture/traffic"
)

const (
	retryMin = 50 * time.Millisecond
	retryMax = time.Second
	// patience is how many attempts in a row may find nobody before a request goes to another collector. A collector that answers keeps its
	// requests: what one that stood still writes long after another one took the same request may be beyond what a join remembers.
	patience = 10
)

// sender sends requests until they are acknowledged. It is safe for concurrent use.
type sender struct {
	seed     uint64
	clients  []*client
	gate     *traffic.Gate
	checker  *check.Checker
	history  *history
	acked    atomic.Int64
	attempts atomic.Int64
	rejected atomic.Int64
}

// send returns when the request is acknowledged, or with an error that a sender does not try again after.
func (s *sender) send(ctx context.Context, r request) error {
	at, unanswered := int((uint64(r.index)*2654435761+s.seed)>>7)%len(s.clients), 0
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		to := s.clients[at]
		s.attempts.Add(1)
		s.history.request("send", r.index, to.name, "")
		rejected, err := to.once(ctx, r.traces)
		if err == nil {
			s.rejected.Add(rejected)
			return s.acknowledged(r.index, to.name)
		}
		s.history.request("fail", r.index, to.name, err.Error())
		if !again(err) {
			return fmt.Errorf("%s refuses request %d, which a sender would not send again: %w", to.name, r.index, err)
		}
		if unanswered++; !unreached(err) {
			unanswered = 0
		}
		if unanswered >= patience {
			at, unanswered = (at+1)%len(s.clients), 0
		}
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
	}
}

// acknowledged takes down that a request is acknowledged, before anything that waits for that is sent.
func (s *sender) acknowledged(index int, by string) error {
	s.history.request("ack", index, by, "")
	if err := s.checker.Acknowledged(index); err != nil {
		return err
	}
	s.acked.Add(1)
	s.gate.Leave(index)
	return nil
}

func (s *sender) close() error {
	var all []error
	for _, c := range s.clients {
		all = append(all, c.conn.Close())
	}
	return errors.Join(all...)
}
