package recording

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Day is a generated recording. Its two forms (WriteNezha, WriteOTLP) hold the same spans with the same ids.
type Day struct {
	Summary Summary

	start time.Time
	spans []*span
	files [][]*span // what each minute's file holds, in order; a span may be in several or far from its minute
}

// Summary is what went into a recording, known from making it and not from counting it.
type Summary struct {
	Spans      int `json:"spans"`      // different ones
	Rows       int `json:"rows"`       // Spans + Duplicates
	Duplicates int `json:"duplicates"` // rows that are there again
	Dropped    int `json:"dropped"`    // CLIENT and PRODUCER spans taken out, each of which leaves an orphan
	Roots      int `json:"roots"`      // requests from outside
	InnerRoots int `json:"innerRoots"` // traces that start with a CLIENT or INTERNAL span
	Hops       int `json:"hops"`       // calls between services
	PeerCalls  int `json:"peerCalls"`  // calls to declared peers
	Errors     int `json:"errors"`     // Roots, Hops and PeerCalls that failed
	Late       int `json:"late"`
	Skewed     int `json:"skewedPods"`
	Backwards  int `json:"backwards"`
}

// NezhaCalls is the right answer for the Nezha form: without kinds every root counts, a call whose caller's span is
// missing is inner work, and peers are unknown.
func (s Summary) NezhaCalls() int { return s.Roots + s.InnerRoots + s.Hops - s.Dropped }

// OTLPCalls is the right answer for the OTLP form.
func (s Summary) OTLPCalls() int { return s.Roots + s.Hops + s.PeerCalls }

// Generate makes a recording in memory.
func Generate(cfg Config) (*Day, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("generate recording: %w", err)
	}
	start := cfg.Start.UTC().Truncate(time.Minute)
	m := newMesh(cfg)
	for m.sum.OTLPCalls() < cfg.Calls {
		m.trace(start.UnixNano() + int64(when(m.rng, start, cfg.Minutes)))
	}
	m.spans = damage(m, m.spans)
	day := &Day{start: start, spans: m.spans}
	day.files = place(m, start, m.spans)
	m.sum.Spans = len(m.spans)
	m.sum.Rows = m.sum.Spans + m.sum.Duplicates
	day.Summary = m.sum
	return day, nil
}

// when draws the time of a request from the load of a day: highest at 15:00, lowest at 03:00, one to four.
func when(rng *rand.Rand, start time.Time, minutes int) time.Duration {
	for {
		at := time.Duration(rng.Float64() * float64(minutes) * float64(time.Minute))
		hour := start.Add(at).Sub(start.Truncate(24 * time.Hour)).Hours()
		load := 1 + 0.6*math.Cos((hour-15)/24*2*math.Pi)
		if rng.Float64()*1.6 < load {
			return at
		}
	}
}

// damage takes some callers' spans out and lets some spans end before they start.
func damage(m *mesh, spans []*span) []*span {
	kept := spans[:0]
	for _, s := range spans {
		if s.hop && s.parent != 0 && m.rng.Float64() < m.cfg.Orphans {
			m.sum.Dropped++
			continue
		}
		s.seen = s.end // rows are placed by the time the pod was really done
		if m.rng.Float64() < m.cfg.Backwards {
			s.end = s.start - int64(1+m.rng.IntN(5_000_000))
			m.sum.Backwards++
		}
		kept = append(kept, s)
	}
	return kept
}

// place puts spans into minute files: most where they ended, some an hour later, some also in a neighbour.
func place(m *mesh, start time.Time, spans []*span) [][]*span {
	last := int(start.Truncate(24*time.Hour).Add(24*time.Hour).Sub(start)/time.Minute) - 1
	files := make([][]*span, min(m.cfg.Minutes+61, last+1))
	put := func(minute int, s *span) {
		minute = max(0, min(minute, len(files)-1))
		files[minute] = append(files[minute], s)
	}
	for _, s := range spans {
		minute := int((s.seen - start.UnixNano()) / int64(time.Minute))
		if m.rng.Float64() < m.cfg.Late {
			m.sum.Late++
			minute += 60
		}
		put(minute, s)
		if m.rng.Float64() < m.cfg.Duplicates {
			m.sum.Duplicates++
			put(minute+1-2*m.rng.IntN(2), s)
		}
	}
	return files
}
