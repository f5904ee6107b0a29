package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/ingest/replay"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/sim/mesh"
	"github.com/weirmesh/weir/sim/scenario"
	"github.com/weirmesh/weir/store/clickhouse"
)

// scenarioOptions are the flags that choose what is simulated.
type scenarioOptions struct {
	file, preset, rates string
	seed                uint64
	scale               float64
	healthy             bool
	length              time.Duration
	start               string
}

func (o *scenarioOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.file, "scenario", "", "`FILE` with a scenario (YAML); weir sim example prints one")
	f.StringVar(&o.preset, "preset", string(scenario.ShopPreset), "what to simulate without a file: shop or single")
	f.Uint64Var(&o.seed, "seed", 1, "chance: the same seed gives the same mesh, calls and faults")
	f.BoolVar(&o.healthy, "healthy", false, "leave the faults out")
}

// scenario reads or makes what is to be simulated.
func (o *scenarioOptions) scenario(cmd *cobra.Command) (s scenario.Scenario, err error) {
	switch {
	case o.file != "":
		text, err := os.ReadFile(o.file)
		if err != nil {
			return s, fmt.Errorf("read scenario: %w", err)
		}
		if s, err = scenario.Decode(text); err != nil {
			return s, cli.UsageError{Err: err}
		}
		if cmd.Flags().Changed("seed") {
			s.Seed = o.seed
		}
	case o.preset == string(scenario.ShopPreset):
		s = scenario.Default(o.seed)
	case o.preset == string(scenario.SinglePreset):
		s = scenario.Single(o.seed)
	default:
		return s, cli.UsageError{Err: fmt.Errorf("preset %q is not known: shop or single", o.preset)}
	}
	s.Healthy = s.Healthy || o.healthy
	if o.rates != "" {
		s.Rates.File, s.Rates.Scale = o.rates, o.scale
		s.Mesh.Start, s.Mesh.Length, s.Mesh.Events, s.Mesh.Faults = time.Time{}, 0, nil, nil
	}
	if o.start != "" {
		if s.Mesh.Start, err = startTime(o.start); err != nil {
			return s, err
		}
	}
	if o.length > 0 {
		s.Mesh.Length = o.length
		s.Mesh.Events = slices.DeleteFunc(s.Mesh.Events, func(e mesh.Event) bool { return e.From >= o.length || -e.From > o.length })
		s.Mesh.Faults = slices.DeleteFunc(s.Mesh.Faults, func(f mesh.Fault) bool { return f.From >= o.length || -f.From > o.length })
	}
	if err := s.Open(openRates); err != nil {
		return s, cli.UsageError{Err: err}
	}
	return s, nil
}

func startTime(text string) (time.Time, error) {
	if text == "now" {
		return time.Now().UTC().Truncate(time.Minute), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, cli.UsageError{Err: fmt.Errorf("--start %q is no time: write now, or a time like 2026-03-02T00:00:00Z", text)}
	}
	return at, nil
}

func simCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Simulate a service mesh that sends its telemetry to Weir",
		Long: "Simulates a seeded mesh: requests arrive, queue, are worked on, call other services, fail and are repeated. It speaks OTLP, writes\n" +
			"its Deployments and VirtualServices as manifests, and the truth about what happened beside them.",
	}
	cmd.AddCommand(simRunCommand(), &cobra.Command{
		Use: "example", Short: "Print a scenario with every key and its meaning", Example: "  weir sim example > shop.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(scenario.Example())
			return err
		},
	})
	return cmd
}

// simOptions are the flags of `weir sim run`.
type simOptions struct {
	scenarioOptions
	out, to, record string
	speed           float64
}

func simRunCommand() *cobra.Command {
	var o simOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a scenario through Weir, to another collector, or into a file",
		Long: "Sends what the mesh reports to the Weir that runs on --data-dir, or starts one for the call, and waits until everything is counted\n" +
			"and decided about. With --to it only sends, with --record it only writes a recording that `weir replay --format otlp-json` takes.",
		Example: "  weir sim run --seed 7 --out sim\n" +
			"  weir sim run --scenario shop.yaml --healthy --record shop.jsonl\n" +
			"  weir sim run --preset single --rates requests.csv.gz --data-dir series   # a recorded series as load\n" +
			"  weir sim run --start now --speed 1 --to 127.0.0.1:4317                   # live",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.to != "" && o.record != "" {
				return cli.UsageError{Err: errors.New("--to sends and --record writes: give one of them")}
			}
			if o.speed < 0 || o.scale <= 0 || o.length < 0 {
				return cli.UsageError{Err: errors.New("--speed and --length must not be negative, --scale must be above 0")}
			}
			s, err := o.scenario(cmd)
			if err != nil {
				return err
			}
			a, err := newTool(cmd, stackParts()...)
			if err != nil {
				return err
			}
			return a.simulate(cmd.Context(), s, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.rates, "rates", "", "series of arrivals as the load (CSV: minute,count or ts,value; .gz is read too)")
	f.Float64Var(&o.scale, "scale", 1, "requests for each that the series has")
	f.DurationVar(&o.length, "length", 0, "length of the run, without the events and faults that lie outside; 0 for the scenario's")
	f.StringVar(&o.start, "start", "", "start of the run: now, or a time (RFC 3339); empty for the scenario's")
	f.Float64Var(&o.speed, "speed", 0, "simulated seconds in a second; 0 for as fast as it is taken, 1 for live")
	f.StringVar(&o.out, "out", "", "folder for manifests/ and truth.json; empty for <data-dir>/sim")
	f.StringVar(&o.to, "to", "", "collector to send to (OTLP/gRPC, host:port) in place of a Weir of this data directory")
	f.StringVar(&o.record, "record", "", "file to write in place of sending")
	stackFlags(cmd)
	return cmd
}

