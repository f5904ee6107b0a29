package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
)

// CountOf names the number that is asked about: the calls of a workload in one window or, with Edge, those from a caller to it.
type CountOf struct {
	Resolution schemas.Resolution
	At         time.Time // an instant in the window
	Workload   string    // who was called, as people name it: see store.Query
	Edge       bool
	Caller     string // with Edge; "" = outside the mesh
}

// Start is the start of the window.
func (q CountOf) Start() time.Time { return q.At.UTC().Truncate(time.Duration(q.Resolution)) }

// End is its end.
func (q CountOf) End() time.Time { return q.Start().Add(time.Duration(q.Resolution)) }

func (q CountOf) subject() schemas.Subject {
	if q.Edge {
		return schemas.EdgeWindows
	}
	return schemas.ServiceWindows
}

// Counted is what stands behind a number, or a part of it. Counts of calls are rounded from Units, which add up exactly.
type Counted struct {
	Name         string    `json:"name,omitempty"` // of the part: a source, an instance, ...
	Rows         uint64    `json:"rows"`           // stored rows of partial windows; merges make them fewer
	Calls        uint64    `json:"calls"`
	Offered      uint64    `json:"offered"`
	Observed     uint64    `json:"observed"` // records of calls
	RejectedMesh uint64    `json:"rejected_mesh"`
	RejectedWeir uint64    `json:"rejected_weir"`
	Errors       uint64    `json:"errors"`
	ClockSkew    uint64    `json:"clock_skew"`
	Revision     uint64    `json:"revision"`
	Spans        uint64    `json:"spans"` // as the three below, not known of edges
	Duplicates   uint64    `json:"duplicates"`
	Orphans      uint64    `json:"orphans"`
	Missing      uint64    `json:"missing"`
	Units        uint64    `json:"units"` // 1/65536 of a call, offered
	FirstFlush   int64     `json:"first_flush"`
	LastFlush    int64     `json:"last_flush"` // offsets that ended the first and the last flush with rows of the window
	Stored       time.Time `json:"stored"`
}

// Sampled reports whether some record stands for more than one call.
func (c Counted) Sampled() bool { return c.Units != c.Observed*uint64(schemas.One) }

// CountParts reads a number in parts. By is source, evidence, instance or caller, or "" for the whole. There is no part without rows.
func (c *Client) CountParts(ctx context.Context, q CountOf, by string) ([]Counted, error) {
	subject, name := q.subject(), "''"
	switch by {
	case "source":
		name = "source"
	case "evidence":
		name = "weirEvidence(evidence)"
	case "workload":
		name = "concat(%scluster, '/', %snamespace, '/', %sworkload, if(%sversion = '', '', concat('@', %sversion)))"
		name = strings.ReplaceAll(name, "%s", prefixes(subject)[0])
	case "instance":
		subject, name = schemas.InstanceWindows, "instance"
	case "caller":
		subject = schemas.EdgeWindows
		name = "multiIf(source_workload IN ('', '?'), source_workload, concat(source_cluster, '/', source_namespace, '/', source_workload))"
	}
	where := q.where(subject)
	where.add("window_start = %s", instant(q.Start()))
	all, err := c.counted(ctx, schemas.Table{Subject: subject, Resolution: q.Resolution}, name, where)
	if err != nil {
		return nil, fmt.Errorf("read %s of %s by %q: %w", q.Resolution.Suffix(), q.Workload, by, err)
	}
	return all, nil
}

// prefixes of the columns that name the called and the calling workload.
func prefixes(s schemas.Subject) [2]string {
	if s == schemas.EdgeWindows {
		return [2]string{"destination_", "source_"}
	}
	return [2]string{}
}

// where asks for the workloads of the question, in a table of a subject.
func (q CountOf) where(s schemas.Subject) *conditions {
	c := &conditions{}
	at := prefixes(s)
	c.named(at[0], q.Workload)
	if q.Edge {
		c.named(at[1], q.Caller)
	}
	return c
}

// named asks for a workload as people name it, in the columns with a prefix. Unlike workload, it takes "" for a name: outside.
func (c *conditions) named(prefix, name string) {
	key := fmt.Sprintf("concat(%scluster, '/', %[1]snamespace, '/', %[1]sworkload)", prefix)
	c.add("%s IN (%sworkload, concat(%[2]sworkload, '@', %[2]sversion), %[3]s, concat(%[3]s, '@', %[2]sversion))", quote(name), prefix, key)
}

// counted adds up the rows of a table that meet the conditions, by the expression name.
func (c *Client) counted(ctx context.Context, table schemas.Table, name string, where *conditions) ([]Counted, error) {
	kept := "sum(spans), sum(duplicates), sum(orphans), sum(missing)"
	if table.Subject == schemas.EdgeWindows {
		kept = "toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0)"
	}
	sql := fmt.Sprintf("SELECT %s AS part, count(), weirCalls(sum(calls)), weirCalls(sum(calls) + sum(rejected_mesh) + sum(rejected_weir)), sum(observed), "+
		"weirCalls(sum(rejected_mesh)), weirCalls(sum(rejected_weir)), weirCalls(sum(errors)), sum(clock_skew), sum(revision), %s, "+
		"sum(calls) + sum(rejected_mesh) + sum(rejected_weir), min(last_offset), max(last_offset), max(stored) FROM weir.%s%s "+
		"GROUP BY part HAVING count() > 0 ORDER BY part", name, kept, table, where.where())
	return read(ctx, c, nil, sql, func(rows driver.Rows) (p Counted, err error) {
		err = rows.Scan(&p.Name, &p.Rows, &p.Calls, &p.Offered, &p.Observed, &p.RejectedMesh, &p.RejectedWeir, &p.Errors, &p.ClockSkew, &p.Revision,
			&p.Spans, &p.Duplicates, &p.Orphans, &p.Missing, &p.Units, &p.FirstFlush, &p.LastFlush, &p.Stored)
		return p, err
	})
}

