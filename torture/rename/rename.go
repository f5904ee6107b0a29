// Package rename kills a process at the very system call that renames a file: the moment at which what was written is complete and not yet in
// its place. It traces the process itself, on Linux on amd64 and arm64, and needs no other program.
//
// Tracing stops every thread at every system call, so the process is many times slower meanwhile. It has to be allowed: to root, and to the
// parent of the process where the system does not forbid it (kernel.yama.ptrace_scope, seccomp).
package rename

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Errors of Kill. After each of them the process goes on as if nothing had been, unless it has ended by itself.
var (
	ErrNotSupported = errors.New("killing on a rename works on Linux on amd64 and arm64 alone")
	ErrNotAllowed   = errors.New("this system does not let one process trace another (run as root, or look at kernel.yama.ptrace_scope)")
	ErrNone         = errors.New("nothing of that name was renamed in time")
	ErrEnded        = errors.New("the process ended before it renamed anything of that name")
)

// Point is the call to kill at.
type Point struct {
	Part string // what the old or the new path contains; "" = any, "tmp_insert_" = a part that an insert has finished in ClickHouse
	Nth  int    // how many such calls from now on, 1 = the first; 0 is taken for 1
}

// Call is a rename that was asked for.
type Call struct{ Old, New string }

// Kill waits until the process renames something at the point and kills it (SIGKILL) at the entry of that call, which is not carried out. When
// ctx ends first it lets go of the process, of one that is stopped (SIGSTOP) when it continues. Whoever started the process sees its end as with any other kill.
func Kill(ctx context.Context, pid int, at Point) (Call, error) {
	call, err := kill(ctx, pid, at)
	if err != nil {
		return call, fmt.Errorf("kill %d when it renames %q: %w", pid, at.Part, err)
	}
	return call, nil
}

func (p Point) matches(c Call) bool {
	return strings.Contains(c.Old, p.Part) || strings.Contains(c.New, p.Part)
}
