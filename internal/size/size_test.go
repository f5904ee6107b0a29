package size_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/internal/size"
)

var from = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// tenMinutes is a sample of 60 short windows: 6,000 calls to 4 workloads.
func tenMinutes(change ...func(*size.Measured)) size.Measured {
	m := size.Measured{
		From: from, To: from.Add(10 * time.Minute), Calls: 6000, Spans: 12_000, Workloads: 4, Edges: 6, Instances: 8,
		Windows: map[string]map[int]int{"service": {60: 16}},
		Rows:    map[string]uint64{"samples": 80, "spans": 12_000},
		Tables: []size.Table{
			{Name: "service_10s", Rows: 100_000, Bytes: 3_000_000, LargestRows: 80_000, LargestBytes: 1_600_000, Kept: 30 * 24 * time.Hour},
		},
		Topics: []size.Topic{{Name: "weir.calls", Rows: 1000, Bytes: 60_000, DiskRows: 1000, DiskBytes: 30_000, Kept: 7 * 24 * time.Hour}},
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

func seen(keys map[int]int) func(*size.Measured) {
	return func(m *size.Measured) { m.Windows["service"] = keys }
}

func table(name string) func(*size.Measured) {
	return func(m *size.Measured) { m.Tables[0].Name = name }
}

func TestRowsPerDay(t *testing.T) {
	const days = 8640. // windows of 10 s in a day
	for _, c := range []struct {
		name string
		m    size.Measured
		what size.WhatIf
		want float64
	}{
		{"a key that is always there has a row in each window", tenMinutes(), size.WhatIf{}, 16 * days * (1 - 1./120)},
		{"and nearly one in each minute", tenMinutes(table("service_1m")), size.WhatIf{}, 16 * days / 6},
		{"a key seen in half of the windows", tenMinutes(seen(map[int]int{30: 2})), size.WhatIf{}, days},
		{"is nearly always there in a minute", tenMinutes(seen(map[int]int{30: 2}), table("service_1m")), size.WhatIf{}, 2 * days / 6 * (1 - 1./64)},
		{"and always in an hour", tenMinutes(seen(map[int]int{30: 2}), table("service_1h")), size.WhatIf{}, 48},
		{"twice the calls", tenMinutes(seen(map[int]int{30: 2})), size.WhatIf{CallsPerSecond: 20}, 2 * days * 0.75},
		{"half of the calls", tenMinutes(seen(map[int]int{45: 2})), size.WhatIf{CallsPerSecond: 5}, days},
		{"twice the workloads, each called as before", tenMinutes(seen(map[int]int{30: 2})), size.WhatIf{Workloads: 8}, 2 * days},
		{"twice the workloads share the calls", tenMinutes(seen(map[int]int{45: 2})), size.WhatIf{Workloads: 8, CallsPerSecond: 10}, 2 * days},
		{"samples go by workloads", tenMinutes(table("samples")), size.WhatIf{Workloads: 8, CallsPerSecond: 100}, 80 * 144 * 2},
		{"spans go by calls", tenMinutes(table("spans")), size.WhatIf{Workloads: 8, CallsPerSecond: 100}, 12_000 * 144 * 10},
	} {
		e, err := size.New(c.m, c.what, size.Prices{Replicas: 1, LogCopies: 1})
		if err != nil || len(e.Tables) != 1 {
			t.Fatalf("%s: %d tables, %v", c.name, len(e.Tables), err)
		}
		if got := e.Tables[0].RowsPerDay; math.Abs(got/c.want-1) > 1e-3 {
			t.Errorf("%s: %.1f rows a day, want %.1f", c.name, got, c.want)
		}
	}
}

func TestBytesCopiesAndMoney(t *testing.T) {
	e, err := size.New(tenMinutes(), size.WhatIf{}, size.Prices{GBMonth: 0.1, Replicas: 2, LogCopies: 3})
	if err != nil {
		t.Fatal(err)
	}
	rows := e.Tables[0].RowsPerDay
	store := size.Range{Low: 20 * 30 * rows, High: 30 * 30 * rows}
	log := size.Range{Low: 30, High: 60}.Times(7 * 12_000 * 144)
	near := func(name string, got, want size.Range) {
		if math.Abs(got.Low/want.Low-1) > 1e-9 || math.Abs(got.High/want.High-1) > 1e-9 {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	near("store", e.Store, store)
	near("log", e.Log, log)
	near("total", e.Total, store.Times(2).Plus(log.Times(3)))
	near("month", e.Month, e.Total.Times(0.1/1e9))
	if e.CallsPerSecond != 10 || e.SpansPerSecond != 20 {
		t.Errorf("%v calls and %v spans a second", e.CallsPerSecond, e.SpansPerSecond)
	}
}

func TestARowWithMoreCallsHasMoreBuckets(t *testing.T) {
	m := tenMinutes(func(m *size.Measured) {
		m.Tables[0].Buckets, m.Tables[0].RowCalls = 5, 10
		m.Tables = append(m.Tables,
			size.Table{Name: "service_1m", Rows: 1, Bytes: 50, Kept: time.Hour, Buckets: 15, RowCalls: 10 * math.E},
			size.Table{Name: "service_1h", Rows: 1, Bytes: 70, Kept: time.Hour, Buckets: 20, RowCalls: 10 * math.E * math.E})
	})
	for _, c := range []struct {
		calls, more float64 // calls a second; the fewest bytes that a row of service_10s takes more
	}{
		{0, 0},
		{10 * math.E, 0.7 * 10}, // as many as a minute has now
		{10 * math.E * math.E * math.E, 0.7 * 20}, // beyond an hour's, as from the minute to the hour
		{10 / math.Sqrt(math.E), -1.2 * 4},        // never below one bucket
	} {
		e, err := size.New(m, size.WhatIf{CallsPerSecond: c.calls}, size.Prices{Replicas: 1, LogCopies: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range e.Tables {
			if got.Name == "service_10s" && math.Abs(got.BytesPerRow.Low-20-c.more) > 0.2 {
				t.Errorf("%.1f calls a second: %+v bytes a row, want %.1f more than 20", c.calls, got.BytesPerRow, c.more)
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*size.Measured)
	}{
		{"", func(*size.Measured) {}},
		{"1m0s long", func(m *size.Measured) { m.To = from.Add(time.Minute) }},
		{"too high: service_10s", func(m *size.Measured) { m.Tables[0].Rows = 9 }},
		{"not merged yet", func(m *size.Measured) { m.Tables[0].UnmergedParts = 9 }},
		{"compressed cannot be seen", func(m *size.Measured) { m.Topics[0].DiskBytes = 0 }},
		{"against all that was counted", func(m *size.Measured) { m.Topics[0].Rows = 0 }},
		{"log was not measured", func(m *size.Measured) { m.Topics = nil }},
	} {
		e, err := size.New(tenMinutes(c.change), size.WhatIf{}, size.Prices{Replicas: 1, LogCopies: 1})
		if got := strings.Join(e.Warnings, "\n"); err != nil || !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("warnings %q (%v), want %q", got, err, c.want)
		}
	}
	if _, err := size.New(tenMinutes(func(m *size.Measured) { m.Calls = 0 }), size.WhatIf{}, size.Prices{}); err == nil {
		t.Error("there is an estimate from no calls")
	}
}