// Agreement compares a number with the sum of the same calls in another table.
type Agreement struct {
	Table    string `json:"table"` // the other one
	Window   string `json:"window"`
	Calls    uint64 `json:"calls"`
	Observed uint64 `json:"observed"`
	Agrees   bool   `json:"agrees"`
}

// CountAgrees compares the number with what the other tables say: windows of other lengths, edges, instances. A table that holds no row of
// that time any more is left out.
func (c *Client) CountAgrees(ctx context.Context, q CountOf) (all []Agreement, err error) {
	subjects := []schemas.Subject{q.subject()}
	if !q.Edge {
		subjects = schemas.Subjects()
	}
	from, to := q.Start(), q.End()
	for _, r := range schemas.Resolutions() {
		// Longer windows hold this one: the comparison is of all of their time.
		if r > q.Resolution {
			from, to = q.At.UTC().Truncate(time.Duration(r)), q.At.UTC().Truncate(time.Duration(r)).Add(time.Duration(r))
		}
		want, err := c.between(ctx, q, schemas.Table{Subject: q.subject(), Resolution: q.Resolution}, from, to)
		if err != nil {
			return nil, err
		}
		for _, s := range subjects {
			table := schemas.Table{Subject: s, Resolution: r}
			if (s != q.subject() && r != q.Resolution) || (s == q.subject() && r == q.Resolution) {
				continue
			}
			got, err := c.between(ctx, q, table, from, to)
			if err != nil {
				return nil, err
			}
			if got.Rows > 0 {
				all = append(all, Agreement{
					Table: table.String(), Window: from.Format(time.RFC3339) + "/" + to.Format(time.RFC3339), Calls: got.Calls, Observed: got.Observed,
					Agrees: got.Units == want.Units && got.Observed == want.Observed,
				})
			}
		}
	}
	return all, nil
}

// between adds up a table's rows of the question's workloads in from <= start < to.
func (c *Client) between(ctx context.Context, q CountOf, table schemas.Table, from, to time.Time) (Counted, error) {
	where := q.where(table.Subject)
	where.add("window_start >= %s AND window_start < %s", instant(from), instant(to))
	all, err := c.counted(ctx, table, "''", where)
	if err != nil {
		return Counted{}, fmt.Errorf("compare with %s: %w", table, err)
	}
	if len(all) == 0 {
		return Counted{}, nil
	}
	return all[0], nil
}

// CountComplete is the completeness of the window as its view tells it, weighted by records over versions and regions; 1 without rows.
func (c *Client) CountComplete(ctx context.Context, q CountOf) (share float64, err error) {
	where := q.where(q.subject())
	where.add("window_start = %s", instant(q.Start()))
	suffix := map[time.Duration]string{time.Minute: "_1m", time.Hour: "_1h"}[time.Duration(q.Resolution)]
	sql := fmt.Sprintf("SELECT if(count() = 0, 1., sum(completeness * observed) / sum(observed)) FROM weir.%s_windows%s%s", q.subject(), suffix, where.where())
	if err := c.conn.QueryRow(ctx, sql).Scan(&share); err != nil {
		return 0, fmt.Errorf("read completeness: %w", err)
	}
	return share, nil
}

// GapsIn reads the gaps that overlap [from, to).
func (c *Client) GapsIn(ctx context.Context, from, to time.Time) ([]schemas.Gap, error) {
	sql := fmt.Sprintf("SELECT `from`, `to`, scope, hop, kind, source, share, records, detail FROM weir.gaps FINAL WHERE `from` < %s AND `to` >= %s ORDER BY `from`, source",
		instant(to), instant(from))
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (g schemas.Gap, err error) {
		var begin, end time.Time
		var kind string
		err = rows.Scan(&begin, &end, &g.Scope, &g.Hop, &kind, &g.Source, &g.Share, &g.Records, &g.Detail)
		g.From, g.To, g.Kind = begin.UnixNano(), end.UnixNano(), schemas.GapKind(kind)
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("read gaps: %w", err)
	}
	return all, nil
}

// DayMarks is up to which offset a table counts each source's messages, for windows of the day of a time.
func (c *Client) DayMarks(ctx context.Context, q CountOf, sources []string) (map[string]int64, error) {
	table := schemas.Table{Subject: q.subject(), Resolution: q.Resolution}
	marks, err := c.marks(ctx, []schemas.Table{table}, sources)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for m, offset := range marks {
		if m.Day == schemas.DayOf(q.Start().UnixNano()) {
			out[m.Source] = offset
		}
	}
	return out, nil
}
