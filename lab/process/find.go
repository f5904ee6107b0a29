package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Found is a process that bears a mark.
type Found struct {
	Pid  int
	Name string // of its program
}

// Find returns the processes of this user that bear a mark, in the order of their ids. This process and those above it are never among
// them.
func Find(mark string) ([]Found, error) {
	if mark == "" {
		return nil, errors.New("find processes: the mark is empty")
	}
	if runtime.GOOS != "linux" {
		return nil, errors.New("find processes: only Linux says which environment a process has")
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("find processes: %w", err)
	}
	above := ancestors()
	var found []Found
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || above[pid] || !bears(pid, mark) {
			continue
		}
		found = append(found, Found{Pid: pid, Name: program(pid)})
	}
	slices.SortFunc(found, func(a, b Found) int { return a.Pid - b.Pid })
	return found, nil
}

// What Sweep allows between looking again, and for the kernel to carry out a SIGKILL.
const (
	sweepEvery = 25 * time.Millisecond
	killTakes  = 5 * time.Second
)

type signalled struct {
	Found
	with syscall.Signal
}

// Sweep ends every process that Find returns, and those that they start meanwhile: with SIGTERM, and with SIGKILL after grace. It returns
// those that have ended; the error names those that have not.
func Sweep(mark string, grace time.Duration) ([]Found, error) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	var ended []Found
	sent := map[int]signalled{}
	for begin := time.Now(); ; <-ticker.C {
		left, err := Find(mark)
		if err != nil {
			return ended, err
		}
		for pid, f := range sent {
			if !slices.ContainsFunc(left, func(l Found) bool { return l.Pid == pid }) {
				ended = append(ended, f.Found)
				delete(sent, pid)
			}
		}
		if len(left) == 0 {
			return ended, nil
		}
		took, s := time.Since(begin), syscall.SIGTERM
		if took >= grace {
			s = syscall.SIGKILL
		}
		if took > grace+killTakes {
			return ended, fmt.Errorf("sweep %s: still running: %v", mark, left)
		}
		for _, f := range left {
			if sent[f.Pid].with != s {
				send(f.Pid, mark, s)
				sent[f.Pid] = signalled{f, s}
			}
		}
	}
}

// send signals a process through a handle that is taken before the mark is looked at, so that it cannot hit another with the same id.
func send(pid int, mark string, s syscall.Signal) {
	handle, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	if bears(pid, mark) {
		_ = handle.Signal(s) // it has ended meanwhile; the next look shows it
	}
	_ = handle.Release()
}

func bears(pid int, mark string) bool {
	environment, err := os.ReadFile(path(pid, "environ")) // another user's cannot be read
	return err == nil && slices.ContainsFunc(bytes.Split(environment, []byte{0}), func(entry []byte) bool {
		return string(entry) == Variable+"="+mark
	})
}

func program(pid int) string {
	line, err := os.ReadFile(path(pid, "cmdline"))
	if err != nil {
		return ""
	}
	name, _, _ := bytes.Cut(line, []byte{0})
	return filepath.Base(string(name))
}

// ancestors returns this process and those above it.
func ancestors() map[int]bool {
	above := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !above[pid]; {
		above[pid] = true
		fields, err := stat(pid)
		if err != nil {
			break
		}
		if pid, err = strconv.Atoi(fields[statParent]); err != nil {
			break
		}
	}
	return above
}

func path(pid int, file string) string { return filepath.Join("/proc", strconv.Itoa(pid), file) }

// Fields of /proc/PID/stat behind the program's name, see proc_pid_stat(5).
const (
	statParent = 4 - 3
	statUser   = 14 - 3
	statSystem = 15 - 3
	statFields = 22
)

// stat returns the fields behind the program's name, which is in parentheses and may hold anything.
func stat(pid int) ([]string, error) {
	line, err := os.ReadFile(path(pid, "stat"))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) < statFields {
		return nil, fmt.Errorf("%s has %d fields", path(pid, "stat"), len(fields))
	}
	return fields, nil
}
