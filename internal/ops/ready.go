package ops

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Ready collects what a process waits for. Each check has a name and, while it is not ready, a reason. A set in which nobody has said
// anything is not ready, so a process that is still starting is never taken for one that works. Safe for concurrent use.
type Ready struct {
	mu     sync.Mutex
	checks map[string]error // guarded by mu; nil for ready
	first  chan struct{}    // closed when all were ready for the first time
}

// errWaiting is the reason of a check that was announced and has not been set.
var errWaiting = errors.New("has not started")

// NewReady announces checks that are not ready until Set says so.
func NewReady(names ...string) *Ready {
	r := &Ready{checks: make(map[string]error, len(names)), first: make(chan struct{})}
	for _, name := range names {
		r.checks[name] = errWaiting
	}
	return r
}

// Set says how a check stands: nil for ready, otherwise why not. The last word counts; a new name joins the set.
func (r *Ready) Set(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks[name] = err
	for _, why := range r.checks {
		if why != nil {
			return
		}
	}
	select {
	case <-r.first:
	default:
		close(r.first)
	}
}

// First is closed when all checks were ready for the first time.
func (r *Ready) First() <-chan struct{} { return r.first }

// Err is nil when every check is ready; otherwise it names those that are not, and why. errors.Is sees the reasons.
func (r *Ready) Err() error {
	var errs []error
	for _, w := range r.waiting() {
		errs = append(errs, fmt.Errorf("%s: %w", w.Check, w.err))
	}
	return errors.Join(errs...)
}

// waiting is one line of /readyz.
type waiting struct {
	Check string `json:"check"`
	Why   string `json:"why"`
	err   error
}

func (r *Ready) waiting() []waiting {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []waiting{} // an empty list in JSON, not null
	if len(r.checks) == 0 {
		out = append(out, waiting{Check: "start", Why: errWaiting.Error(), err: errWaiting})
	}
	for name, err := range r.checks {
		if err != nil {
			out = append(out, waiting{Check: name, Why: err.Error(), err: err})
		}
	}
	slices.SortFunc(out, func(a, b waiting) int { return strings.Compare(a.Check, b.Check) })
	return out
}

func (r *Ready) serve(w http.ResponseWriter, _ *http.Request) {
	list := r.waiting()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if len(list) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(list) // the client went away; there is nobody to tell
}
