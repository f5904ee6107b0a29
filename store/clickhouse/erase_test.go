package clickhouse_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
)

// flushOf is a flush of one workload, instance and tenant, which names another as its caller.
func flushOf(name string, first, last int64, starts ...int64) store.Flush {
	f := flush(first, last, starts...)
	set := func(table schemas.Table, p *schemas.Partial) {
		for i, dimension := range table.Subject.Dimensions() {
			switch dimension {
			case "workload", "destination_workload", "instance":
				p.Dimensions[i] = name
			case "source_workload":
				p.Dimensions[i] = "front"
			case "namespace", "destination_namespace", "source_namespace":
				p.Dimensions[i] = "shop"
			case "tenant":
				p.Dimensions[i] = "of-" + name
			}
		}
		if table.Subject == schemas.ServiceWindows {
			p.Callers = []string{"c/shop/front", "c/shop/" + name}
		}
	}
	for table, rows := range f.Partials {
		for i := range rows {
			set(table, &rows[i])
		}
	}
	return f
}

// together is one flush: rows of both.
func together(a, b store.Flush) store.Flush {
	for table := range b.Partials {
		a.Partials[table] = append(a.Partials[table], b.Partials[table]...)
	}
	return a
}

func gaugeOf(name string, at int64) columns.Sample {
	o := schemas.Origin{Workload: schemas.Workload{Tenant: "of-" + name, Namespace: "shop", Name: name}, Instance: name}
	return columns.Sample{Time: at, Origin: o, Metric: "process.cpu.utilization", Value: 1}
}

