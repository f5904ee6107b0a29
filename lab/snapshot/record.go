package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/spec"
)

// Files of a recording beside the telemetry itself.
const (
	FileLab    = "lab.yaml"
	FileTruth  = "truth.jsonl" // faults that held meanwhile
	FileCounts = "ledger.json" // what happened, as ledger.Counts
)

// Recorded is what a recording holds.
type Recorded struct {
	Calls uint64 // that services answered
	Bytes int64  // of all files
}

// Record records what the mesh reports for a while, and what happened meanwhile. The load is paused at the beginning and at the end, so
// the recording holds whole requests and all of their telemetry.
func Record(ctx context.Context, lab *control.Client, run, dir string, length time.Duration) (out Recorded, err error) {
	before, err := Take(ctx, lab, run)
	if err != nil {
		return out, err
	}
	if err := lab.Record(ctx, dir); err != nil {
		return out, err
	}
	defer func() {
		if err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_, stopped := lab.StopRecording(stop)
			err = errors.Join(err, stopped)
		}
	}()
	if err := wait(ctx, length); err != nil {
		return out, err
	}
	after, err := Take(ctx, lab, run)
	if err != nil {
		return out, err
	}
	if _, err := lab.StopRecording(ctx); err != nil {
		return out, err
	}
	counts := compare.Between(before.Counts, after.Counts)
	for k, n := range counts {
		if k.Side == ledger.Received {
			out.Calls += n
		}
	}
	return out, errors.Join(keep(run, dir, before.At, counts), size(dir, &out.Bytes))
}

// keep writes what belongs to a recording beside it.
func keep(run, dir string, from time.Time, counts ledger.Counts) error {
	text, err := json.MarshalIndent(counts, "", "  ")
	if err != nil {
		return fmt.Errorf("keep what happened: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileCounts), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep what happened: %w", err)
	}
	lab, err := os.ReadFile(filepath.Join(run, FileLab))
	if err != nil {
		return fmt.Errorf("keep the lab file: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileLab), lab, 0o600); err != nil {
		return fmt.Errorf("keep the lab file: %w", err)
	}
	truth, err := os.ReadFile(filepath.Join(run, FileTruth))
	if err != nil {
		return fmt.Errorf("keep the truth: %w", err)
	}
	if truth, err = since(truth, from); err != nil {
		return fmt.Errorf("keep the truth: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileTruth), truth, 0o600); err != nil {
		return fmt.Errorf("keep the truth: %w", err)
	}
	return nil
}

// since returns the lines about faults that had not ended at from. A fault's end stands behind its beginning.
func since(truth []byte, from time.Time) ([]byte, error) {
	over := map[string]bool{}
	about := map[int]string{}
	lines := bytes.SplitAfter(truth, []byte("\n"))
	for i, line := range lines {
		if len(line) == 0 {
			continue
		}
		var t spec.Truth
		if err := json.Unmarshal(line, &t); err != nil {
			return nil, err
		}
		about[i] = t.ID
		over[t.ID] = !t.To.IsZero() && t.To.Before(from)
	}
	var kept []byte
	for i, line := range lines {
		if id, ok := about[i]; ok && !over[id] {
			kept = append(kept, line...)
		}
	}
	return kept, nil
}

func size(dir string, sum *int64) error {
	return filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			*sum += info.Size()
		}
		return err
	})
}
