package load

import (
	"context"
	"sync"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/schedule"
	"github.com/weirmesh/weir/lab/load/tally"
)

// generator sends what the plan says. Its methods are safe for concurrent use, but for send, which is called once.
type generator struct {
	cfg    Config
	start  time.Time // of the schedule, with a monotonic clock
	client *client
	ledger *ledger.Ledger
	tally  *tally.Tally
	wake   chan struct{} // holds one: something was changed

	mu       sync.Mutex // guards what follows
	plan     *schedule.Plan
	paused   bool
	inFlight int
	ended    chan struct{} // closed and made anew whenever a request ends while somebody waits
	waiting  int           // those who wait for ended
}

// fine is the last part of a wait, which the kernel's timer measures.
const fine = 2 * time.Millisecond

// send begins each request at its time until ctx ends. It does not wait for the answers.
func (g *generator) send(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		switch due, ok := g.due(); {
		case !ok:
			g.idle(ctx, nil)
		case due > fine:
			timer.Reset(due - fine)
			g.idle(ctx, timer.C)
		case due > 0:
			rest(due)
		default:
			g.begin()
		}
	}
}

// idle waits until something was changed or a timer fires.
func (g *generator) idle(ctx context.Context, timer <-chan time.Time) {
	select {
	case <-ctx.Done():
	case <-g.wake:
	case <-timer:
	}
}

// due is how long it is until the next request; false when there is none before something is changed.
func (g *generator) due() (time.Duration, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.plan.Next()
	return at - time.Since(g.start), ok && !g.paused
}

// begin starts the next request if its time has come.
func (g *generator) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.plan.Next()
	if !ok || g.paused || at > time.Since(g.start) {
		return // changed in the meantime
	}
	r, _ := g.plan.Pop()
	if g.inFlight >= g.cfg.InFlight {
		g.tally.NotSent(g.start.Add(at), r.Endpoint, r.Kind)
		return
	}
	g.inFlight++
	go g.request(r)
}

// request sends one request and counts what became of it.
func (g *generator) request(r schedule.Request) {
	end := tally.End{Scheduled: g.start.Add(r.At), Sent: time.Now(), Endpoint: r.Endpoint, Kind: r.Kind}
	end.Outcome = g.client.ask(r, end.Sent.Add(g.cfg.Load.Timeout))
	end.Ended = time.Now()
	g.ledger.Add(ledger.Key{Side: ledger.Attempted, To: g.cfg.Entry.Name, Endpoint: r.Endpoint, Outcome: end.Outcome}, 1)
	g.tally.Add(end)

	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.waiting > 0 && g.inFlight == 0 {
		close(g.ended)
		g.ended = make(chan struct{})
	}
}

// change alters the plan at the present and wakes the sender.
func (g *generator) change(how func(p *schedule.Plan, now time.Duration) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := how(g.plan, time.Since(g.start))
	select {
	case g.wake <- struct{}{}:
	default: // it is awake
	}
	return err
}

// pause keeps new requests from starting and returns when none is under way, or with an error when ctx ends.
func (g *generator) pause(ctx context.Context) error {
	g.mu.Lock()
	g.paused = true
	g.mu.Unlock()
	return g.drain(ctx)
}

// drain waits until no request is under way.
func (g *generator) drain(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting++
	defer func() { g.waiting-- }()
	for g.inFlight > 0 {
		ended := g.ended
		g.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
		}
		g.mu.Lock()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// resume goes on. What the schedule had for the time of the pause is left out.
func (g *generator) resume() error {
	return g.change(func(p *schedule.Plan, now time.Duration) error {
		g.paused = false
		p.Skip(now)
		return nil
	})
}

// Counts are totals since the generator was started.
type Counts struct {
	tally.Totals
	InFlight int  `json:"in_flight"`
	Paused   bool `json:"paused"`
}

func (g *generator) counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Counts{Totals: g.tally.Totals(), InFlight: g.inFlight, Paused: g.paused}
}

// state is how many requests are under way and how many a second are wanted now.
func (g *generator) state() (at time.Duration, wanted float64, inFlight int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at = time.Since(g.start)
	if !g.paused {
		wanted = g.plan.Rate(max(at, 0))
	}
	return at, wanted, g.inFlight
}
