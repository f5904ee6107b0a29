package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// labBinary is the program behind `weir lab`. It is a program of its own, because what breaks a mesh on purpose has no place in one that
// runs in production.
const labBinary = "weir-lab"

func labCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lab",
		Short: "A real Istio mesh on this machine, with faults on a dial",
		Long: "Starts a Kubernetes control plane, istiod, Envoys and services on loopback, without containers, and Weir beside them. It is a\n" +
			"program of its own, weir-lab, which `make lab` builds; `weir lab --help` shows its commands when it is there.",
		Example:            "  weir lab up\n  weir lab fault delay --service catalog --size 200 --for 1m\n  weir lab down",
		Args:               cobra.ArbitraryArgs,
		ValidArgsFunction:  completeLab,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := findLab()
			if err != nil {
				return err
			}
			if err := syscall.Exec(path, append([]string{labBinary}, args...), os.Environ()); err != nil {
				return fmt.Errorf("run %s: %w", path, err)
			}
			return nil
		},
	}
}

// findLab looks beside this program, then on the PATH.
func findLab() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), labBinary)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(labBinary)
	if err != nil {
		return "", errors.New("the lab's program weir-lab is neither beside this one nor on the PATH: build it with `make lab` in a checkout of Weir")
	}
	return path, nil
}

// completeLab asks weir-lab, whose last line is cobra's directive, as in `:4`.
func completeLab(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	path, err := findLab()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	out, err := exec.CommandContext(cmd.Context(), path, append(append([]string{cobra.ShellCompRequestCmd}, args...), toComplete)...).Output()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	directive, err := strconv.Atoi(strings.TrimPrefix(lines[len(lines)-1], ":"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return lines[:len(lines)-1], cobra.ShellCompDirective(directive)
}
