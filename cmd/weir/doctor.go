package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/internal/doctor"
)

// doctorOptions are the flags of `weir doctor`.
type doctorOptions struct {
	output, otlp string
	probe, force bool
	within       time.Duration
}

func doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check a deployment end to end, and say what is wrong and how to mend it",
		Long: "Checks the configuration, keys and this machine; addresses, certificates and clocks; topics, groups, schema, disks and parts; how\n" +
			"data passes, and what is odd about the telemetry itself. It asks the Weir that runs on --data-dir, or --kafka and --clickhouse,\n" +
			"and changes nothing. With --probe it also sends a trace of two spans of now, workloads weir-doctor/caller and weir-doctor/callee,\n" +
			"and follows it to service_windows; where all data is more than a day old, as after a demo, only with --force. Exit code 1 where a check failed.",
		Example: "  weir doctor\n  weir doctor --kafka kafka-1:9092 --clickhouse ch:8123 --otlp collector:4317 --probe\n" +
			"  weir doctor -o json | jq '.[] | select(.level == \"failed\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			results, err := examine(cmd, o)
			if err != nil {
				return err
			}
			if err := printResults(cmd.OutOrStdout(), results, o.output); err != nil {
				return err
			}
			if n := doctor.Count(results, doctor.Failed); n > 0 {
				return fmt.Errorf("%d of %d checks failed", n, len(results))
			}
			return nil
		},
	}
	f := cmd.Flags()
	cli.Output(f, &o.output, "text or json", "text", "json")
	f.StringVar(&o.otlp, "otlp", "", "collector to try (OTLP/gRPC, host:port); empty for the one that runs on --data-dir")
	f.BoolVar(&o.probe, "probe", false, "send a trace of two spans and follow it")
	f.BoolVar(&o.force, "force", false, "with --probe: also where all data is more than a day old")
	f.DurationVar(&o.within, "within", 30*time.Second, "time that --probe allows")
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "clickhouse", "clickhouse.address")
	return cmd
}

// examine gathers and judges. A configuration that cannot be loaded is a finding like any other, and the only one.
func examine(cmd *cobra.Command, o doctorOptions) ([]doctor.Result, error) {
	if _, _, err := loadConfig(cmd, os.Environ()); err != nil {
		return []doctor.Result{{
			Check: "config.load", Level: doctor.Failed, Finding: err.Error(), Advice: "`weir config explain` lists every key",
		}}, nil
	}
	a, err := newTool(cmd)
	if err != nil {
		return []doctor.Result{{
			Check: "config.tls", Level: doctor.Failed, Finding: err.Error(), Advice: "mend the files that tls.cert_file, tls.key_file and tls.ca_file name",
		}}, nil
	}
	g := &examiner{app: a, now: time.Now, say: func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), "doctor:", what) }}
	facts, err := g.gather(cmd.Context(), o)
	if err != nil {
		return nil, err
	}
	return doctor.Check(facts), nil
}

func printResults(out io.Writer, results []doctor.Result, format string) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(results)
	}
	for _, r := range results {
		fmt.Fprintf(out, "%-8s %-24s %s\n", r.Level, r.Check, r.Finding)
		if r.Advice != "" && r.Level != doctor.OK {
			fmt.Fprintf(out, "%-8s %-24s -> %s\n", "", "", r.Advice)
		}
	}
	_, err := fmt.Fprintf(out, "\n%d ok, %d warnings, %d failed, %d skipped\n", doctor.Count(results, doctor.OK),
		doctor.Count(results, doctor.Warning), doctor.Count(results, doctor.Failed), doctor.Count(results, doctor.Skipped))
	return err
}
