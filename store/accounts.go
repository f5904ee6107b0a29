package store

import (
	"context"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Accounts are what the stages tell about the same records, each by its own counters, for some stretch of time.
type Accounts struct {
	Written []schemas.WrittenRows
	Counted []schemas.CountedRows // may say the same twice
	Totals  []schemas.RunningTotal
	Called  []schemas.CalledWindow // with calls that only callers told of
	Gaps    []schemas.Gap
}

// AccountsQuery asks for accounts. Windows are those of ten seconds that start in a range.
type AccountsQuery struct {
	From, To time.Time // windows, and times of samples
	Called   time.Time // Accounts.Called begins here
	Judged   time.Time // Accounts.Gaps begin here
	Kinds    []schemas.GapKind
	Metrics  []string // of Accounts.Totals: names without attributes and with underscores for dots
	// Before adds rows that were written and counted for the minute and a half before each of these times, for the windows that hold it and
	// the next, and for the first window after that in which each sender was counted.
	Before []time.Time
}

// Served is what proxies tell of the requests that they served, and what was counted of them.
type Served struct {
	Totals []schemas.RunningTotal  // of each minute and total the first sample, the largest and the last
	Calls  []schemas.InstanceCalls // of workloads with such totals, each instance and window once
	Gaps   []schemas.Gap           // of any kind
}

// ServedQuery asks for Served. Windows are those of ten seconds that start in the range.
type ServedQuery struct {
	From, To   time.Time // windows, times of samples, and beginnings of gaps
	Metrics    []string  // names without attributes and with underscores for dots
	Attributes []string  // one of these is in the attributes of each metric
}

// Accountant reads accounts.
type Accountant interface {
	// Heartbeats returns every collector that was heard since a time.
	Heartbeats(ctx context.Context, since time.Time) ([]schemas.Heartbeat, error)
	// Accounts returns what a query asks for, in no particular order.
	Accounts(ctx context.Context, q AccountsQuery) (Accounts, error)
	// Served returns what a query asks for, in no particular order.
	Served(ctx context.Context, q ServedQuery) (Served, error)
}
