package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/schemas"
)

const clock = "15:04:05 MST"

// explain says what is wrong in one or two sentences, with the numbers somebody needs to act.
func explain(f schemas.Finding, s detect.Score, siblings []Sibling) string {
	since, seconds := f.StartedAt.UTC().Format(clock), span(s)
	var b strings.Builder
	if f.Signal == schemas.SignalLatency {
		fmt.Fprintf(&b,
			"The calls to %s take %s on average since %s (%d in the last %s), %.1f times the %s that are usual; expected below %s.",
			detect.Title(f.Workload), detect.Text(f.Signal, s.Pooled), since, s.Calls, seconds, s.Pooled/s.Expected,
			detect.Text(f.Signal, s.Expected), detect.Text(f.Signal, s.High))
	} else {
		fmt.Fprintf(&b, "%s of the calls to %s fail since %s (%d of %d in the last %s); %s are usual, expected below %s.",
			detect.Text(f.Signal, s.Pooled), detect.Title(f.Workload), since, s.Failed, s.Calls, seconds,
			detect.Text(f.Signal, s.Expected), detect.Text(f.Signal, s.High))
	}
	if f.State == schemas.Pending {
		b.WriteString(" Another window has to confirm it.")
	}
	for i, v := range siblings {
		if i == 3 {
			break
		}
		fmt.Fprintf(&b, " %s is at %s.", version(v.Version), detect.Text(f.Signal, v.Value))
	}
	return b.String()
}

func explainRecovery(f schemas.Finding, s detect.Score) string {
	return fmt.Sprintf("%s of %s is within its usual range again: %s in the last %s, expected below %s. It was not for %s, from %s.",
		noun(f.Signal), detect.Title(f.Workload), detect.Text(f.Signal, s.Pooled), span(s), detect.Text(f.Signal, s.High),
		lasted(f.UpdatedAt.Add(-quiet*10*time.Second).Sub(f.StartedAt)), f.StartedAt.UTC().Format(clock))
}

func explainAcceptance(f schemas.Finding, s detect.Score) string {
	return fmt.Sprintf("%s of %s has been out of its usual range for %s, now at %s where %s was usual. "+
		"It is taken as how things are from here on; nothing says that it was repaired.",
		noun(f.Signal), detect.Title(f.Workload), lasted(f.UpdatedAt.Sub(f.StartedAt)),
		detect.Text(f.Signal, s.Pooled), detect.Text(f.Signal, s.Expected))
}

func explainSilence(f schemas.Finding, last time.Time) string {
	return fmt.Sprintf("No telemetry of %s could be judged since %s, so it is not known whether it recovered; its last %s was %s.",
		detect.Title(f.Workload), last.UTC().Format(clock), strings.ToLower(noun(f.Signal)), detect.Text(f.Signal, f.Observed))
}

// facts are the numbers behind a score; their names are listed in docs/formats/events.md.
func facts(signal schemas.Signal, s detect.Score) []schemas.Fact {
	unit := "ms"
	all := []schemas.Fact{
		{Name: "windows", Value: float64(s.Windows)},
		{Name: "calls", Value: float64(s.Calls)},
	}
	if signal == schemas.SignalErrorRate {
		unit = "share"
		all = append(all, schemas.Fact{Name: "failed_calls", Value: float64(s.Failed)})
	}
	return append(all,
		schemas.Fact{Name: "pooled", Value: round(s.Pooled, 6), Unit: unit},
		schemas.Fact{Name: "usual", Value: round(s.Expected, 6), Unit: unit})
}

func version(v string) string {
	if v == "" {
		return "The version without a name"
	}
	return v
}

func noun(s schemas.Signal) string {
	if s == schemas.SignalLatency {
		return "Mean latency"
	}
	return "Error rate"
}

func span(s detect.Score) string { return fmt.Sprintf("%d s", 10*s.Windows) }

func lasted(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
