package run

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weirmesh/weir/torture/check"
)

// Table is how many windows of a table or view, or how many marks, are right and wrong.
type Table struct {
	Name  string `json:"name"`
	Equal int    `json:"equal"`
	Wrong int    `json:"wrong"`
}

// Compared is what the store holds against the truth.
type Compared struct {
	Calls  uint64  `json:"calls"` // of the truth
	Tables []Table `json:"tables"`
	Wrong  string  `json:"wrong,omitempty"` // what is wrong; "" = nothing
	Text   string  `json:"-"`
}

func (c *Compared) add(name string, equal, wrong int) {
	c.Tables = append(c.Tables, Table{name, equal, wrong})
}

// Windows is how many windows are right and wrong, in all tables and views.
func (c *Compared) Windows() (equal, wrong int) {
	for _, t := range c.Tables {
		equal, wrong = equal+t.Equal, wrong+t.Wrong
	}
	return equal, wrong
}

// Report is what a run came to.
type Report struct {
	Seed           uint64         `json:"seed"`
	Kafka          string         `json:"kafka"`
	Requests       int64          `json:"requests"`
	Attempts       int64          `json:"attempts"` // to send one
	Rejected       int64          `json:"rejected"` // spans that collectors took no responsibility for
	Harms          map[Kind]int   `json:"harms"`
	Kills          int            `json:"kills"`     // harms that killed
	Processes      int64          `json:"processes"` // that were killed, one by one
	Previous       int64          `json:"previous,omitempty"`
	DeadLetters    int64          `json:"dead_letters"`
	SecondsSending float64        `json:"seconds_sending"`
	Seconds        float64        `json:"seconds"`
	CallsPerSecond float64        `json:"calls_per_second"` // while sending, harms included
	Log            check.Report   `json:"log"`
	Store          Compared       `json:"store"`
	Notes          map[string]int `json:"notes,omitempty"` // what else happened, and how often
	strict         bool           // nothing that was sent may be rejected
}

// Err says what is wrong, or nil.
func (r Report) Err() error {
	var all []error
	if err := r.Log.Err(); err != nil {
		all = append(all, fmt.Errorf("the log: %w", err))
	}
	if r.Store.Wrong != "" {
		all = append(all, errors.New(r.Store.Wrong))
	}
	if r.strict && r.Rejected+r.DeadLetters > 0 {
		all = append(all, fmt.Errorf("%d spans were rejected and %d dead letters written, of good telemetry", r.Rejected, r.DeadLetters))
	}
	return errors.Join(all...)
}

// String is the report as text.
func (r Report) String() string {
	var b strings.Builder
	equal, wrong := r.Store.Windows()
	fmt.Fprintf(&b, "seed %d, %s: %d calls in %d requests, sent %d times, within %.0f s (%.0f calls/s, harms included); %.0f s in all\n",
		r.Seed, r.Kafka, r.Store.Calls, r.Requests, r.Attempts, r.SecondsSending, r.CallsPerSecond, r.Seconds)
	fmt.Fprintf(&b, "%d kills of %d processes;", r.Kills, r.Processes)
	for _, k := range Kinds() {
		if n := r.Harms[k]; n > 0 {
			fmt.Fprintf(&b, " %s %d", k, n)
		}
	}
	if r.Previous > 0 {
		fmt.Fprintf(&b, "; %d starts of the previous version", r.Previous)
	}
	fmt.Fprintf(&b, "\n%d windows and marks compared, %d wrong; %d spans rejected, %d dead letters\n", equal+wrong, wrong, r.Rejected, r.DeadLetters)
	for note, n := range r.Notes {
		fmt.Fprintf(&b, "%d x %s\n", n, note)
	}
	fmt.Fprintf(&b, "\n%s\n%s", r.Log, r.Store.Text)
	return b.String()
}

// Kinds lists all harms.
func Kinds() []Kind {
	return []Kind{Kill, Many, All, Rename, Away, Pause, Freeze, Leave, Full, Cut, Vanish, Drop, Delay, Slow, Slice}
}
