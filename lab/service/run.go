package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

const (
	finishWithin = 8 * time.Second // if the configuration says nothing else
	reportWithin = 3 * time.Second // the last telemetry
)

// Run runs an instance until ctx ends, or its server fails. Then it is not ready any more, finishes what it works on for up to
// cfg.Finish, and reports the rest of its telemetry for up to 3 s. The ledger is kept whatever happens.
func Run(ctx context.Context, cfg Config) (err error) {
	if err := cfg.validate(); err != nil {
		return err
	}
	book, err := ledger.Open(cfg.Ledger, cfg.Pod)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	p, err := newProcess(ctx, cfg, book)
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// process is an instance with all that goes with it.
type process struct {
	*instance
	tel    *telemetry
	server server
	admin  *http.Server
	ready  atomic.Bool
}

func newProcess(ctx context.Context, cfg Config, book *ledger.Ledger) (*process, error) {
	holding := newFaults(cfg.Faults, cfg)
	tel, err := newTelemetry(ctx, cfg, func() time.Duration { return holding.now.Load().clock })
	if err != nil {
		return nil, err
	}
	c := newChance(cfg.Seed, cfg.Pod)
	p := &process{tel: tel, instance: &instance{
		cfg: cfg, ledger: book, log: tel.log, chance: c, faults: holding,
		slots: newSlots(cfg.Version.Slots, cfg.Version.Waiting), memory: &memory{faults: holding},
		calls: newCalls(cfg, book, tel.log, c, tel),
	}}
	if cfg.Service.Kind == spec.Queue {
		p.queue = newQueue(p.instance, tel)
	}
	if cfg.Service.Protocol == spec.GRPC {
		p.server = newGRPCServer(p.instance, tel)
	} else {
		p.server = newHTTPServer(p.instance, tel)
	}
	p.admin = admin(p.instance, tel, &p.ready)
	return p, nil
}

// run serves until ctx ends or a server fails, and stops everything.
func (p *process) run(ctx context.Context) error {
	var background sync.WaitGroup
	defer background.Wait()
	working, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	p.stopped = working.Done()
	failed := make(chan error, 2)
	address := netip.AddrPortFrom(p.cfg.Listen, uint16(p.cfg.Service.Port))
	err := p.observe(p.tel)
	if err == nil {
		err = p.listen(address, &background, failed, p.server.serve)
	}
	if err == nil {
		err = p.listen(p.cfg.Admin, &background, failed, p.admin.Serve)
	}
	background.Go(func() { p.memory.run(working) })
	if p.queue != nil {
		p.queue.start(working)
	}
	if err == nil {
		p.ready.Store(true)
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	return errors.Join(err, p.stop(context.WithoutCancel(ctx), giveUp))
}

func (p *process) listen(at netip.AddrPort, background *sync.WaitGroup, failed chan<- error, serve func(net.Listener) error) error {
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return fmt.Errorf("instance %s: %w", p.cfg.Pod, err)
	}
	background.Go(func() {
		if err := serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve %s at %s: %w", p.cfg.Pod, at, err)
		}
	})
	return nil
}

// stop calls giveUp when it is time to give up what is not done, and when all is done.
func (p *process) stop(ctx context.Context, giveUp func()) error {
	p.ready.Store(false)
	finish, end := context.WithTimeout(ctx, cmp.Or(p.cfg.Finish, finishWithin))
	defer end()
	defer context.AfterFunc(finish, giveUp)()
	err := p.server.stop(finish)
	if p.queue != nil {
		p.queue.drain()
	}
	giveUp()
	report, end := context.WithTimeout(ctx, reportWithin)
	defer end()
	return errors.Join(err, p.calls.close(), p.tel.stop(report), p.admin.Close())
}
