// Package lock keeps a data directory to one process at a time, and tells other processes where the one that has it listens.
//
// The lock is an flock on <dir>/run/lock. The kernel lets go of it when the process ends, however it ends, so nothing is left to clean
// up after kill -9. The file stays; only its lock and its content, the holder's process id and command, come and go. Child processes do
// not inherit the lock. The directory has to be on a file system with flock, which some network file systems lack; then Dir says so.
package lock

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Holder is the process that has a directory. Both fields are empty in the moment between its taking the lock and its saying so.
type Holder struct {
	PID     int
	Command string // "weir up"
}

func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("%s (pid %d)", h.Command, h.PID)
}

// InUseError says that somebody else has the directory.
type InUseError struct {
	Dir    string
	Holder Holder
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("data directory %s is in use by %s: stop it or use another --data-dir", e.Dir, e.Holder)
}

// Lock is a held directory.
type Lock struct {
	dir    string
	holder Holder

	mu   sync.Mutex
	file *os.File // guarded by mu; nil once released
}

// Dir makes the directory if it is not there and takes it for this process. When another has it, the error is an *InUseError. Two calls
// in one process exclude each other too.
func Dir(path string) (*Lock, error) {
	if err := os.MkdirAll(runDir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory %s: %w", path, err)
	}
	file, err := os.OpenFile(lockPath(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of data directory %s: %w", path, err)
	}
	l := &Lock{dir: path, file: file, holder: Holder{PID: os.Getpid(), Command: command(os.Args)}}
	err = take(path, file)
	if err == nil {
		err = l.begin()
	}
	if err != nil {
		_ = file.Close() // the error that counts is the one above
		return nil, err
	}
	return l, nil
}

// take gets the exclusive lock. InUse holds a shared one for a moment, and two processes that start together must not both be told that
// the other has it because of a third that only looked: so when a shared lock can be had, nobody owns the directory, and it tries again.
func take(path string, file *os.File) error {
	const attempts = 1000
	for range attempts {
		err := flock(file, syscall.LOCK_EX)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock data directory %s: %w", path, err)
		}
		if flock(file, syscall.LOCK_SH) != nil {
			break
		}
		if err := flock(file, syscall.LOCK_UN); err != nil {
			return fmt.Errorf("lock data directory %s: %w", path, err)
		}
		time.Sleep(time.Millisecond) // let go, so that whoever else tries can get in
	}
	return &InUseError{Dir: path, Holder: readHolder(file)}
}

// begin writes who holds the lock and removes what a killed predecessor left.
func (l *Lock) begin() error {
	if err := removeAddresses(l.dir); err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write lock of data directory %s: %w", l.dir, err)
	}
	if _, err := l.file.WriteAt(fmt.Appendf(nil, "%d %s\n", l.holder.PID, l.holder.Command), 0); err != nil {
		return fmt.Errorf("write lock of data directory %s: %w", l.dir, err)
	}
	return nil
}

// Release removes the addresses and lets go of the directory. Further calls do nothing and return nil.
func (l *Lock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(removeAddresses(l.dir), l.file.Truncate(0), l.file.Close())
	l.file = nil
	if err != nil {
		return fmt.Errorf("release data directory %s: %w", l.dir, err)
	}
	return nil
}

// InUse tells whether a process has the directory, and which. It writes nothing, and a directory that does not exist is not in use.
func InUse(path string) (Holder, bool, error) {
	file, err := os.Open(lockPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return Holder{}, false, nil
	}
	if err != nil {
		return Holder{}, false, fmt.Errorf("look at lock of data directory %s: %w", path, err)
	}
	defer func() { _ = file.Close() }() // opened for reading; this also lets go of the shared lock
	err = flock(file, syscall.LOCK_SH)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return readHolder(file), true, nil
	}
	if err != nil {
		return Holder{}, false, fmt.Errorf("look at lock of data directory %s: %w", path, err)
	}
	return Holder{}, false, nil
}

func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// readHolder reads what the holder wrote; a zero Holder when it has not written yet.
func readHolder(file *os.File) Holder {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 4096))
	if err != nil {
		return Holder{}
	}
	pid, name, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	n, err := strconv.Atoi(pid)
	if err != nil {
		return Holder{}
	}
	return Holder{PID: n, Command: name}
}

// command is the program and its sub-command, without flags and their values, which may be nobody else's business.
func command(args []string) string {
	name := filepath.Base(args[0])
	if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		name += " " + args[1]
	}
	return strings.Join(strings.Fields(name), " ")
}

func runDir(dir string) string   { return filepath.Join(dir, "run") }
func lockPath(dir string) string { return filepath.Join(runDir(dir), "lock") }
