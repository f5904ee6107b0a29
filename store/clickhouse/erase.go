package clickhouse

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Subject names whose rows are erased. Exactly one of the three is set.
type Subject struct {
	Workload string // namespace/name, of any cluster, tenant and version, as caller and as called; "/name" has no namespace
	Instance string
	Tenant   string
}

// ErrSubject is the error of a Subject that does not name exactly one thing.
var ErrSubject = errors.New("name one of a workload (namespace/name), an instance or a tenant")

// check reports whether exactly one is named.
func (s Subject) check() error {
	set := 0
	for _, v := range []string{s.Workload, s.Instance, s.Tenant} {
		if v != "" {
			set++
		}
	}
	if set != 1 {
		return ErrSubject
	}
	if _, name, ok := strings.Cut(s.Workload, "/"); s.Workload != "" && (!ok || name == "" || strings.Contains(name, "/")) {
		return fmt.Errorf("workload %q: %w", s.Workload, ErrSubject)
	}
	return nil
}

// kind and name are how table erasures keeps the subject.
func (s Subject) kind() (kind, name string) {
	switch {
	case s.Workload != "":
		return "workload", s.Workload
	case s.Instance != "":
		return "instance", s.Instance
	}
	return "tenant", s.Tenant
}

// Erased is what is, or was, erased of one table.
type Erased struct {
	Table string `json:"table"`
	Rows  uint64 `json:"rows"`  // that go, as stored: rows of one window add up, and merges make them fewer
	Named uint64 `json:"named"` // rows of others that name the subject among their callers: they stay, the name goes
}

// erasable is one table and how the subject shows in it.
type erasable struct {
	name    string
	columns []string
	match   string // rows that go; "" = none
	callers string // rows of others that name it; "" = none
}

// marked reports whether the table's rows carry the marks that keep messages from being counted twice.
func (e erasable) marked() bool {
	return slices.Contains(e.columns, "source") && slices.Contains(e.columns, "last_offset") && slices.Contains(e.columns, "window_start")
}

// Erasable counts what Erase would take.
func (c *Client) Erasable(ctx context.Context, s Subject) ([]Erased, error) {
	tables, err := c.erasables(ctx, s)
	if err != nil {
		return nil, err
	}
	var out []Erased
	for _, t := range tables {
		e := Erased{Table: t.name}
		sql := fmt.Sprintf("SELECT countIf(%s), countIf(%s) FROM weir.%s", orNever(t.match), orNever(t.callers), t.name)
		if err := c.conn.QueryRow(ctx, sql).Scan(&e.Rows, &e.Named); err != nil {
			return nil, fmt.Errorf("count what would be erased of %s: %w", t.name, err)
		}
		if e.Rows+e.Named > 0 {
			out = append(out, e)
		}
	}
	return out, nil
}

func orNever(condition string) string {
	if condition == "" {
		return "0"
	}
	return condition
}

// Erase takes every row of the subject out of every table, and its name out of the lists of callers of others, where one word made up for
// this call takes its place. It may be repeated. Rows that are counted while it runs stay.
//
// Rows of windows carry the marks (ADR 001). Before they go, a row without names and measures takes over the mark of each day and source,
// so that messages that are read again are not counted again. Views do not show it. Samples measured up to at are kept out by table erasures.
func (c *Client) Erase(ctx context.Context, s Subject, at time.Time) ([]Erased, error) {
	found, err := c.Erasable(ctx, s)
	if err != nil {
		return nil, err
	}
	tables, err := c.erasables(ctx, s)
	if err != nil {
		return nil, err
	}
	kind, name := s.kind()
	sum := sha256.Sum256([]byte(name))
	sql := fmt.Sprintf("INSERT INTO weir.erasures (kind, hash, before) SELECT %s, %s, %d SETTINGS async_insert = 0",
		quote(kind), quote(strings.ToUpper(hex.EncodeToString(sum[:]))), at.UnixMilli())
	if err := c.conn.Exec(ctx, sql); err != nil {
		return nil, fmt.Errorf("record the erasure: %w", err)
	}
	for _, t := range tables {
		if !slices.ContainsFunc(found, func(e Erased) bool { return e.Table == t.name }) {
			continue
		}
		if err := c.eraseFrom(ctx, t, s); err != nil {
			return nil, fmt.Errorf("erase from %s: %w", t.name, err)
		}
	}
	return found, nil
}

// eraseFrom rewrites the parts of one table, and returns when that is done.
func (c *Client) eraseFrom(ctx context.Context, t erasable, s Subject) error {
	if t.match != "" && t.marked() {
		if err := c.keepMarks(ctx, t); err != nil {
			return err
		}
	}
	const wait = " SETTINGS mutations_sync = 2"
	if t.match != "" {
		if err := c.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE weir.%s DELETE WHERE %s%s", t.name, t.match, wait)); err != nil {
			return err
		}
	}
	if t.callers == "" {
		return nil
	}
	another := quote("//erased-" + strings.ToLower(rand.Text()[:8]))
	return c.conn.Exec(ctx, fmt.Sprintf("ALTER TABLE weir.%s UPDATE callers = arrayMap(c -> if(%s, %s, c), callers) WHERE %s%s",
		t.name, calls("c", s), another, t.callers, wait))
}

