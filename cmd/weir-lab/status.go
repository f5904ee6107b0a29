package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/process"
)

func statusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show what runs, what it uses, and which faults hold",
		Example: "  weir lab status\n  weir lab status -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			lab, at, err := clientOf(cmd)
			if err != nil {
				return err
			}
			s, err := lab.Status(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) {
				return notRunning(at)
			}
			if err != nil {
				return err
			}
			if output == "json" {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				return out.Encode(s)
			}
			return printStatus(cmd.OutOrStdout(), s)
		},
	}
	cli.Output(cmd.Flags(), &output, "text or json", "text", "json")
	return cmd
}

// notRunning says whether a lab has left something behind.
func notRunning(at place) error {
	left, err := process.Find(at.run)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("the lab does not answer, but these of its processes run: %s; `weir lab down` ends them", names(left))
	}
	return control.ErrNotRunning
}

func printStatus(out io.Writer, s control.Status) error {
	fmt.Fprintf(out, "Lab %s: %s", s.Name, s.Phase)
	if !s.Ready.IsZero() {
		fmt.Fprintf(out, " for %s (it took %.0f s to start)", time.Since(s.Ready).Round(time.Second), s.Ready.Sub(s.Started).Seconds())
	}
	fmt.Fprintln(out)
	if s.Error != "" {
		fmt.Fprintln(out, "Error:", s.Error)
	}
	for _, name := range []string{"kubeconfig", "gateway", "clickhouse", "kafka", "weir data"} {
		if at := s.Addresses[name]; at != "" {
			fmt.Fprintf(out, "  %-11s %s\n", name, at)
		}
	}
	if s.Recording != "" {
		fmt.Fprintln(out, "  recording  ", s.Recording)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tINSTANCE\tSERVICE\tVERSION\tREGION\tADDRESS\tON LOOPBACK\tSTATE")
	for _, i := range s.Instances {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i.Namespace, i.Pod, i.Service, i.Version, i.Region, i.Address, i.Inbound, i.State)
	}
	fmt.Fprintln(w, "\nPROCESSES\tNUMBER\tCPU (s)\tMEMORY (MiB)")
	for _, r := range roles(s.Parts) {
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%d\n", r.role, r.n, r.cpu.Seconds(), r.memory>>20)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printHeld(out, s.Faults)
}

type roleSum struct {
	role   control.Role
	n      int
	cpu    time.Duration
	memory uint64
}

// roles adds processes up by what they are for.
func roles(parts []control.Part) []roleSum {
	var out []roleSum
	for _, role := range []control.Role{control.ControlPlane, control.Proxy, control.Service, control.Weir, control.Load} {
		sum := roleSum{role: role}
		for _, p := range parts {
			if p.Role == role {
				sum.n, sum.cpu, sum.memory = sum.n+1, sum.cpu+p.CPU, sum.memory+p.Memory
			}
		}
		out = append(out, sum)
	}
	return out
}
