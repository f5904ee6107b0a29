package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/sim/scenario"
	"github.com/weirmesh/weir/store"
)

func demoCommand() *cobra.Command {
	var o scenarioOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch Weir at work on a simulated mesh, in about a minute",
		Long: "Runs two days and a morning of a simulated shop through a Weir of its own: it learns the load, forecasts a ramp, finds a bad release,\n" +
			"and says what it would do. Everything it prints can be asked again afterwards. The same --seed gives the same ids.\n" +
			"The data directory must be new.",
		Example: "  weir demo --data-dir demo-data\n  weir demo --data-dir other --seed 7\n  weir demo --data-dir quiet --healthy",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.scenario(cmd)
			if err != nil {
				return err
			}
			a, err := newTool(cmd, stackParts()...)
			if err != nil {
				return err
			}
			return a.demo(cmd.Context(), s, cmd.OutOrStdout())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	keyFlag(f, "library", "clickhouse.library")
	keyFlag(f, "memory-mib", "clickhouse.memory_mib")
	return cmd
}

// demo is a scenario run for somebody who watches.
type demo struct {
	*stack
	run    *simulation
	screen *screen
	spans  atomic.Int64
	until  atomic.Int64 // simulated time, Unix ns
	told   map[string]bool
	began  time.Time
}

func (a *app) demo(ctx context.Context, s scenario.Scenario, out io.Writer) error {
	if err := newDirectory(a.cfg.DataDir); err != nil {
		return err
	}
	run, err := newSimulation(s, 0)
	if err != nil {
		return err
	}
	dir := filepath.Join(a.cfg.DataDir, "sim")
	if a.cfg.Actuator.Manifests, err = run.folder(dir); err != nil {
		return err
	}
	d := &demo{run: run, screen: newScreen(out), told: map[string]bool{}, began: time.Now()}
	d.until.Store(s.Mesh.Start.UnixNano())
	run.said = func(spans int64, until time.Time) {
		d.spans.Store(spans)
		d.until.Store(until.UnixNano())
	}
	d.intro()
	var summary *ending
	err = a.ownStack(ctx, func(ctx context.Context, up *stack) error {
		d.stack = up
		if err := d.watch(ctx); err != nil {
			return err
		}
		if err := run.truth(dir); err != nil {
			return err
		}
		summary, err = d.ending(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return summary.print(out, os.Args[0], a.cfg.DataDir)
}

// newDirectory refuses a directory that holds something: the demo's ids are those of an empty store.
func newDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look into %s: %w", dir, err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: the demo needs a data directory of its own, name another --data-dir", dir)
	}
	return nil
}

func (d *demo) intro() {
	m := d.run.scenario.Mesh
	d.screen.say("A simulated mesh, %q with seed %d: %d services, %s of traffic from %s.", m.Name, d.run.scenario.Seed, len(m.Services),
		hoursAndMinutes(m.Length), m.Start.Format("Monday 2 January 2006 15:04"))
	d.screen.say("It runs through the front door faster than life. Weir knows nothing about it yet, and only reports: nothing is applied.")
	d.screen.say("")
}

// watch runs the simulation to its end and tells what Weir says meanwhile.
func (d *demo) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := background(ctx, func(ctx context.Context) error {
		return d.simulateThrough(ctx, d.run, d.addresses.OTLPGRPC, d.kafka, d.store)
	})
	defer work.end()
	for {
		select {
		case <-work.done:
			d.screen.clear()
			return errors.Join(work.stop(), d.tell(context.WithoutCancel(ctx)))
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if err := d.tell(ctx); err != nil {
			return err
		}
		d.progress()
		if err := pause.For(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (d *demo) progress() {
	m := d.run.scenario.Mesh
	at, spans := time.Unix(0, d.until.Load()).UTC(), d.spans.Load()
	d.screen.status(float64(at.Sub(m.Start))/float64(m.Length), fmt.Sprintf("%s  %.1f M spans, %.0f k a second", at.Format("Mon 15:04"),
		float64(spans)/1e6, float64(spans)/1e3/time.Since(d.began).Seconds()))
}

// tell prints the findings and proposals that are new: each finding when it fires and resolves, each proposal once for its value.
func (d *demo) tell(ctx context.Context) error {
	findings, err := d.store.Findings(ctx, store.Query{})
	if err != nil {
		return err
	}
	for _, f := range findings {
		if f.State == schemas.Pending || !d.once(f.ID+string(f.State)) {
			continue
		}
		d.screen.say("%s  finding    %s %s: %s (%s)", f.UpdatedAt.Format("Mon 15:04:05"), f.Workload.Name, f.Workload.Version, oneLine(f.Explanation), f.ID)
	}
	decisions, err := d.store.Decisions(ctx, store.Query{Verdicts: []string{string(schemas.Propose)}})
	if err != nil {
		return err
	}
	for _, p := range decisions {
		if d.once(fmt.Sprintf("%s %s %g", p.Kind, p.Target.Versioned(), p.Proposed)) {
			d.screen.say("%s  proposal   %s (%s)", p.MadeAt.Format("Mon 15:04:05"), oneLine(p.Reason), p.ID)
		}
	}
	return nil
}

func (d *demo) once(key string) bool {
	if d.told[key] {
		return false
	}
	d.told[key] = true
	return true
}

func hoursAndMinutes(d time.Duration) string {
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}
