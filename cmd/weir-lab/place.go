package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/toolbox"
)

// place is where a lab is kept.
type place struct {
	base string // tools and run
	run  string // what a running lab keeps
}

func placeOf(cmd *cobra.Command) (place, error) {
	base, err := cmd.Flags().GetString("dir")
	if err != nil {
		return place{}, err
	}
	if base == "" {
		if base, err = toolbox.Base(); err != nil {
			return place{}, err
		}
	}
	if base, err = filepath.Abs(base); err != nil {
		return place{}, fmt.Errorf("folder of the lab: %w", err)
	}
	return place{base: base, run: filepath.Join(base, "run")}, nil
}

// client returns a client of the lab that runs there.
func clientOf(cmd *cobra.Command) (*control.Client, place, error) {
	at, err := placeOf(cmd)
	if err != nil {
		return nil, at, err
	}
	return control.New(at.run), at, nil
}

// beside returns the path of a program that was built together with this one.
func beside(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not beside %s: build both with `make lab`: %w", name, filepath.Base(self), err)
	}
	return path, nil
}
