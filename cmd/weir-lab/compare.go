package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/snapshot"
	"github.com/weirmesh/weir/lab/spec"
)

func compareCommand() *cobra.Command {
	var output string
	var path time.Duration
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Hold what was sent and answered against what Weir counted",
		Long: "Pauses the load, waits until everything has arrived, and compares every edge since the lab began: calls by who made them, by who\n" +
			"answered them, and as Weir's windows have them; errors; and latency as the client and as Weir saw it. Exit code 1 if an edge is wrong.",
		Example: "  weir lab compare\n  weir lab compare -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			lab, at, err := clientOf(cmd)
			if err != nil {
				return err
			}
			mesh, err := meshOf(at)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "Pausing the load until everything has arrived...")
			s, err := snapshot.Take(cmd.Context(), lab, at.run)
			if err != nil {
				return err
			}
			return writeComparison(cmd.OutOrStdout(), output, s, s.Edges(snapshot.Snapshot{}, mesh), path+s.Lag)
		},
	}
	cli.Output(cmd.Flags(), &output, "text or json", "text", "json")
	cmd.Flags().DurationVar(&path, "path", 2*time.Millisecond, "what the client may wait longer than the gateway sees, besides its own lag")
	return cmd
}

// errWrong ends a comparison whose result has been printed.
var errWrong = errors.New("what Weir says is wrong about at least one edge")

func writeComparison(out io.Writer, output string, s snapshot.Snapshot, edges []compare.Edge, path time.Duration) error {
	latency := compare.Latency(s.Client, s.Entry(), path)
	if output == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err := enc.Encode(map[string]any{"settled": s.Settled, "edges": edges, "latency": latency})
		if err == nil && !compare.Right(edges) {
			err = errWrong
		}
		return err
	}
	if err := compare.WriteEdges(out, edges); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if err := compare.WriteLatency(out, latency); err != nil {
		return err
	}
	if !s.Settled {
		fmt.Fprintln(out, "\nCounts still changed when they were read: something is slow, or still sends.")
	}
	if !compare.Right(edges) {
		return errWrong
	}
	return nil
}

// meshOf reads the mesh of the lab that runs.
func meshOf(at place) (spec.Mesh, error) {
	text, err := os.ReadFile(filepath.Join(at.run, labFile))
	if errors.Is(err, os.ErrNotExist) {
		return spec.Mesh{}, control.ErrNotRunning
	}
	if err != nil {
		return spec.Mesh{}, fmt.Errorf("read the lab file: %w", err)
	}
	lab, err := spec.Decode(text)
	return lab.Mesh, err
}

func costCommand() *cobra.Command {
	var pairs int
	var slice time.Duration
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Measure what telemetry costs the mesh",
		Long: "Turns traces and access logs of the mesh on and off in turn, and compares the CPU time of proxies and services for each call. Spans\n" +
			"and metrics that services report themselves stay on. The load should be steady.",
		Example: "  weir lab cost\n  weir lab cost --pairs 8 --slice 30s",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pairs < 2 || slice < time.Second {
				return cli.UsageError{Err: errors.New("two pairs or more are needed, of slices of a second or longer")}
			}
			lab, _, err := clientOf(cmd)
			if err != nil {
				return err
			}
			return measureCost(cmd.Context(), lab, pairs, slice, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().IntVar(&pairs, "pairs", 5, "how often telemetry is on and off")
	cmd.Flags().DurationVar(&slice, "slice", 15*time.Second, "how long each time")
	return cmd
}

func measureCost(ctx context.Context, lab *control.Client, pairs int, slice time.Duration, out, progress io.Writer) error {
	m, err := snapshot.Cost(ctx, lab, pairs, slice, func(i int, on bool) {
		fmt.Fprintf(progress, "slice %d of %d: telemetry %s\n", i, 2*pairs, map[bool]string{true: "on", false: "off"}[on])
	})
	if err != nil {
		return err
	}
	if err := compare.WriteSpending(out, m.Spent); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nTraces and access logs cost %.1f %% of the CPU time of proxies and services (90 %% interval %.1f to %.1f %%, %d pairs of %s).\n",
		100*m.Share.Mean, 100*m.Share.Low, 100*m.Share.High, m.Share.N, slice)
	return err
}

func recordCommand() *cobra.Command {
	var length time.Duration
	cmd := &cobra.Command{
		Use:   "record DIR",
		Short: "Write down what the mesh reports, with the truth about it",
		Long: "Records everything that proxies and services report, as OTLP/JSON, together with the truth: faults, and what happened between the\n" +
			"beginning and the end. The load is paused at both, so that the recording holds whole requests. `weir replay --format otlp-json DIR`\n" +
			"replays it.",
		Example: "  weir lab record shop --for 1m\n  weir replay --data-dir again --format otlp-json shop",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if length <= 0 {
				return cli.UsageError{Err: errors.New("--for must be above 0")}
			}
			lab, at, err := clientOf(cmd)
			if err != nil {
				return err
			}
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			done, err := snapshot.Record(cmd.Context(), lab, at.run, dir, length)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s holds %d calls between services, %d bytes; replay it with\n  weir replay --data-dir again --format otlp-json %s\n",
				dir, done.Calls, done.Bytes, dir)
			return err
		},
	}
	cmd.Flags().DurationVar(&length, "for", time.Minute, "how long")
	return cmd
}
