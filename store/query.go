package store

import (
	"errors"
	"time"
)

// Query selects findings or decisions. Zero fields ask for nothing in particular.
type Query struct {
	ID       string    // the id, or a beginning of it that no other has: else ErrAmbiguous
	From, To time.Time // findings that were open and decisions that were made at some time in [From, To)
	Kinds    []string
	States   []string // of findings
	Verdicts []string // of decisions
	Workload string   // name, cluster/namespace/name, or either with @version
	Limit    int      // at most so many; 0 = all
	Newest   bool     // the latest first, else the earliest
}

// ErrAmbiguous says that more than one id begins with what was asked for.
var ErrAmbiguous = errors.New("more than one id begins like this")
