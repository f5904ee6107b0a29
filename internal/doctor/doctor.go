// Package doctor judges a deployment: it turns facts that somebody gathered into findings, each with what to do about it. It is a pure
// function of the facts: it has no clock, network or disk of its own, so every finding can be shown by a table of facts.
//
// What could not be learnt is left out of the facts, and its checks are skipped and say so: they are never taken for good.
package doctor

import (
	"fmt"
	"time"
)

// Level says how a check came out.
type Level string

// The levels, best first. Only Failed makes a deployment unhealthy.
const (
	OK      Level = "ok"
	Skipped Level = "skipped" // it could not be looked at
	Warning Level = "warning" // it works, and will not for long or not exactly
	Failed  Level = "failed"
)

// Result is what one check found.
type Result struct {
	Check   string `json:"check"` // part.topic, for example kafka.topics
	Level   Level  `json:"level"`
	Finding string `json:"finding"`          // one line: what is so
	Advice  string `json:"advice,omitempty"` // one line: what to do; empty where nothing has to be done
}

// Check judges everything, in the order in which data passes.
func Check(f Facts) []Result {
	var all []Result
	checks := []func(Facts) []Result{
		checkSettings, checkKeys, checkHost, checkEndpoints, checkKafka, checkStore, checkFlow, checkTelemetry, checkProbe,
	}
	if f.Kafka == nil && f.Store == nil {
		checks = []func(Facts) []Result{checkSettings, checkKeys, checkHost, checkEndpoints, checkRuns}
	}
	for _, check := range checks {
		all = append(all, check(f)...)
	}
	return all
}

// Count is how many results have a level.
func Count(all []Result, l Level) (n int) {
	for _, r := range all {
		if r.Level == l {
			n++
		}
	}
	return n
}

func ok(check, finding string, args ...any) Result {
	return Result{Check: check, Level: OK, Finding: fmt.Sprintf(finding, args...)}
}

func skipped(check, why, advice string) Result {
	return Result{Check: check, Level: Skipped, Finding: why, Advice: advice}
}

func warning(check, finding, advice string) Result {
	return Result{Check: check, Level: Warning, Finding: finding, Advice: advice}
}

func failed(check, finding, advice string) Result {
	return Result{Check: check, Level: Failed, Finding: finding, Advice: advice}
}

// orOK is the list, or one good result where there is nothing to say against it.
func orOK(all []Result, check, finding string, args ...any) []Result {
	if len(all) == 0 {
		return []Result{ok(check, finding, args...)}
	}
	return all
}

// short writes a duration in the unit that people would choose.
func short(d time.Duration) string {
	switch abs := d.Abs(); {
	case abs >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case abs >= 2*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	case abs >= 2*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case abs >= time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Millisecond).String()
}

// size writes bytes for people.
func size(n uint64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// percent writes a share.
func percent(part, whole uint64) string { return fmt.Sprintf("%.1f %%", 100*share(part, whole)) }

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
