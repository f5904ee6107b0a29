package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/schedule"
	"github.com/weirmesh/weir/lab/load/tally"
)

// Run sends the load until ctx ends, then waits for the requests that are under way. It returns an error if it cannot begin, or if its
// admin address fails.
func Run(ctx context.Context, cfg Config) (err error) {
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("configuration of the load: %w", err)
	}
	cfg.Load.Timeout = cmp.Or(cfg.Load.Timeout, DefaultTimeout)
	cfg.InFlight = cmp.Or(cfg.InFlight, DefaultInFlight)
	plan, err := cfg.plan()
	if err != nil {
		return fmt.Errorf("plan the load: %w", err)
	}
	counts, err := ledger.Open(cfg.Ledger, Process)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, counts.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Admin.String())
	if err != nil {
		return fmt.Errorf("listen for administrators: %w", err)
	}
	return newGenerator(cfg, plan, counts).run(ctx, listener)
}

// plan is what to send from Start on.
func (c Config) plan() (*schedule.Plan, error) {
	curve, err := schedule.Of(c.Load, func(name string) (io.ReadCloser, error) { return os.Open(name) })
	if err != nil {
		return nil, err
	}
	plan, err := schedule.New(curve, c.Entry, c.Seed)
	if err != nil {
		return nil, err
	}
	return plan, plan.Hold(0, c.Faults)
}

func newGenerator(cfg Config, plan *schedule.Plan, counts *ledger.Ledger) *generator {
	now := time.Now()
	start := now
	if !cfg.Start.IsZero() {
		start = now.Add(cfg.Start.Sub(now)) // the difference is that of the wall clock; what follows is monotonic
	}
	plan.Skip(now.Sub(start))
	return &generator{
		cfg: cfg, start: start, client: newClient(cfg.Target, cfg.Host), ledger: counts, tally: tally.New(), plan: plan,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// run serves administrators and sends until ctx ends or one of them fails.
func (g *generator) run(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: g.admin(), ReadHeaderTimeout: 10 * time.Second}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve administrators: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		g.progress(running, g.cfg.Progress)
		return nil
	})
	group.Go(func() error {
		g.send(running)
		// Every request ends by itself within its timeout.
		err := g.drain(context.WithoutCancel(ctx))
		g.client.close()
		return errors.Join(err, server.Close())
	})
	return group.Wait()
}
