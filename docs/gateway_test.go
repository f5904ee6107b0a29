package docs_test

import (
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
)

// gateway is an hour of what the simulator does not make: a caller in another region, sampled one in ten, with bytes, repeated attempts,
// refusals, a late row, lost records, and a gap.
func gateway() store.Flush {
	end := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
	f := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}, Gaps: []schemas.Gap{{
		From: end.Add(-40 * time.Minute).UnixNano(), To: end.Add(-38 * time.Minute).UnixNano(), Scope: "*", Hop: "ingest",
		Kind: schemas.GapDeadLetter, Source: "weir.calls@log/1", Share: 0.25, Records: 31, Detail: "offset 77 is in the dead letter",
	}}}
	for _, table := range schemas.Tables() {
		step := time.Duration(table.Resolution)
		for at := end.Add(-time.Hour); at.Before(end); at = at.Add(step) {
			f.Partials[table] = append(f.Partials[table], toLedger(table.Subject, at, uint64(step/time.Second)))
		}
	}
	return f
}

// toLedger is one window of so many seconds. Each second gateway (eu) asks ledger (us) for 20 calls: two are refused, two are repeated.
func toLedger(subject schemas.Subject, at time.Time, seconds uint64) schemas.Partial {
	ledger := []string{"demo", "us", "shop", "ledger", "v7"}
	p := schemas.Partial{
		Start: at.UnixNano(), Source: "weir.calls@log/0", FirstOffset: 0, LastOffset: 9, Evidence: schemas.ServerSpan,
		Dimensions: append([]string{""}, ledger...),
	}
	switch subject {
	case schemas.EdgeWindows:
		p.Dimensions = append([]string{"", "demo", "eu", "shop", "gateway", "v1"}, ledger...)
	case schemas.InstanceWindows:
		p.Dimensions = append(p.Dimensions, "ledger-0")
	case schemas.ServiceWindows:
		p.Callers = []string{"demo/shop/gateway"}
	}
	calls := 18 * seconds
	for id, n := range map[schemas.MeasureID]uint64{
		schemas.Calls: calls << 16, schemas.StatusKnown: calls << 16, schemas.RejectedMesh: 2 * seconds << 16, schemas.Retries: 2 * seconds << 16,
		schemas.Observed: 2 * seconds, schemas.DurationNS: calls * 80e6, schemas.RequestBytes: calls * 700, schemas.ResponseBytes: calls * 9000,
		schemas.Revision: 1, schemas.Spans: 4 * seconds, schemas.Orphans: 1, schemas.Missing: 1,
	} {
		p.Measures[id] = n
	}
	p.Histogram = []schemas.BucketCount{{Bucket: schemas.BucketOf(80e6), Count: calls << 16}}
	return p
}
