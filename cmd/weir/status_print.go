package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/actuator/report/say"
)

// reach is how far a stage behind the windows has come.
type reach struct {
	// LastData is when its position moved last or, for the actuator, when an outcome was stored last; by the store's clock.
	LastData time.Time `json:"last_data,omitzero"`
	// DecidedUpTo is event time. A decider has decided and published every window that ends at or before it, on each of its shards. The
	// actuator waits with no decision that was made before it. Zero: nothing is decided yet.
	DecidedUpTo time.Time `json:"decided_up_to,omitzero"`
	// BehindSeconds is the event time from there, or from the first window, to the end of the last window that is closed; nil: not known.
	BehindSeconds *int64 `json:"behind_seconds,omitempty"`
}

// hopDecider is forecast, and what detect has in common with it.
type hopDecider struct {
	reach
	LiveProposals uint64 `json:"live_proposals"` // targets for which a proposal of this stage is valid beyond DecidedUpTo
}

type hopDetect struct {
	hopDecider
	FiringFindings uint64 `json:"firing_findings"`
}

type hopActuator struct {
	reach
	OpenDecisions uint64    `json:"open_decisions"`         // that have no outcome: the actuator is yet to say it, or did not believe them
	WaitingSince  time.Time `json:"waiting_since,omitzero"` // when the oldest was stored that came after the last outcome; zero: none did
}

const (
	// quietAfter is how long a hop may be without data before status says so.
	quietAfter = 30 * time.Second
	// A decider may be so far behind the closed windows, of event time: where these are of the present; where its position has not moved
	// for quietAfter; and else, which is a replay that is under way.
	behindNow, behindStill, behindMoving = 2 * time.Minute, 5 * time.Minute, 15 * time.Minute
	// nowWithin is how near to the clock windows of the present close.
	nowWithin = 10 * time.Minute
)

// quietHop is a hop through which nothing has come for a while.
type quietHop struct {
	name string
	last time.Time // zero: nothing ever
}

// quietHops are in the order in which data passes. A hop that could not be asked is not named.
func (s *status) quietHops(kafka, store bool) (quiet []quietHop) {
	check := func(asked bool, name string, last time.Time) {
		if asked && (last.IsZero() || s.Time.Sub(last) > quietAfter) {
			quiet = append(quiet, quietHop{name, last})
		}
	}
	if s.Collector != nil {
		check(true, "collector", s.Collector.LastData)
	}
	check(kafka, "ingest", s.Ingest.LastData)
	check(kafka, "features", s.Features.LastData)
	check(store, "store", s.Store.LastData)
	return quiet
}

// findQuiet names the hops through which nothing has come for a while, and the deciders that have fallen behind.
func (s *status) findQuiet(kafka, store bool) {
	s.Quiet = []string{}
	for _, hop := range s.quietHops(kafka, store) {
		if hop.last.IsZero() {
			s.Quiet = append(s.Quiet, "no data yet at hop "+hop.name)
		} else {
			s.Quiet = append(s.Quiet, fmt.Sprintf("no data since %s at hop %s", hop.last.Local().Format(time.TimeOnly), hop.name))
		}
	}
	s.Quiet = append(s.Quiet, s.behindHops()...)
}

// behindHops says which deciders have fallen behind, and whether the actuator has.
func (s *status) behindHops() (behind []string) {
	if s.Forecast != nil {
		behind = append(behind, s.findBehind(stageForecast, s.Forecast.reach)...)
	}
	if s.Detect != nil {
		behind = append(behind, s.findBehind(stageDetect, s.Detect.reach)...)
	}
	if a := s.Actuator; a != nil && !a.WaitingSince.IsZero() && s.Time.Sub(a.WaitingSince) > quietAfter {
		behind = append(behind, fmt.Sprintf("no outcome since %s at hop actuator, %d decisions wait for theirs",
			a.WaitingSince.Local().Format(time.TimeOnly), a.OpenDecisions))
	}
	return behind
}

// findBehind is a line about a decider that is further behind than it may be, or none.
func (s *status) findBehind(stage string, r reach) []string {
	if r.BehindSeconds == nil {
		return nil
	}
	allowed := behindMoving
	switch {
	case s.Time.Sub(s.Features.Watermark).Abs() < nowWithin:
		allowed = behindNow
	case s.Time.Sub(r.LastData) > quietAfter:
		allowed = behindStill
	}
	behind := time.Duration(*r.BehindSeconds) * time.Second
	if behind <= allowed {
		return nil
	}
	line := "%s is %s of event time behind the closed windows"
	if r.DecidedUpTo.IsZero() {
		line = "%s has not decided yet about %s of closed windows"
	}
	return []string{fmt.Sprintf(line, stage, say.Seconds(behind.Truncate(time.Minute).Seconds()))}
}

// print writes the status for people.
func (s status) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "HOP\tLAST DATA\tLAG\t")
	if c := s.Collector; c != nil {
		fmt.Fprintf(w, "collector\t%s\t-\treceived %d, sent %d, dropped %d, dead-lettered %d\n",
			s.ago(c.LastData), c.Received, c.Sent, c.Dropped, c.DeadLettered)
	}
	fmt.Fprintf(w, "ingest\t%s\t-\t%d messages in the log\n", s.ago(s.Ingest.LastData), s.Ingest.Messages)
	fmt.Fprintf(w, "features\t%s\t%d\twatermark %s\n", s.ago(s.Features.LastData), s.Features.Lag, moment(s.Features.Watermark))
	fmt.Fprintf(w, "store\t%s\t-\tcalls %d, duplicates %d, orphans %d, missing %d, gaps %d; last window %s\n", s.ago(s.Store.LastData),
		s.Store.Calls, s.Store.Duplicates, s.Store.Orphans, s.Store.Missing, s.Store.Gaps, moment(s.Store.LastWindow))
	s.printDecided(w)
	fmt.Fprintln(w)
	fmt.Fprintln(w, "SOURCE\tEND\tDURABLE\tLAG\tMARK\tWATERMARK\tLAST DATA")
	for _, p := range s.Sources {
		watermark := moment(p.Watermark)
		if p.Idle {
			watermark += " (idle)"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\n", p.Source, p.End, p.Durable, p.Lag, offset(p.Mark), watermark, s.ago(p.LastData))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\ndead letters: %d", s.DeadLetters)
	if s.DeadLetters > 0 {
		b.WriteString(" (see `weir deadletter list`)")
	}
	b.WriteByte('\n')
	for _, line := range s.Quiet {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// printDecided writes the hops of the second half of the loop, as far as they are known.
func (s status) printDecided(w io.Writer) {
	hop := func(name string, r reach, rest string) {
		lag := "-"
		if r.BehindSeconds != nil {
			lag = (time.Duration(*r.BehindSeconds) * time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\tdecided up to %s; %s\n", name, s.ago(r.LastData), lag, moment(r.DecidedUpTo), rest)
	}
	if h := s.Forecast; h != nil {
		hop(stageForecast, h.reach, fmt.Sprintf("live proposals %d", h.LiveProposals))
	}
	if h := s.Detect; h != nil {
		hop(stageDetect, h.reach, fmt.Sprintf("live proposals %d, firing findings %d", h.LiveProposals, h.FiringFindings))
	}
	if h := s.Actuator; h != nil {
		hop(stageActuator, h.reach, fmt.Sprintf("decisions without an outcome %d", h.OpenDecisions))
	}
}

// ago writes when something was, for people who look now.
func (s status) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%s (%s ago)", t.Local().Format(time.TimeOnly), s.Time.Sub(t).Round(time.Second))
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateTime)
}

func offset(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