// keepMarks writes, for each day and source of which rows go, a row that says nothing but how far it is counted.
func (c *Client) keepMarks(ctx context.Context, t erasable) error {
	sql := fmt.Sprintf("INSERT INTO weir.%s (window_start, source, last_offset, stored) "+
		"SELECT min(window_start), source, max(last_offset), max(stored) FROM weir.%[1]s "+
		"WHERE (toYYYYMMDD(window_start), source) IN (SELECT toYYYYMMDD(window_start), source FROM weir.%[1]s WHERE %s) "+
		"GROUP BY toYYYYMMDD(window_start), source SETTINGS async_insert = 0, max_partitions_per_insert_block = 0", t.name, t.match)
	if err := c.conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("keep the marks: %w", err)
	}
	return nil
}

// erasables finds the tables that can hold the subject, by their columns. What belongs to decisions alone comes before them, because it is
// found through them.
func (c *Client) erasables(ctx context.Context, s Subject) ([]erasable, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	const sql = "SELECT table, groupArray(name) FROM system.columns WHERE database = 'weir' AND table IN " +
		"(SELECT name FROM system.tables WHERE database = 'weir' AND engine LIKE '%MergeTree') GROUP BY table ORDER BY table"
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (t erasable, err error) { return t, rows.Scan(&t.name, &t.columns) })
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	var decided, first, rest []erasable
	for _, t := range all {
		t.match = matching(t.columns, s)
		if s.Workload != "" && slices.Contains(t.columns, "callers") {
			t.callers = fmt.Sprintf("arrayExists(c -> %s, callers)", calls("c", s))
			if t.match != "" {
				t.callers += fmt.Sprintf(" AND NOT (%s)", t.match)
			}
		}
		switch {
		case slices.Contains(t.columns, "decision_id") && t.match == "":
			first = append(first, t)
		case slices.Contains(t.columns, "decision_id"):
			decided = append(decided, t)
			rest = append(rest, t)
		case t.match != "":
			rest = append(rest, t)
		}
	}
	for i := range first {
		if len(decided) > 0 {
			first[i].match = fmt.Sprintf("decision_id IN (SELECT decision_id FROM weir.%s WHERE %s)", decided[0].name, decided[0].match)
		}
	}
	return append(slices.DeleteFunc(first, func(t erasable) bool { return t.match == "" }), rest...), nil
}

// matching is the condition for a table's rows of the subject, "" if the table cannot hold it.
func matching(columns []string, s Subject) string {
	var any []string
	for _, column := range columns {
		switch prefix, ok := strings.CutSuffix(column, "workload"); {
		case s.Workload != "" && ok && slices.Contains(columns, prefix+"namespace"):
			namespace, name, _ := strings.Cut(s.Workload, "/")
			any = append(any, fmt.Sprintf("(%[1]snamespace = %[2]s AND %[1]sworkload = %[3]s)", prefix, quote(namespace), quote(name)))
		case s.Instance != "" && strings.HasSuffix(column, "instance"), s.Tenant != "" && column == "tenant":
			any = append(any, fmt.Sprintf("%s = %s", column, quote(s.Instance+s.Tenant)))
		}
	}
	return strings.Join(any, " OR ")
}

// calls is the condition that an entry of callers, cluster/namespace/name, is the subject.
func calls(entry string, s Subject) string {
	return fmt.Sprintf("endsWith(%s, %s)", entry, quote("/"+s.Workload))
}

// Mention is how many rows name the subject in a text.
type Mention struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Rows   uint64 `json:"rows"`
}

// Mentions finds rows that are not the subject's and name it in a text, as namespace/name or by the instance: a tenant is in no text.
func (c *Client) Mentions(ctx context.Context, s Subject) (out []Mention, err error) {
	name := s.Workload + s.Instance
	if err := s.check(); err != nil || name == "" || strings.HasPrefix(name, "/") {
		return nil, err
	}
	const sql = "SELECT table, name, type FROM system.columns WHERE database = 'weir' AND type IN ('String', 'Array(String)') AND name != 'callers' " +
		"AND table IN (SELECT name FROM system.tables WHERE database = 'weir' AND engine LIKE '%MergeTree') ORDER BY table, name"
	type column struct{ table, name, kind string }
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (t column, err error) { return t, rows.Scan(&t.table, &t.name, &t.kind) })
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	tables, err := c.erasables(ctx, s)
	if err != nil {
		return nil, err
	}
	// Names end where no character of a name follows: shop/cart is not in shop/cart-v2.
	pattern := quote(`(^|[^A-Za-z0-9._-])` + regexp.QuoteMeta(name) + `($|[^A-Za-z0-9._-])`)
	for _, t := range all {
		text := "`" + t.name + "`"
		if t.kind != "String" {
			text = "arrayStringConcat(" + text + ", ' ')"
		}
		own := ""
		if i := slices.IndexFunc(tables, func(e erasable) bool { return e.name == t.table }); i >= 0 {
			own = tables[i].match
		}
		m := Mention{Table: t.table, Column: t.name}
		count := fmt.Sprintf("SELECT countIf(match(%s, %s) AND NOT (%s)) FROM weir.%s", text, pattern, orNever(own), t.table)
		if err := c.conn.QueryRow(ctx, count).Scan(&m.Rows); err != nil {
			return nil, fmt.Errorf("look for mentions in %s.%s: %w", t.table, t.name, err)
		}
		if m.Rows > 0 {
			out = append(out, m)
		}
	}
	return out, nil
}
