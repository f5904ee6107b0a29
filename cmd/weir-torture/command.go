package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/torture/apache"
	"github.com/weirmesh/weir/torture/run"
)

// options are what the command line says beside a run.Config.
type options struct {
	run    run.Config
	kafka  string
	format string
	output string
	keep   bool
}

const example = `  weir-torture --calls 1000000 --kills 30 --seed 7
  weir-torture --calls 500000 --kills 20 --kafka apache --collectors 2 --features 3
  weir-torture --calls 1000000 --previous old/bin/weir     # every restart takes one of two versions
  weir-torture --recording 2022-08-22/trace --format nezha --kills 20`

func newCommand(out, log io.Writer) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "weir-torture",
		Short: "Hurt Weir in every way while it counts, and hold the counts to the truth",
		Long: "Starts collectors, Kafka, features workers and ClickHouse, each a process of its own; sends telemetry whose truth is known; kills,\n" +
			"pauses, cuts and fills them meanwhile, by a plan that the seed gives; and compares the log with what was acknowledged and\n" +
			"every window with the truth. Exit code 1 says that something is wrong: the folder with data, logs and history is kept then.",
		Example: example, Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.start(cmd, out, log) },
	}
	cmd.SetOut(out)
	cmd.SetErr(log)
	o.flags(cmd)
	cli.Strict(cmd)
	return cmd
}

func (o *options) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Uint64Var(&o.run.Seed, "seed", 1, "of the traffic and of the plan")
	f.IntVar(&o.run.Calls, "calls", 1_000_000, "calls to be made and counted")
	f.IntVar(&o.run.Kills, "kills", 30, "how often something is killed; as many harms of other kinds come besides")
	f.StringVar(&o.kafka, "kafka", "embedded", "embedded or apache (two nodes of Apache Kafka, see make kafka)")
	f.IntVar(&o.run.Partitions, "partitions", 4, "of each topic")
	f.IntVar(&o.run.Collectors, "collectors", 2, "how many collectors")
	f.IntVar(&o.run.Features, "features", 2, "how many features workers")
	f.StringVar(&o.run.Weir, "weir", os.Getenv("WEIR_BIN"), "the `binary`; WEIR_BIN, else the weir beside this program")
	f.StringVar(&o.run.Previous, "previous", "", "a `binary` of another version: each start of a collector or features worker picks one of the two")
	f.StringVar(&o.run.Dir, "out", "", "`folder` for data, logs, history.jsonl and report.json (default: a new one in the system's temporary folder)")
	f.BoolVar(&o.keep, "keep", false, "keep data and logs even if nothing is wrong")
	f.StringVar(&o.run.Recording, "recording", "", "`path` of a recording to send in place of made traffic")
	f.StringVar(&o.format, "format", "nezha", "of the recording: nezha or otlp-json")
	f.DurationVar(&o.run.Away, "away", 2*time.Minute, "how long ClickHouse is away once (3s with --short)")
	f.BoolVar(&o.run.Short, "short", false, "nothing that lasts longer than a few seconds")
	cli.Output(f, &o.output, "text or json", "text", "json")
}

// settle makes a run.Config of the flags.
func (o *options) settle(cmd *cobra.Command) (err error) {
	switch o.kafka {
	case "embedded":
	case "apache":
		o.run.Apache = 2
		if o.run.Home, err = apache.Find(); err != nil {
			return err
		}
	default:
		return cli.UsageError{Err: fmt.Errorf("--kafka is %q: take embedded or apache", o.kafka)}
	}
	if o.run.Short && !cmd.Flags().Changed("away") {
		o.run.Away = 3 * time.Second
	}
	o.run.Format, o.run.Disks = recording.Format(o.format), os.Getuid() == 0
	for _, binary := range []*string{&o.run.Weir, &o.run.Previous} {
		if *binary, err = program(*binary, binary == &o.run.Weir); err != nil {
			return err
		}
	}
	if o.run.Dir == "" {
		o.run.Dir, err = os.MkdirTemp("", "weir-torture-")
	} else {
		o.run.Dir, err = filepath.Abs(o.run.Dir)
	}
	return err
}

// program finds a binary, where needed the weir beside this program.
func program(path string, needed bool) (string, error) {
	if path == "" && !needed {
		return "", nil
	}
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), "weir")
	}
	if _, err := os.Stat(path); err != nil {
		return "", cli.UsageError{Err: fmt.Errorf("there is no binary: %w (make build)", err)}
	}
	return filepath.Abs(path)
}

func (o *options) start(cmd *cobra.Command, out, log io.Writer) error {
	if err := o.settle(cmd); err != nil {
		return err
	}
	show := newMeter(log)
	o.run.Tell = show.tell
	report, err := run.Run(cmd.Context(), o.run)
	show.clear()
	if errors.Is(err, run.ErrConfig) {
		return cli.UsageError{Err: err}
	}
	if err == nil {
		err = errors.Join(o.print(out, report), o.save(report))
		if wrong := report.Err(); wrong != nil {
			err = errors.Join(err, fmt.Errorf("weir counted wrongly: %w", wrong))
		}
	}
	if err != nil {
		return fmt.Errorf("%w\nseed %d; data, logs and history are kept in %s", err, o.run.Seed, o.run.Dir)
	}
	if o.keep {
		return nil
	}
	return os.RemoveAll(filepath.Join(o.run.Dir, "cluster"))
}

func (o *options) print(out io.Writer, report run.Report) error {
	if o.output == "json" {
		text, err := json.MarshalIndent(report, "", "  ")
		if err == nil {
			_, err = fmt.Fprintln(out, string(text))
		}
		return err
	}
	_, err := fmt.Fprint(out, report)
	return err
}

func (o *options) save(report run.Report) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.run.Dir, "report.json"), append(text, '\n'), 0o644)
}
