package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/process"
)

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "down",
		Short:   "Stop the lab and remove what it kept",
		Example: "  weir lab down",
		Long: "Stops the lab, ends every process that it started, also those of a lab that was killed, and removes its folder. The tools stay,\n" +
			"so that the next lab starts quickly.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := placeOf(cmd)
			if err != nil {
				return err
			}
			text, err := bringDown(cmd.Context(), at, false)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}

// bringDown stops a lab and clears what is left; with keepLogs its logs stay.
func bringDown(ctx context.Context, at place, keepLogs bool) (string, error) {
	ctx, stop := context.WithTimeout(ctx, stopWithin)
	defer stop()
	lab := control.New(at.run)
	err := lab.Down(ctx)
	was := err == nil
	if ctx.Err() != nil {
		return "", err
	}
	// Any other error means that it died meanwhile: what is left is swept.
	if was {
		if err := untilGone(ctx, at.run); err != nil {
			return "", err
		}
	}
	if keepLogs {
		_, err := process.Sweep(at.run, 2*time.Second)
		return "", err
	}
	_, statErr := os.Stat(at.run)
	ended, err := clear(at)
	switch {
	case err != nil:
		return "", err
	case was:
		return "The lab has stopped, and nothing of it is left.", nil
	case len(ended) > 0:
		return fmt.Sprintf("No lab answered; what it had left was ended: %s.", names(ended)), nil
	case statErr == nil:
		return "No lab was running; what an earlier one kept was removed.", nil
	}
	return "No lab was running, and nothing of one was left.", nil
}

// untilGone waits until nobody answers any more.
func untilGone(ctx context.Context, run string) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		_, held, err := lock.InUse(run)
		if err != nil || !held {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // whatever is left is swept
		case <-tick.C:
		}
	}
}

func names(found []process.Found) string {
	count := map[string]int{}
	var order []string
	for _, f := range found {
		if count[f.Name] == 0 {
			order = append(order, f.Name)
		}
		count[f.Name]++
	}
	for i, name := range order {
		if n := count[name]; n > 1 {
			order[i] = fmt.Sprintf("%d %s", n, name)
		}
	}
	return strings.Join(order, ", ")
}

// clear ends what a lab has left running and removes its folder.
func clear(at place) ([]process.Found, error) {
	ended, err := process.Sweep(at.run, 2*time.Second)
	if err != nil {
		return ended, err
	}
	if err := os.RemoveAll(at.run); err != nil {
		return ended, fmt.Errorf("remove the lab's folder: %w", err)
	}
	return ended, nil
}
