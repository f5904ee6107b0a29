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

// Accountant reads accounts.
type Accountant interface {
	// Heartbeats returns every collector that was heard since a time.
	Heartbeats(ctx context.Context, since time.Time) ([]schemas.Heartbeat, error)
	// Accounts returns what a query asks for, in no particular order.
	Accounts(ctx context.Context, q AccountsQuery) (Accounts, error)
}
