// Package ledger counts what really happened: requests that an instance answered and the attempts it made, so that what Weir counted can
// be held against it. Counts live in a memory-mapped file, one per process: they survive the process being killed, and go on when it is
// started again. Anybody may read the files at any time.
package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// Sides of a count.
const (
	Received  = "received"  // the callee counts when it answers; From is the caller, "" = outside the mesh
	Attempted = "attempted" // the caller counts what it saw of each attempt
)

// Outcomes of a count.
const (
	OK          = "ok"
	ClientError = "client_error" // 4xx, and the codes of gRPC that mean the same
	ServerError = "server_error" // 5xx
	Refused     = "refused"      // 503 or UNAVAILABLE by the instance itself: it had no room, or was told to refuse
	Transport   = "transport"    // no instance answered: the connection failed, or a proxy answered in its place
	Timeout     = "timeout"      // the caller stopped waiting
	Lost        = "lost"         // a message that a queue took and did not deliver
)

// Extension is how the names of ledgers end.
const Extension = ".ledger"

// MaxKeys is how many keys one ledger holds, besides Overflow.
const MaxKeys = 4096

// Key is what is counted.
type Key struct {
	Side     string `json:"side"`
	From     string `json:"from"`
	To       string `json:"to"`
	Endpoint string `json:"endpoint"` // as spec.Endpoint writes itself; "" = none that is known
	Outcome  string `json:"outcome"`
}

// Overflow counts in place of keys for which there was no room, or whose text cannot be stored.
func Overflow() Key { return Key{Side: "..."} }

// Ledger is the open ledger of this process. It is safe for concurrent use.
type Ledger struct {
	file *os.File

	mu    sync.RWMutex // guards what follows; the counters in the table are atomic
	table table        // nil = closed
	used  int          // records of the table that hold a key
	index map[Key]int
}

// Open opens the ledger of a process, and makes it if there is none. A ledger has one writer at a time: that another process has it open
// is an error, and so is a ledger that is damaged or belongs to a process of another name.
func Open(path, process string) (*Ledger, error) {
	if err := create(path, process); err != nil {
		return nil, fmt.Errorf("make ledger %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l, err := load(file, process)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", path, err), file.Close())
	}
	return l, nil
}

// create makes an empty ledger in one step, so that nobody ever sees half of one. All of it is written: a file with holes would fail in
// the middle of counting when the disk is full.
func create(path, process string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	content, err := emptyTable(process)
	if err != nil {
		return err
	}
	unfinished := path + ".new"
	if err := os.WriteFile(unfinished, content, 0o644); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

func load(file *os.File, process string) (*Ledger, error) {
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another process has it open: %w", err)
	}
	t, err := mapTable(file, syscall.PROT_READ|syscall.PROT_WRITE)
	if err != nil {
		return nil, err
	}
	l := &Ledger{file: file, table: t, index: map[Key]int{}}
	content, err := t.read(func(k Key, record int, _ uint64) { l.index[k], l.used = record, record+1 })
	if err == nil && content != process {
		err = fmt.Errorf("it belongs to %q, not %q", content, process)
	}
	if err != nil {
		return nil, errors.Join(err, t.unmap())
	}
	return l, nil
}

// Add adds n to what is counted under a key. After Close it does nothing.
func (l *Ledger) Add(k Key, n uint64) {
	l.mu.RLock()
	record, known := l.index[k]
	if known && l.table != nil {
		l.table.count(record).Add(n)
	}
	l.mu.RUnlock()
	if !known {
		l.addNew(k, n)
	}
}

func (l *Ledger) addNew(k Key, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.table == nil {
		return
	}
	record, known := l.index[k]
	if !known {
		record = overflow
		if l.used < records && l.table.publish(l.used, k) {
			record = l.used
			l.index[k] = record
			l.used++
		}
	}
	l.table.count(record).Add(n)
}

// Counts returns what has been counted, since the ledger was made. A closed ledger has none.
func (l *Ledger) Counts() Counts {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := Counts{}
	if l.table == nil {
		return out
	}
	for k, record := range l.index {
		out.add(k, l.table.count(record).Load())
	}
	return out
}

// Close ends counting. Closing again does nothing.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.table == nil {
		return nil
	}
	t := l.table
	l.table = nil
	if err := errors.Join(t.unmap(), l.file.Close()); err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}
