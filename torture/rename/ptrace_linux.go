//go:build amd64 || arm64

package rename

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// syscallStop is added to SIGTRAP when a thread stops at a system call (PTRACE_O_TRACESYSGOOD).
const syscallStop = 0x80

func ptrace(request, tid int, address, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), address, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// seize begins to trace every thread, those too that are made meanwhile, and stops each for a moment.
func (t *tracer) seize() error {
	seized := map[int]bool{}
	for fresh := true; fresh; {
		fresh = false
		tids, err := threads(t.pid)
		if err != nil {
			return ErrEnded
		}
		for _, tid := range tids {
			if seized[tid] {
				continue
			}
			err := ptrace(unix.PTRACE_SEIZE, tid, 0, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE)
			switch {
			case errors.Is(err, unix.EPERM) && len(seized) == 0:
				return fmt.Errorf("%w: %w", ErrNotAllowed, err)
			case err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ESRCH):
				return err // EPERM: seized with the thread that made it; ESRCH: it has ended
			}
			seized[tid], fresh = true, true
		}
	}
	return t.interrupt()
}

// interrupt stops every thread for a moment.
func (t *tracer) interrupt() error {
	tids, err := threads(t.pid)
	if err != nil {
		return ErrEnded
	}
	for _, tid := range tids {
		_ = ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0) // it has ended, or is let go already
	}
	return nil
}

func threads(pid int) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, tid)
		}
	}
	return out, nil
}

// child is siginfo_t of a child that stopped or ended, on 64 bits.
type child struct {
	_        [2]int32
	code     int32
	_        int32
	pid, uid int32
	status   int32
	_        [100]byte
}

// errGone says that no thread is traced any more: all are let go, or the process has ended.
var errGone = errors.New("no thread is traced")

// nextStop waits until a thread that this one traces has stopped, and looks at nothing else that this process started (__WNOTHREAD). Threads
// that have ended are taken out of the way, because no parent sees the end of a process before that; the end of the process itself is left
// to its parent.
func (t *tracer) nextStop() (tid, status int, err error) {
	for {
		c, err := wait(0)
		switch tid := int(c.pid); {
		case errors.Is(err, unix.ECHILD):
			return 0, 0, errGone
		case err != nil:
			return 0, 0, err
		case !c.ended():
			return tid, int(c.status), nil
		case tid == t.pid && parent(tid) == os.Getpid():
			return 0, 0, errGone
		default:
			_, _ = unix.Wait4(tid, nil, unix.WALL|unix.WNOTHREAD, nil) // if it fails, the next wait shows the same
		}
	}
}

// wait returns a traced thread that has stopped or ended, without taking note of it (WNOWAIT): resuming a stop does that. Options may be
// WNOHANG. ECHILD says that there is none.
func wait(options uintptr) (child, error) {
	options |= unix.WSTOPPED | unix.WEXITED | unix.WNOWAIT | unix.WALL | unix.WNOTHREAD
	for {
		var c child
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&c)), options, 0, 0)
		switch errno {
		case 0:
			return c, nil
		case unix.EINTR:
		default:
			return c, errno
		}
	}
}

// How a child ended, in siginfo_t.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

func (c child) ended() bool { return c.code == cldExited || c.code == cldKilled || c.code == cldDumped }

// parent returns the parent of a process, 0 if it is gone.
func parent(pid int) int {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if field, ok := strings.CutPrefix(line, "PPid:"); ok {
			id, _ := strconv.Atoi(strings.TrimSpace(field)) // 0 if it is no number
			return id
		}
	}
	return 0
}

// entry is struct ptrace_syscall_info of a thread that is about to do a system call.
type entry struct {
	op   uint8
	_    [3]uint8
	arch uint32
	_    [2]uint64
	nr   uint64
	args [6]uint64
	_    [2]uint64
}

// renameAt returns the rename that a thread is about to do.
func renameAt(tid int) (Call, bool) {
	var at entry
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(at), uintptr(unsafe.Pointer(&at)), 0, 0)
	if errno != 0 || at.op != unix.PTRACE_SYSCALL_INFO_ENTRY {
		return Call{}, false
	}
	old, renamed, ok := paths(at.nr)
	if !ok {
		return Call{}, false
	}
	return Call{Old: text(tid, at.args[old]), New: text(tid, at.args[renamed])}, true
}

// text reads a string that ends with a zero from a thread's memory, up to the longest path.
func text(tid int, address uint64) string {
	var out []byte
	page := uint64(os.Getpagesize())
	for len(out) < unix.PathMax {
		piece := make([]byte, page-address%page) // never across a page, which may not be there
		local := []unix.Iovec{{Base: &piece[0]}}
		local[0].SetLen(len(piece))
		n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(address), Len: len(piece)}}, 0)
		if err != nil || n == 0 {
			break
		}
		if end := bytes.IndexByte(piece[:n], 0); end >= 0 {
			return string(append(out, piece[:end]...))
		}
		out, address = append(out, piece[:n]...), address+uint64(n)
	}
	return string(out)
}
