package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/lab/load"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/supervisor"
	"github.com/weirmesh/weir/lab/toolbox"
)

// The processes of a lab are this program too.

func superviseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "supervise", Short: "Run a lab that `up` has prepared", Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := placeOf(cmd)
			if err != nil {
				return err
			}
			return supervise(cmd.Context(), at, cmd.ErrOrStderr())
		},
	}
}

func supervise(ctx context.Context, at place, log io.Writer) error {
	held, err := lock.Dir(at.run)
	if err != nil {
		return err
	}
	defer func() { _ = held.Release() }()
	text, err := os.ReadFile(filepath.Join(at.run, labFile))
	if err != nil {
		return fmt.Errorf("read the lab file: %w", err)
	}
	lab, err := spec.Decode(text)
	if err != nil {
		return err
	}
	tools, err := toolbox.Open(at.base)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find weir-lab: %w", err)
	}
	weir, err := beside("weir")
	if err != nil {
		return err
	}
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // client-go speaks of every connection that ends; what matters is in errors
	return supervisor.Run(ctx, supervisor.Config{
		Run: at.run, Lab: lab, Tools: tools, Self: self, Weir: weir, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
}

func serviceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "service CONFIG", Short: "Run the process behind a pod", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := service.ReadConfig(args[0])
			if err != nil {
				return err
			}
			return service.Run(cmd.Context(), cfg)
		},
	}
}

func generateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "generate CONFIG", Short: "Run the load generator", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load.ReadConfig(args[0])
			if err != nil {
				return err
			}
			cfg.Progress = cmd.ErrOrStderr()
			return load.Run(cmd.Context(), cfg)
		},
	}
}

func kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kubectl [ARGS...]", Short: "Run kubectl against the lab", DisableFlagParsing: true,
		Example: "  weir lab kubectl get pods -A -o wide\n  weir lab kubectl apply -f policy.yaml",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, at, err := clientOf(cmd)
			if err != nil {
				return err
			}
			s, err := lab.Status(cmd.Context())
			if err != nil {
				return err
			}
			tools, err := toolbox.Open(at.base)
			if err != nil {
				return err
			}
			path := tools.Path(toolbox.Kubectl)
			environment := append(os.Environ(), "KUBECONFIG="+s.Addresses["kubeconfig"])
			if err := syscall.Exec(path, append([]string{toolbox.Kubectl}, args...), environment); err != nil {
				return fmt.Errorf("run kubectl: %w", err)
			}
			return nil
		},
	}
}

func tracingCommand() *cobra.Command {
	return &cobra.Command{
		Use: "tracing on|off", Short: "Turn traces and access logs of the mesh on or off", Example: "  weir lab tracing off", Args: cobra.ExactArgs(1), ValidArgs: []string{"on", "off"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "on" && args[0] != "off" {
				return cli.UsageError{Err: fmt.Errorf("tracing is on or off, not %q", args[0])}
			}
			lab, _, err := clientOf(cmd)
			if err != nil {
				return err
			}
			return lab.Tracing(cmd.Context(), args[0] == "on")
		},
	}
}