// TestEraseKeepsMarks erases by each kind of name and then counts the same messages again, as a worker does that starts further back.
func TestEraseKeepsMarks(t *testing.T) {
	c, cfg := open(t)
	first := flushOf("mail", 0, 9, day, day+86400*second)
	first.Samples = []columns.Sample{gaugeOf("mail", day)}
	later := store.Flush{Partials: map[schemas.Table][]schemas.Partial{}}
	subjects := []clickhouse.Subject{{Workload: "shop/cart"}, {Instance: "front"}, {Tenant: "of-bank"}}
	for _, name := range []string{"cart", "front", "bank"} {
		first = together(first, flushOf(name, 0, 9, day, day+86400*second))
		first.Samples = append(first.Samples, gaugeOf(name, day))
		// The last offsets of the second day are in rows of these alone.
		later = together(later, flushOf(name, 10, 19, day+86400*second))
	}
	write := func() {
		t.Helper()
		for _, f := range []store.Flush{first, later} {
			if err := c.Write(t.Context(), f); err != nil && !errors.Is(err, store.ErrConflict) {
				t.Fatal(err)
			}
		}
	}
	write()
	marks, err := c.Marks(t.Context(), []schemas.Source{source})
	if err != nil || len(marks) != 18 {
		t.Fatalf("%d marks: %v", len(marks), err)
	}
	check := func(when string) {
		t.Helper()
		now, err := c.Marks(t.Context(), []schemas.Source{source})
		if err != nil || !maps.Equal(marks, now) {
			t.Errorf("%s: marks are %v, were %v: %v", when, now, marks, err)
		}
		checkErased(t, cfg, when)
	}
	for _, s := range subjects {
		said, err := c.Erasable(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		done, err := c.Erase(t.Context(), s, time.Unix(0, day).Add(time.Hour))
		if err != nil || len(done) == 0 || fmt.Sprint(done) != fmt.Sprint(said) {
			t.Errorf("%+v: it said %v and erased %v: %v", s, said, done, err)
		}
	}
	check("after erasing")
	if again, err := c.Erase(t.Context(), subjects[0], time.Unix(0, day).Add(time.Hour)); err != nil || len(again) != 0 {
		t.Errorf("erasing again takes %v: %v", again, err)
	}
	write()
	check("after the log was read again")
	for _, s := range schemas.Subjects() {
		ask(t, cfg, "OPTIMIZE TABLE weir."+schemas.Table{Subject: s, Resolution: schemas.Shortest()}.String()+" FINAL")
	}
	check("after merges")
	third := flushOf("cart", 20, 29, day)
	third.Samples = []columns.Sample{gaugeOf("cart", day+7200*second)}
	if err := c.Write(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	if n := ask(t, cfg, "SELECT sum(calls) FROM weir.instance_windows WHERE workload = 'cart'"); n != "2" {
		t.Errorf("%s calls are counted afterwards, want 2", n)
	}
	if n := ask(t, cfg, "SELECT count() FROM weir.samples FINAL WHERE workload = 'cart'"); n != "1" {
		t.Errorf("%s samples are kept afterwards, want 1", n)
	}
}

// checkErased wants what was erased to be gone, and all else to be there.
func checkErased(t *testing.T, cfg clickhouse.Config, when string) {
	t.Helper()
	for _, c := range []struct{ sql, want string }{
		{"SELECT groupUniqArray(workload) FROM weir.service_windows WHERE workload IN ('cart', 'bank')", "[]"},
		{"SELECT groupUniqArray(destination_workload) FROM weir.edge_windows_1h WHERE destination_workload IN ('cart', 'bank')", "[]"},
		{"SELECT groupUniqArray(instance) FROM weir.instance_windows_1m", "['mail']"},
		{"SELECT sum(calls) FROM weir.service_windows WHERE workload = 'front'", "6"}, // only its instance was erased
		{"SELECT sum(calls) FROM weir.service_windows_1m WHERE workload = 'mail'", "4"},
		{"SELECT sum(calls) FROM weir.edge_windows WHERE destination_workload = 'mail'", "4"},
		{"SELECT sum(calls) FROM weir.instance_windows_1h WHERE instance = 'mail'", "4"},
		{"SELECT max(distinct_callers) FROM weir.service_windows WHERE workload = 'mail'", "2"},
		{"SELECT groupUniqArray(workload) FROM weir.samples FINAL", "['mail']"},
	} {
		if got := ask(t, cfg, c.sql); got != c.want {
			t.Errorf("%s: %s is %s, want %s", when, c.sql, got, c.want)
		}
	}
}

func TestEraseCallersAndDecisions(t *testing.T) {
	c, cfg := open(t)
	if err := c.Write(t.Context(), flushOf("mail", 0, 9, day)); err != nil {
		t.Fatal(err)
	}
	ask(t, cfg, "INSERT INTO weir.decision_rows (decision_id, namespace, workload, reason) VALUES ('d-1', 'shop', 'front', ''), ('d-2', 'shop', 'mail', 'calls of c/shop/front'), ('d-3', 'shop', 'mail', 'calls of c/shop/front-2')")
	ask(t, cfg, "INSERT INTO weir.outcome_rows (decision_id, stage) VALUES ('d-1', 'reported'), ('d-2', 'reported')")
	subject := clickhouse.Subject{Workload: "shop/front"}
	if _, err := c.Erase(t.Context(), subject, time.Unix(0, day)); err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct{ sql, want string }{
		{"SELECT max(distinct_callers) FROM weir.service_windows WHERE workload = 'mail'", "2"},
		{"SELECT countIf(has(callers, 'c/shop/front')) FROM weir.service_10s", "0"},
		{"SELECT sum(calls) FROM weir.edge_windows", "0"},
		{"SELECT sum(calls) FROM weir.service_windows", "2"},
		{"SELECT groupArray(decision_id) FROM weir.decisions WHERE workload = 'front'", "[]"},
		{"SELECT groupArray(decision_id) FROM weir.outcomes", "['d-2']"},
	} {
		if got := ask(t, cfg, q.sql); got != q.want {
			t.Errorf("%s is %s, want %s", q.sql, got, q.want)
		}
	}
	mentions, err := c.Mentions(t.Context(), subject)
	if err != nil || len(mentions) != 1 || mentions[0] != (clickhouse.Mention{Table: "decision_rows", Column: "reason", Rows: 1}) {
		t.Errorf("mentions are %v, %v", mentions, err)
	}
}

func TestEraseWantsOneName(t *testing.T) {
	c, _ := open(t)
	for _, s := range []clickhouse.Subject{{}, {Workload: "cart"}, {Workload: "shop/"}, {Workload: "c/shop/cart"}, {Instance: "a", Tenant: "b"}} {
		if _, err := c.Erase(t.Context(), s, time.Unix(0, 0)); !errors.Is(err, clickhouse.ErrSubject) {
			t.Errorf("%+v: %v, want ErrSubject", s, err)
		}
	}
}
