package rename

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// variable is the environment variable that tells a process to be a tracer, and of what.
const variable = "TORTURE_RENAME"

// order is what a tracer is told, and answer what it says, both as JSON.
type order struct {
	Pid int
	At  Point
}

type answer struct {
	Call  Call
	Error string
}

// Apart is Kill from a process of its own: this program, started again, whose main has to call Child first. It is needed where the process is
// a child of this one, because the kernel shows the stops of a process that is traced to everybody in the tracer who waits for its end.
func Apart(ctx context.Context, pid int, at Point) (Call, error) {
	self, err := os.Executable()
	if err != nil {
		return Call{}, fmt.Errorf("find this program: %w", err)
	}
	told, err := json.Marshal(order{pid, at})
	if err != nil {
		return Call{}, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), variable+"="+string(told))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = letGoWithin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var said answer
	if bad := json.Unmarshal(out, &said); bad != nil {
		return Call{}, fmt.Errorf("kill %d when it renames %q: the tracer says nothing: %w %s", pid, at.Part, errors.Join(err, bad), stderr.Bytes())
	}
	for _, cause := range []error{ErrNotSupported, ErrNotAllowed, ErrNone, ErrEnded} {
		if said.Error == cause.Error() {
			return said.Call, fmt.Errorf("kill %d when it renames %q: %w", pid, at.Part, cause)
		}
	}
	if said.Error != "" {
		return said.Call, errors.New(said.Error)
	}
	return said.Call, nil
}

// letGoWithin is how long a tracer may take to let go of what it traces.
const letGoWithin = 10 * time.Second

// Child is for the very beginning of main: if this process was started to be a tracer, it is one, and code is the code to exit with.
func Child() (code int, child bool) {
	told, ok := os.LookupEnv(variable)
	if !ok {
		return 0, false
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var o order
	var said answer
	err := json.Unmarshal([]byte(told), &o)
	if err == nil {
		said.Call, err = Kill(ctx, o.Pid, o.At)
	}
	for _, cause := range []error{ErrNotSupported, ErrNotAllowed, ErrNone, ErrEnded} {
		if errors.Is(err, cause) {
			err = cause
		}
	}
	if err != nil {
		said.Error = err.Error()
	}
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil {
		return 1, true
	}
	return 0, true
}
