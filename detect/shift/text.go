package shift

import (
	"fmt"
	"math"
	"strings"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/schemas"
)

func reason(c Case, d schemas.Decision, sick Version, healthy []Version, grow float64) string {
	var b strings.Builder
	w, signal := c.Finding.Workload, c.Finding.Signal
	if signal == schemas.SignalErrorRate {
		fmt.Fprintf(&b, "%s of the calls to %s fail", detect.Text(signal, sick.Signal), detect.Title(w))
	} else {
		fmt.Fprintf(&b, "The calls to %s take %s where %s are usual", detect.Title(w), detect.Text(signal, sick.Signal),
			detect.Text(signal, c.Finding.Expected))
	}
	best := largest(healthy)
	fmt.Fprintf(&b, ", %s is at %s: %.0f instead of %.0f percent of the calls should go there.",
		name(best.Name), detect.Text(signal, best.Signal), d.Proposed, d.Current)
	fmt.Fprintf(&b, " %s would take %.1f calls/s an instance instead of %.1f; it has carried %.1f.",
		name(best.Name), best.PerInstance*grow, best.PerInstance, max(best.Seen, best.PerInstance))
	if d.Code == CodeSiblingRange {
		b.WriteString(" More would go beyond what it has been seen to carry.")
	}
	return b.String()
}

// why says why nothing is proposed.
func why(code string, w schemas.Workload) string {
	switch code {
	case CodeOnlyVersion:
		return fmt.Sprintf("No other version of %s takes traffic, so there is nowhere to send the calls.", w.Name)
	case CodeIncomplete:
		return fmt.Sprintf("Part of the telemetry of %s is missing, so neither its trouble nor the room of its other versions is certain.", w.Name)
	case CodeNoHealthy:
		return fmt.Sprintf("No other version of %s does better than %s at the same time.", w.Name, detect.Title(w))
	}
	return fmt.Sprintf("The other versions of %s would get more load per instance than they have been seen to carry within a day.", w.Name)
}

// without says what goes on if nothing is shifted, by the minute.
func (c Case) without(sick Version, proposed float64) string {
	var total float64
	for _, v := range c.Versions {
		total += v.PerMinute
	}
	bad, verb := sick.PerMinute, "keep taking "+detect.Text(c.Finding.Signal, sick.Signal)
	if c.Finding.Signal == schemas.SignalErrorRate {
		bad, verb = bad*sick.Signal, "keep failing"
	}
	with := 0.0
	if sick.Share > 0 {
		with = bad * proposed / sick.Share
	}
	if c.Finding.Signal == schemas.SignalErrorRate {
		return fmt.Sprintf("Without it about %.0f of %.0f calls a minute %s at %s, with it about %.0f.",
			bad, total, verb, detect.Title(c.Finding.Workload), with)
	}
	return fmt.Sprintf("Without it about %.0f of %.0f calls a minute %s, with it about %.0f.", bad, total, verb, with)
}

// otherwise says what would be proposed if nothing stood against it.
func (c Case) otherwise(current float64) string {
	return fmt.Sprintf("With a healthy version that could take the calls, %s would be proposed %.0f instead of %.0f percent.",
		detect.Title(c.Finding.Workload), min(c.goal(current), current), current)
}

// evidence are the numbers behind a decision; their names are listed in docs/formats/events.md.
func evidence(c Case, sick Version, healthy []Version, grow float64) []schemas.Fact {
	unit := "ms"
	if c.Finding.Signal == schemas.SignalErrorRate {
		unit = "share"
	}
	facts := []schemas.Fact{
		{Name: "share", Value: tidy(sick.Share), Unit: "percent"},
		{Name: "calls_per_minute", Value: tidy(sick.PerMinute)},
		{Name: "observed", Value: tidy(sick.Signal), Unit: unit},
	}
	if sick.Missing > 0 {
		facts = append(facts, schemas.Fact{Name: "completeness", Value: tidy(1 - sick.Missing)})
	}
	if len(healthy) == 0 {
		return facts
	}
	best := largest(healthy)
	return append(facts,
		schemas.Fact{Name: "sibling_observed", Value: tidy(best.Signal), Unit: unit},
		schemas.Fact{Name: "sibling_share", Value: tidy(best.Share), Unit: "percent"},
		schemas.Fact{Name: "sibling_load", Value: tidy(best.PerInstance), Unit: "calls/s/instance"},
		schemas.Fact{Name: "sibling_load_after", Value: tidy(best.PerInstance * grow), Unit: "calls/s/instance"},
		schemas.Fact{Name: "sibling_load_seen", Value: tidy(max(best.Seen, best.PerInstance)), Unit: "calls/s/instance"})
}

// largest is the version with the most traffic, the first by name among equals.
func largest(versions []Version) Version {
	best := versions[0]
	for _, v := range versions[1:] {
		if v.Share > best.Share || v.Share == best.Share && v.Name < best.Name {
			best = v
		}
	}
	return best
}

func name(version string) string {
	if version == "" {
		return "the version without a name"
	}
	return version
}

// tidy rounds to six digits after the point, so that the last bits of a sum are not told as knowledge; what is not finite becomes 0.
func tidy(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return math.Round(v*1e6) / 1e6
}
