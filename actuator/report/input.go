package report

import (
	"time"

	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/schemas"
)

// Input is what a report is made of. Order does not matter, and rows that were stored twice count once.
type Input struct {
	At   time.Time // now, in event time; what is later is left out
	From time.Time // start of the period; what was over before it is left out. Zero = no start
	// Replay says that the windows were of the past.
	Replay bool
	Mode   string // "" = dry run
	// DataFrom and DataTo are the start of the first and the end of the last window there is; zero = there is none.
	DataFrom, DataTo time.Time
	// History is how much of it a forecast needs; 0 = 24 h.
	History   time.Duration
	Decisions []schemas.SignedDecision
	Outcomes  []schemas.DecisionOutcome
	Findings  []schemas.Finding // the latest revision of each counts
	Series    map[Key]chart.Series
	Limit     int // proposals to show, and rows of each table; 0 = 20
}

// Key names a series. Of a decision to scale it is the load of the target or, where that is missing, of the target without version and
// region; of a finding its signal at its workload.
type Key struct {
	Workload schemas.Workload
	Signal   schemas.Signal
}

// DryRun is the mode in which nothing is ever applied.
const DryRun = "dry run"

const (
	defaultLimit   = 20
	defaultHistory = 24 * time.Hour
	maxPoints      = 100 // of a chart
	maxNames       = 6   // of targets that share a reason
)

// tidy fills in defaults and leaves out what the report is not about.
func (in Input) tidy() Input {
	if in.Mode == "" {
		in.Mode = DryRun
	}
	if in.Limit <= 0 {
		in.Limit = defaultLimit
	}
	if in.History <= 0 {
		in.History = defaultHistory
	}
	in.Decisions = in.decisions()
	in.Outcomes = in.outcomes()
	in.Findings = in.findings()
	return in
}

// decisions are those made by At that were valid in the period, each once.
func (in Input) decisions() []schemas.SignedDecision {
	seen := map[string]bool{}
	var out []schemas.SignedDecision
	for _, d := range in.Decisions {
		if seen[d.ID] || d.MadeAt.After(in.At) || !in.From.IsZero() && !d.ValidUntil.After(in.From) {
			continue
		}
		seen[d.ID] = true
		out = append(out, d)
	}
	return out
}

func (in Input) outcomes() []schemas.DecisionOutcome {
	var out []schemas.DecisionOutcome
	for _, o := range in.Outcomes {
		if !o.At.After(in.At) {
			out = append(out, o)
		}
	}
	return out
}

// findings are those of the period, each in its latest revision by At.
func (in Input) findings() []schemas.Finding {
	latest := map[string]schemas.Finding{}
	var ids []string
	for _, f := range in.Findings {
		before, known := latest[f.ID]
		if f.UpdatedAt.After(in.At) || known && before.Revision >= f.Revision {
			continue
		}
		if !known {
			ids = append(ids, f.ID)
		}
		latest[f.ID] = f
	}
	var out []schemas.Finding
	for _, id := range ids {
		if f := latest[id]; f.State != schemas.Resolved || in.From.IsZero() || f.UpdatedAt.After(in.From) {
			out = append(out, f)
		}
	}
	return out
}
