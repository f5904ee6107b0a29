package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Progress says how far the replay of one recording has come. It is kept in a file and survives a crash: everything below Requests was
// acknowledged, that is, written to Kafka.
type Progress struct {
	Path       string    `json:"path"`
	Format     string    `json:"format"`
	Started    time.Time `json:"started"`
	Finished   time.Time `json:"finished,omitzero"`
	Requests   int       `json:"requests"`    // acknowledged without a gap from the first
	SpansSent  int64     `json:"spans_sent"`  // in those requests
	ItemsSent  int64     `json:"items_sent"`  // data points and log records in those requests
	BadRows    int64     `json:"bad_rows"`    // rows of the recording that could not be read, up to there
	FirstEvent int64     `json:"first_event"` // Unix ns, over those requests
	LastEvent  int64     `json:"last_event"`  // Unix ns, over those requests
	Baseline   Totals    `json:"baseline"`    // what the store held before the first request
}

// Totals are sums over everything the store holds.
type Totals struct {
	Spans       int64 `json:"spans"`
	Duplicates  int64 `json:"duplicates"`
	Orphans     int64 `json:"orphans"`
	Calls       int64 `json:"calls"`
	Windows     int64 `json:"windows"`
	DeadLetters int64 `json:"dead_letters"`
	Findings    int64 `json:"findings"`
	Decisions   int64 `json:"decisions"`
}

// File is the progress file of the recording with this digest.
func File(dataDir, digest string) string {
	return filepath.Join(dataDir, "replay", digest+".json")
}

// Load reads a progress file; found is false if there is none.
func Load(file string) (p Progress, found bool, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read replay progress: %w", err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, false, fmt.Errorf("read replay progress %s: %w", file, err)
	}
	return p, true, nil
}

// Save replaces the progress file, whole or not at all.
func (p Progress) Save(file string) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("save replay progress: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("save replay progress: %w", err)
	}
	if err := os.WriteFile(file+".new", b, 0o644); err != nil {
		return fmt.Errorf("save replay progress: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("save replay progress: %w", err)
	}
	return nil
}
