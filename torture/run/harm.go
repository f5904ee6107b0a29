package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/torture/parts"
	"github.com/weirmesh/weir/torture/proxy"
	"github.com/weirmesh/weir/torture/rename"
)

const (
	disk = 4096 // MiB of a disk that has room
	// renameWithin is how long an insert is waited for.
	renameWithin = 20 * time.Second
	lookEvery    = 20 * time.Millisecond
)

// harmer does harm to a cluster. Harms of different parts may go on side by side; those of one part wait for each other.
type harmer struct {
	cfg      Config
	cluster  *parts.Cluster
	history  *history
	busy     map[string]*sync.Mutex
	killed   atomic.Int64 // processes
	previous atomic.Int64 // starts of the previous version

	mu     sync.Mutex // guards the rest
	begun  map[Kind]int
	starts map[string]int // of each part
	notes  map[string]int
}

func newHarmer(cfg Config, cluster *parts.Cluster, h *history) *harmer {
	m := &harmer{
		cfg: cfg, cluster: cluster, history: h, busy: map[string]*sync.Mutex{},
		begun: map[Kind]int{}, starts: map[string]int{}, notes: map[string]int{},
	}
	for _, name := range append(cluster.Parts(), cluster.Links()...) {
		m.busy[lock(name)] = &sync.Mutex{}
	}
	return m
}

// lock is what harms of a target wait for: Apache Kafka may lose one node at a time, and a collector that nobody reaches must not stand still
// too, so that what it holds is not written much later than what was sent elsewhere meanwhile.
func lock(target string) string {
	if strings.HasPrefix(target, "kafka-") {
		return "kafka"
	}
	return strings.TrimPrefix(target, "senders>")
}

// do does one harm and undoes it.
func (m *harmer) do(ctx context.Context, h Harm) error {
	locks := map[string]bool{}
	for _, target := range h.Targets {
		locks[lock(target)] = true
	}
	for _, name := range sorted(locks) {
		m.busy[name].Lock()
		defer m.busy[name].Unlock()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.mu.Lock()
	m.begun[h.Kind]++
	m.mu.Unlock()
	m.history.harm("begin", h, "")
	err := m.one(ctx, h)
	m.history.harm("end", h, said(err))
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s %v: %w", h.Kind, h.Targets, err)
	}
	return ctx.Err()
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func sorted(set map[string]bool) (out []string) {
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (m *harmer) one(ctx context.Context, h Harm) error {
	switch h.Kind {
	case Kill, Many, All, Away:
		return m.kill(ctx, h)
	case Rename:
		return m.rename(ctx, h)
	case Pause, Freeze:
		return errors.Join(m.cluster.Pause(h.Targets[0]), pause.For(ctx, h.For), m.cluster.Continue(h.Targets[0]))
	case Leave:
		return m.leave(ctx, h)
	case Full:
		return m.full(ctx, h)
	default:
		return m.link(ctx, h)
	}
}

// kill ends the targets at the same moment, and starts them again.
func (m *harmer) kill(ctx context.Context, h Harm) error {
	var all errgroup.Group
	for _, name := range h.Targets {
		all.Go(func() error {
			m.killed.Add(1)
			return m.cluster.Kill(name)
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	if err := pause.For(ctx, h.For); err != nil {
		return err
	}
	for _, name := range h.Targets {
		if err := m.start(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// rename kills the engine at a rename. Where nothing is renamed in time, it is killed at another moment.
func (m *harmer) rename(ctx context.Context, h Harm) error {
	within, cancel := context.WithTimeout(ctx, renameWithin)
	defer cancel()
	call, err := rename.Apart(within, m.cluster.Pid(storePart), rename.Point{Part: "tmp_insert_", Nth: h.Nth})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		m.note("a kill on a rename became a plain kill: " + plain(err))
		return m.kill(ctx, h)
	}
	m.killed.Add(1)
	m.history.add(event{What: "note", Text: fmt.Sprintf("killed at the rename of %s", call.Old)})
	if err := m.cluster.Wait(ctx, storePart); err != nil {
		return err
	}
	if err := pause.For(ctx, h.For); err != nil {
		return err
	}
	return m.start(ctx, storePart)
}

// plain is the cause of an error of package rename without its process's id.
func plain(err error) string {
	for _, cause := range []error{rename.ErrNotSupported, rename.ErrNotAllowed, rename.ErrNone, rename.ErrEnded} {
		if errors.Is(err, cause) {
			return cause.Error()
		}
	}
	return err.Error()
}

// note counts what is no fault and worth knowing.
func (m *harmer) note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes[text]++
	m.history.add(event{What: "note", Text: text})
}

// leave stops a part as an operator does. It may not come to its end while others are away; then it is killed.
func (m *harmer) leave(ctx context.Context, h Harm) error {
	if err := m.cluster.Stop(h.Targets[0]); err != nil {
		m.note("a part that was asked to end did not do so well: " + err.Error())
	}
	if err := pause.For(ctx, h.For); err != nil {
		return err
	}
	return m.start(ctx, h.Targets[0])
}

func (m *harmer) full(ctx context.Context, h Harm) error {
	if err := m.cluster.Fill(h.Targets[0], h.Nth); err != nil {
		return err
	}
	return errors.Join(pause.For(ctx, h.For), m.cluster.Grow(h.Targets[0], disk))
}

// link lets a link misbehave, where answers are dropped until enough of them are.
func (m *harmer) link(ctx context.Context, h Harm) error {
	l := m.cluster.Link(h.Targets[0])
	if l == nil {
		return fmt.Errorf("there is no link %s", h.Targets[0])
	}
	before := l.Dropped()
	l.Set(h.Behaviour)
	defer l.Heal()
	if h.Kind != Drop {
		return pause.For(ctx, h.For)
	}
	return m.dropped(ctx, l, before+h.Behaviour.Drop.Count, h.For)
}

func (m *harmer) dropped(ctx context.Context, l *proxy.Proxy, until int, within time.Duration) error {
	for end := time.Now().Add(within); l.Dropped() < until && time.Now().Before(end); {
		if err := pause.For(ctx, lookEvery); err != nil {
			return err
		}
	}
	return nil
}

// counts are how many harms of each kind have begun, and how many of them killed.
func (m *harmer) counts() (begun map[Kind]int, all, kills int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	begun = map[Kind]int{}
	for k, n := range m.begun {
		begun[k] = n
		all += n
		if (Harm{Kind: k}).Kills() {
			kills += n
		}
	}
	return begun, all, kills
}
