package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/toolbox"
)

// The lab file as a running lab keeps it.
const labFile = "lab.yaml"

// How long a lab may take to start and to stop, and how often it is asked how far it is.
const (
	startWithin = 5 * time.Minute
	stopWithin  = time.Minute
	askEvery    = 200 * time.Millisecond
)

func upCommand() *cobra.Command {
	var file string
	var foreground bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a lab",
		Long: "Starts the mesh of the lab file, load from outside, and Weir, and returns when everything serves. The lab goes on until\n" +
			"`weir lab down`. One lab runs on a machine at a time.",
		Example: "  weir lab up\n  weir lab example > mine.yaml; weir lab up --file mine.yaml\n  weir lab up --foreground",
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := placeOf(cmd)
			if err != nil {
				return err
			}
			text, err := readLab(file)
			if err != nil {
				return err
			}
			if err := prepare(cmd.Context(), at, text); err != nil {
				return err
			}
			if foreground {
				return upForeground(cmd, at)
			}
			return upBackground(cmd, at)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "lab file (default: the shop that `weir lab example` prints)")
	cmd.Flags().BoolVar(&foreground, "foreground", false, "stay, and stop the lab on Ctrl-C")
	return cmd
}

// readLab reads and checks a lab file.
func readLab(file string) ([]byte, error) {
	if file == "" {
		return spec.Example(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the lab file: %w", err)
	}
	lab, err := spec.Decode(text)
	if err != nil {
		return nil, cli.UsageError{Err: fmt.Errorf("%s: %w", file, err)}
	}
	if lab.Load.Rates != "" {
		if _, err := os.Stat(lab.Load.Rates); err != nil {
			return nil, cli.UsageError{Err: fmt.Errorf("%s: load.rates: %w (it is looked for from the folder you are in)", file, err)}
		}
	}
	return text, nil
}

// maxSocket is what fits into the address of a unix socket, see unix(7).
const maxSocket = 107

// prepare makes the folder of a lab that is about to start, and clears away what an earlier one has left.
func prepare(ctx context.Context, at place, text []byte) error {
	if socket := filepath.Join(at.run, control.Socket); len(socket) > maxSocket {
		return cli.UsageError{Err: fmt.Errorf("the path of the lab's socket is longer than the system's %d characters: choose a shorter --dir than %s", maxSocket, at.base)}
	}
	s, err := control.New(at.run).Status(ctx)
	if err == nil {
		return fmt.Errorf("lab %s has been running since %s: `weir lab down` stops it", s.Name, s.Started.Format(time.DateTime))
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	if _, err := toolbox.Open(at.base); err != nil {
		return err
	}
	if _, err := beside("weir"); err != nil {
		return err
	}
	if _, err := clear(at); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(at.run, "logs"), 0o700); err != nil {
		return fmt.Errorf("make the lab's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(at.run, labFile), text, 0o600); err != nil {
		return fmt.Errorf("keep the lab file: %w", err)
	}
	return nil
}

// upBackground starts the supervisor as a process of its own, which outlives this one.
func upBackground(cmd *cobra.Command, at place) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(at.run, "logs", "supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	defer func() { _ = log.Close() }() // the supervisor has it open too

	supervisor := exec.Command(self, "supervise", "--dir", at.base)
	supervisor.Stdout, supervisor.Stderr = log, log
	supervisor.Env = append(os.Environ(), process.Variable+"="+at.run)
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := supervisor.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	gone := make(chan struct{})
	go func() { _ = supervisor.Wait(); close(gone) }()
	s, err := follow(cmd.Context(), at, cmd.ErrOrStderr(), gone)
	if err != nil {
		ctx, stop := context.WithTimeout(context.WithoutCancel(cmd.Context()), stopWithin)
		defer stop()
		_, downErr := bringDown(ctx, at, true)
		return errors.Join(err, downErr)
	}
	return printReady(cmd.OutOrStdout(), s)
}

// upForeground runs the supervisor in this process.
func upForeground(cmd *cobra.Command, at place) error {
	ended := make(chan error, 1)
	gone := make(chan struct{})
	go func() { ended <- supervise(cmd.Context(), at, cmd.ErrOrStderr()); close(gone) }()
	s, err := follow(cmd.Context(), at, cmd.ErrOrStderr(), gone)
	if err == nil {
		if err := printReady(cmd.OutOrStdout(), s); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "Ctrl-C stops the lab.")
	}
	err = errors.Join(<-ended)
	_, cleared := clear(at)
	return errors.Join(err, cleared)
}

// follow prints a line for each step until the lab is ready, has failed, or its process is gone.
func follow(ctx context.Context, at place, out io.Writer, gone <-chan struct{}) (control.Status, error) {
	ctx, stop := context.WithTimeout(ctx, startWithin)
	defer stop()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	lab := control.New(at.run)
	for printed := 0; ; {
		s, err := lab.Status(ctx)
		if err == nil {
			printed = printSteps(out, s, printed)
		}
		switch {
		case err == nil && s.Phase == control.Ready:
			return s, nil
		case err == nil && s.Error != "":
			return s, errors.New(s.Error)
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("wait for the lab: %w", context.Cause(ctx))
		case <-gone:
			return s, fmt.Errorf("the lab ended while it started: see %s", filepath.Join(at.run, "logs", "supervisor.log"))
		case <-tick.C:
		}
	}
}

// printSteps prints the steps that have ended since the last call.
func printSteps(out io.Writer, s control.Status, printed int) int {
	for ; printed < len(s.Steps) && !s.Steps[printed].Ended.IsZero(); printed++ {
		step := s.Steps[printed]
		fmt.Fprintf(out, "%6.1f s  %s (%.1f s)\n", step.Ended.Sub(s.Started).Seconds(), step.Name, step.Ended.Sub(step.Began).Seconds())
	}
	return printed
}

func printReady(out io.Writer, s control.Status) error {
	services := 0
	for _, i := range s.Instances {
		if i.Service != "" {
			services++
		}
	}
	_, err := fmt.Fprintf(out, `Lab %s is ready after %.0f s: %d instances behind Envoys, %d processes.

  weir lab status                       what runs, and which faults hold
  weir lab fault list                   what can be broken
  weir lab kubectl get pods -A          or: export KUBECONFIG=%s
  weir query --data-dir %s "SELECT * FROM weir.edge_windows ORDER BY window_start DESC LIMIT 10"
  weir lab compare                      what was sent against what Weir counted
  curl -H 'Host: %s.lab' http://%s/     from outside, through the ingress gateway
  weir lab down                         stops and removes everything
`, s.Name, s.Ready.Sub(s.Started).Seconds(), services, len(s.Parts), s.Addresses["kubeconfig"], s.Addresses["weir data"], s.Name, s.Addresses["gateway"])
	return err
}

func exampleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "example", Short: "Print the lab file of the shop, with every key explained",
		Example: "  weir lab example > mine.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(spec.Example())
			return err
		},
	}
}