// simulate runs a scenario to where the options say.
func (a *app) simulate(ctx context.Context, s scenario.Scenario, o simOptions, out, errOut io.Writer) error {
	run, err := newSimulation(s, o.speed)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = filepath.Join(a.cfg.DataDir, "sim")
	}
	manifests, err := run.folder(o.out)
	if err != nil {
		return err
	}
	stop := run.meter(errOut)
	switch {
	case o.record != "":
		err = run.recordFile(ctx, o.record)
	case o.to != "":
		err = a.simulateTo(ctx, run, o.to)
	default:
		err = a.simulateOn(ctx, run, manifests)
	}
	stop()
	if err != nil {
		return err
	}
	if err := run.truth(o.out); err != nil {
		return err
	}
	var offered uint64
	for _, total := range run.mesh.Truth().Totals {
		offered += total.Offered
	}
	_, err = fmt.Fprintf(out, "%d calls of %d services; manifests and truth are in %s\n", offered, len(s.Mesh.Services), o.out)
	return err
}

func (s *simulation) recordFile(ctx context.Context, name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return s.stream(ctx, recordTo(f))
}

func (a *app) simulateTo(ctx context.Context, s *simulation, address string) (err error) {
	tls := a.client
	if a.server == nil {
		tls = nil
	}
	client, err := replay.Dial(address, tls)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return s.stream(ctx, client.Send)
}

// simulateOn runs on the Weir of the data directory, or on one started for the call, and waits until everything is decided about.
func (a *app) simulateOn(ctx context.Context, s *simulation, manifests string) error {
	running, live, err := lock.ReadAddresses(a.cfg.DataDir)
	if err != nil {
		return err
	}
	if !live || running.OTLPGRPC == "" {
		if a.cfg.Actuator.Kubeconfig == "" && a.cfg.Actuator.Manifests == "" {
			a.cfg.Actuator.Manifests = manifests
		}
		return a.ownStack(ctx, func(ctx context.Context, up *stack) error {
			return a.simulateThrough(ctx, s, up.addresses.OTLPGRPC, up.kafka, up.store)
		})
	}
	return a.withRunningKafka(func(k *kafka.Client) error {
		return a.withStore(ctx, func(c *clickhouse.Client) error {
			if err := learnEpochs(ctx, k, c); err != nil {
				return err
			}
			return a.simulateThrough(ctx, s, running.OTLPGRPC, k, c)
		})
	})
}

// manyDays is as many as collector.max_days can be.
const manyDays = 3650

// ownStack runs body on a Weir of its own, on a port of its own. Nobody but body sends there, so what guards against strangers' clocks would
// only cost recordings of other times.
func (a *app) ownStack(ctx context.Context, body func(context.Context, *stack) error) (err error) {
	a.cfg.Collector.HTTP, a.cfg.Collector.MaxDays, a.cfg.Collector.MaxFuture, a.cfg.Collector.MaxPast = "", manyDays, 0, 0
	if a.cfg.Collector.GRPC, err = freeAddress(); err != nil {
		return err
	}
	return a.runStack(ctx, body)
}

func (a *app) simulateThrough(ctx context.Context, s *simulation, address string, k *kafka.Client, c *clickhouse.Client) error {
	if err := a.simulateTo(ctx, s, address); err != nil {
		return err
	}
	closing := s.closing(a.cfg.Features.Lateness)
	if err := endStream(ctx, k, closing, "sim"); err != nil {
		return err
	}
	if err := untilDurable(ctx, k); err != nil {
		return err
	}
	return untilDecided(ctx, c, closing.Add(-a.cfg.Features.Lateness).Truncate(time.Minute))
}

// meter shows once a second how far the run has come.
func (s *simulation) meter(out io.Writer) (stop func()) {
	var spans, until atomic.Int64
	until.Store(s.scenario.Mesh.Start.UnixNano())
	s.said = func(n int64, at time.Time) {
		spans.Store(n)
		until.Store(at.UnixNano())
	}
	began := time.Now()
	return showEverySecond(out, func() (float64, string) {
		at := time.Unix(0, until.Load()).UTC()
		part := float64(at.Sub(s.scenario.Mesh.Start)) / float64(s.end.Sub(s.scenario.Mesh.Start))
		return part, fmt.Sprintf("%s  %d spans sent, %.0f a second", at.Format("Mon 02 Jan 15:04"), spans.Load(), float64(spans.Load())/time.Since(began).Seconds())
	})
}
