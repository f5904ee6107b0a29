package lock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Addresses is where the process that holds a directory listens: host:port each, empty for what it does not run.
type Addresses struct {
	PID        int       `json:"pid"`
	Command    string    `json:"command"`
	Started    time.Time `json:"started"`
	OTLPGRPC   string    `json:"otlp_grpc,omitempty"`
	OTLPHTTP   string    `json:"otlp_http,omitempty"`
	Kafka      string    `json:"kafka,omitempty"`
	ClickHouse string    `json:"clickhouse,omitempty"`
	Ops        string    `json:"ops,omitempty"`
}

// ErrReleased is the error of using a Lock after Release.
var ErrReleased = errors.New("the lock was released")

// WriteAddresses publishes a in <dir>/run/addresses.json; readers see the old or the new file, never half of one. PID and Command are set
// to those of the lock. Only whoever holds the directory can do this.
func (l *Lock) WriteAddresses(a Addresses) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return fmt.Errorf("write addresses of data directory %s: %w", l.dir, ErrReleased)
	}
	a.PID, a.Command = l.holder.PID, l.holder.Command
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("write addresses of data directory %s: %w", l.dir, err)
	}
	path := addressesPath(l.dir)
	// The name may be fixed, because the lock keeps every other writer away. A file that is already there keeps its mode, so a leftover
	// goes first.
	temporary := path + ".new"
	if err := removeIfThere(temporary); err != nil {
		return fmt.Errorf("write addresses of data directory %s: %w", l.dir, err)
	}
	if err := os.WriteFile(temporary, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write addresses of data directory %s: %w", l.dir, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write addresses of data directory %s: %w", l.dir, err)
	}
	return nil
}

// ReadAddresses reads what the holder of a directory published. live is true when the process that wrote it still holds the directory;
// otherwise the addresses are what a killed process left, or empty when there are none. A missing file is no error.
func ReadAddresses(dir string) (a Addresses, live bool, err error) {
	text, err := os.ReadFile(addressesPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return Addresses{}, false, nil
	}
	if err != nil {
		return Addresses{}, false, fmt.Errorf("read addresses of data directory %s: %w", dir, err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return Addresses{}, false, fmt.Errorf("read addresses of data directory %s: %w", dir, err)
	}
	holder, held, err := InUse(dir)
	if err != nil {
		return Addresses{}, false, err
	}
	return a, held && holder.PID == a.PID, nil
}

func removeAddresses(dir string) error {
	if err := removeIfThere(addressesPath(dir)); err != nil {
		return fmt.Errorf("remove addresses of data directory %s: %w", dir, err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func addressesPath(dir string) string { return filepath.Join(runDir(dir), "addresses.json") }
