package agent

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/spec"
)

// How an instance comes and goes.
const (
	retry      = 200 * time.Millisecond  // between looks at what is not as it should be
	linger     = 3 * time.Second         // from the pod's end to the processes': others have to hear of it
	grace      = 10 * time.Second        // from SIGTERM to SIGKILL
	finish     = 6 * time.Second         // of it, what a service has for requests under way; then it reports
	flush      = 1200 * time.Millisecond // longer than a proxy collects spans, see bootstrap
	askTimeout = 2 * time.Second         // for one question to a process
)

// instance brings one workload up, keeps it up and takes it down. Only its own goroutine, run, changes what no lock guards.
type instance struct {
	workload
	agent *Agent
	dir   string // of its files
	admin netip.AddrPort
	envoy netip.AddrPort

	wake    chan struct{} // something may have to be done
	left    chan struct{} // closed when the pod is gone
	gone    chan struct{} // closed when all of it is gone
	leaving sync.Once
	hurried chan struct{} // closed when somebody waits for the address or the name
	hurry   sync.Once

	mu    sync.Mutex
	state State  // guarded by mu
	parts []part // guarded by mu

	told    bool         // what the pod's annotation says: it serves
	applied []spec.Fault // what the service process has been told
	starts  int          // which of its lives that was in
}

// part is a program of the instance.
type part struct {
	name  string
	role  Role
	admin netip.AddrPort
	Program
}

// instance makes the files of an instance. Nothing runs yet.
func (a *Agent) instance(w workload) (*instance, error) {
	place, err := a.places(w.address)
	if err != nil {
		return nil, err
	}
	i := &instance{
		workload: w, agent: a, dir: filepath.Join(a.cfg.Run, "pods", w.name), envoy: netip.AddrPortFrom(place.admin, envoyAdminPort),
		wake: make(chan struct{}, 1), left: make(chan struct{}), gone: make(chan struct{}), hurried: make(chan struct{}), state: Starting,
	}
	if w.service != "" {
		i.admin = netip.AddrPortFrom(place.admin, appAdminPort)
	}
	return i, nil
}

// poke makes run look again.
func (i *instance) poke() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// leave says that the pod is gone. It may be called again.
func (i *instance) leave() { i.leaving.Do(func() { close(i.left) }) }

// makeWay says that somebody waits for the address or the name.
func (i *instance) makeWay() {
	i.leave()
	i.hurry.Do(func() { close(i.hurried) })
}

// info says how the instance is.
func (i *instance) info() Instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := Instance{
		Pod: i.name, Namespace: i.namespace, Service: i.service, Version: i.version, Region: i.region, VM: i.vm, IP: i.address,
		Admin: i.admin, Envoy: i.envoy, State: i.state,
	}
	for _, p := range i.parts {
		out.Processes = append(out.Processes, Process{Name: p.name, Role: p.role, Pid: p.Pid(), Starts: p.Starts()})
	}
	return out
}

func (i *instance) enter(s State) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.state = s
}

// run lives as long as the instance. before are instances that had its address or name and must be gone first.
func (i *instance) run(ctx context.Context, before []*instance) {
	for _, old := range before {
		old.makeWay()
		<-old.gone // at most linger and grace later
	}
	if i.over(ctx) {
		return
	}
	if err := i.bringUp(ctx); err != nil {
		i.agent.cfg.Logger.Error("Pod could not be started", "pod", i.name, "namespace", i.namespace, "error", err)
	}
	i.keepUp(ctx)
	i.takeDown(ctx)
}

func (i *instance) over(ctx context.Context) bool { return ctx.Err() != nil || i.isLeaving() }

func (i *instance) isLeaving() bool {
	select {
	case <-i.left:
		return true
	default:
		return false
	}
}

// bringUp starts the programs when it is this instance's turn, and gives the turn back when they serve or have had time enough.
func (i *instance) bringUp(ctx context.Context) error {
	if err := i.agent.turns.Acquire(ctx, 1); err != nil {
		return nil //nolint:nilerr // ctx ended: keepUp sees it too
	}
	defer i.agent.turns.Release(1)
	if err := i.start(ctx); err != nil {
		return err
	}
	wait, stop := context.WithTimeout(ctx, startTime)
	defer stop()
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for !i.ready(wait) {
		select {
		case <-i.left:
			return nil
		case <-wait.Done():
			return nil // keepUp goes on looking
		case <-tick.C:
		}
	}
	return nil
}

// start writes the files of the programs and starts them. They live until takeDown, whatever ctx does.
func (i *instance) start(ctx context.Context) error {
	specs, err := i.programs()
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range specs {
		p := i.agent.cfg.Keep(context.WithoutCancel(ctx), s.Spec, i.happened)
		i.parts = append(i.parts, part{name: s.Name, role: s.role, admin: s.admin, Program: p})
	}
	return nil
}

// happened hears of every start and end of a program, from the program's goroutine.
func (i *instance) happened(e process.Event) {
	if e.Ended && e.Pause > 0 {
		i.agent.cfg.Logger.Warn("Process ended", "name", e.Name, "pod", i.name, "error", e.Err, "pause", e.Pause)
	}
	i.poke()
}

// keepUp makes the pod say what is so, and the service process do what it must, until the pod is gone or ctx ends.
func (i *instance) keepUp(ctx context.Context) {
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for {
		again := tick.C
		if i.settle(ctx) {
			again = nil
		}
		select {
		case <-i.left:
			return
		case <-ctx.Done():
			return
		case <-i.wake:
		case <-again:
		}
	}
}

// settle does what there is to do, and reports whether everything is as it should be.
func (i *instance) settle(ctx context.Context) bool {
	ready := i.ready(ctx)
	if ready {
		i.enter(Serving)
	} else {
		i.enter(Starting)
	}
	if ready != i.told {
		if err := i.tell(ctx, ready); err != nil {
			i.agent.cfg.Logger.Warn("Pod could not be told", "pod", i.name, "namespace", i.namespace, "serving", ready, "error", err)
			return false
		}
		i.told = ready
	}
	return ready && i.applyFaults(ctx)
}

// takeDown lets the programs serve until others know that they go, and ends them: the service first, which may still call others
// through its proxy, then the proxy, once it has reported. When ctx has ended nobody waits for anything.
func (i *instance) takeDown(ctx context.Context) {
	i.enter(Leaving)
	i.pause(ctx, linger)
	i.mu.Lock()
	parts := i.parts
	i.mu.Unlock()
	for n, p := range parts {
		if n > 0 {
			i.pause(ctx, flush)
		}
		if err := p.Stop(grace); err != nil {
			i.agent.cfg.Logger.Warn("Process was killed", "pod", i.name, "error", err)
		}
	}
	if err := os.RemoveAll(i.dir); err != nil {
		i.agent.cfg.Logger.Warn("Files of a pod were left behind", "pod", i.name, "error", err)
	}
}

func (i *instance) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.hurried:
	case <-ctx.Done():
	}
}

// programs writes the files of the instance's programs.
func (i *instance) programs() ([]program, error) {
	if err := os.MkdirAll(i.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the pod's folder: %w", err)
	}
	var all []program
	if i.service != "" {
		app, err := i.app()
		if err != nil {
			return nil, err
		}
		all = append(all, app)
	}
	proxy, err := i.proxy()
	return append(all, proxy), err
}
