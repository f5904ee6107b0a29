package names_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/schemas"
)

func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

func origin(workload, version, instance string) schemas.Origin {
	return schemas.Origin{Workload: schemas.Workload{Tenant: "blue", Namespace: "shop", Name: workload, Version: version}, Instance: instance}
}

func TestFloodsKeepHigherLevels(t *testing.T) {
	table := names.New(names.Limits{Workloads: 10, Instances: 20, Series: 5})
	overflow := schemas.Origin{Workload: schemas.Workload{Tenant: "blue", Name: schemas.Overflow}}
	for i := range 1000 {
		name := fmt.Sprint(i)
		if got, over := table.Origin("bad", noon(), origin(name, "", "")); i >= 10 && (got != overflow || !over.Has(names.Workload)) {
			t.Fatalf("workload %d became %+v", i, got)
		}
		if got, over := table.Origin("bad", noon(), origin("1", name, "")); i >= 20 && (got != origin("1", schemas.Overflow, "") || !over.Has(names.Version)) {
			t.Fatalf("version %d became %+v", i, got)
		}
		if got, over := table.Origin("bad", noon(), origin("1", "1", name)); i >= 20 && (got != origin("1", "1", schemas.Overflow) || !over.Has(names.Instance)) {
			t.Fatalf("instance %d became %+v", i, got)
		}
		if ok := table.Series("bad", noon(), origin("1", "1", "1"), name); ok != (i < 5) {
			t.Fatalf("series %d: %t", i, ok)
		}
		if ok := table.Peer("bad", noon(), "shop", name); ok != (i < 10) {
			t.Fatalf("peer %d: %t", i, ok)
		}
	}
}

func TestAFloodDisplacesNobody(t *testing.T) {
	table := names.New(names.Limits{Workloads: 100, Instances: 100, Series: 100})
	known := func(source, name string, now time.Time) bool {
		_, over := table.Origin(source, now, origin(name, "", ""))
		return over == 0
	}
	now := noon()
	for i := range 40 {
		known("good", fmt.Sprint("good-", i), now)
	}
	for i := range 100_000 {
		now = now.Add(time.Millisecond)
		known("bad", fmt.Sprint("bad-", i), now)
		if i%1000 != 0 {
			continue
		}
		for j := range 40 {
			if !known("good", fmt.Sprint("good-", j), now) {
				t.Fatalf("good-%d is not known after %d", j, i)
			}
		}
	}
	for i := range 9 { // who comes later gets room, at the expense of who has the most
		if !known("late", fmt.Sprint("late-", i), now) || !known("good", fmt.Sprint("good-", i), now) {
			t.Fatalf("late-%d is not admitted", i)
		}
	}
	if n := table.Len(names.Workload); n != 100 {
		t.Errorf("%d names are known", n)
	}
}

func TestNamesAreForgotten(t *testing.T) {
	table := names.New(names.Limits{Workloads: 10, Instances: 10, Series: 10})
	peer := func(name string, after time.Duration) bool { return table.Peer("a", noon().Add(after), "", name) }
	for i := range 10 {
		peer(fmt.Sprint(i), 0)
		if i < 8 { // comes again, and so stays
			peer(fmt.Sprint(i), time.Second)
		}
	}
	if peer("new", 5*time.Minute-1) {
		t.Error("admitted while all others were used within five minutes")
	}
	if !peer("new", 5*time.Minute) || !peer("newer", 5*time.Minute) || peer("newest", 5*time.Minute) {
		t.Error("the two that came once did not make room for two others, and no more")
	}
	peer("3", 30*time.Minute)
	if !peer("last", 61*time.Minute) || table.Len(names.Peer) != 4 {
		t.Errorf("%d names are known, want those used within the hour", table.Len(names.Peer))
	}
}

// TestManyConnectionsDisplaceNobodyWhoStays: each of a thousand connections brings more names than there is room for, as a client does that
// connects anew for each request.
func TestManyConnectionsDisplaceNobodyWhoStays(t *testing.T) {
	table, now := names.New(names.Limits{Workloads: 1000, Instances: 1000, Series: 1000}), noon()
	known := func(source, name string) bool {
		_, over := table.Origin(source, now, origin(name, "", ""))
		return over == 0
	}
	admitted, late := 0, 0
	for connection := range 1000 {
		now = now.Add(time.Second)
		for i := range 60 {
			if !known("good", fmt.Sprint("good-", i)) {
				t.Fatalf("good-%d is not known after %d connections", i, connection)
			}
		}
		for i := range 2000 {
			if known(fmt.Sprint("bad-", connection), fmt.Sprint("bad-", connection, "-", i)) {
				admitted++
			}
		}
		if connection < 500 {
			continue
		}
		late = 0
		for i := range 60 { // who comes when all is full has all its names before long
			if known("late", fmt.Sprint("late-", i)) {
				late++
			}
		}
	}
	if late != 60 {
		t.Errorf("%d of the 60 names of who came late are known", late)
	}
	if admitted > 30_000 || table.Len(names.Workload) != 1000 {
		t.Errorf("%d of 2,000,000 invented names were let through, %d are known", admitted, table.Len(names.Workload))
	}
}

func TestDays(t *testing.T) {
	table := names.New(names.DefaultLimits())
	today := names.DayOf(noon().UnixNano())
	for i := range 10 * names.DefaultLimits().Days {
		if ok := table.Day("bad", noon(), today-10-int64(i)); ok != (i < names.DefaultLimits().Days) {
			t.Fatalf("day %d: %t", i, ok)
		}
	}
	if !table.Day("bad", noon(), today) || !table.Day("bad", noon(), today-1) || !table.Day("good", noon(), 0) {
		t.Error("an honest day is refused")
	}
}

// TestNeverMore draws sequences of names and sources: the limit holds, answers repeat, and a source that holds nothing gets the place of a name
// that nobody uses.
func TestNeverMore(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		one, two := names.New(names.Limits{Workloads: 20}), names.New(names.Limits{Workloads: 20})
		now := noon()
		for range 2000 {
			now = now.Add(time.Duration(r.IntN(int(5 * time.Second))))
			source, name := fmt.Sprint(r.IntN(8)), fmt.Sprint(r.IntN(60))
			ok := one.Peer(source, now, "", name)
			if again := two.Peer(source, now, "", name); ok != again {
				t.Fatal("the same sequence has two answers")
			}
			if n := one.Len(names.Peer); n > 20 {
				t.Fatalf("%d names are known", n)
			}
		}
		if !one.Peer("newcomer", now.Add(6*time.Minute), "", "fresh") {
			t.Fatal("a newcomer gets no room")
		}
	}
}

func BenchmarkOrigin(b *testing.B) {
	table := names.New(names.DefaultLimits())
	o := origin("cart", "v1", "cart-7d9f8b6c5d-x2x1z")
	now := noon()
	b.ReportAllocs()
	for b.Loop() {
		table.Origin("10.0.0.1:5", now, o)
	}
}
