package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
)

// conditions are what a WHERE clause asks for, all of it. What comes from outside enters through quote, instant or as a number.
type conditions []string

func (c *conditions) add(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

// among asks that the column has one of the values; none means any.
func (c *conditions) among(column string, values []string) {
	if len(values) > 0 {
		c.add("%s IN (%s)", column, quoteAll(values))
	}
}

// workload asks for a workload as people name it, see store.Query.
func (c *conditions) workload(name string) {
	if name != "" {
		const key = "concat(cluster, '/', namespace, '/', workload)"
		c.add("%s IN (workload, concat(workload, '@', version), %s, concat(%s, '@', version))", quote(name), key, key)
	}
}

// whose asks for exactly this workload, whatever its version and region.
func (c *conditions) whose(w schemas.Workload) {
	c.add("tenant = %s AND cluster = %s AND namespace = %s AND workload = %s",
		quote(w.Tenant), quote(w.Cluster), quote(w.Namespace), quote(w.Name))
}

// where is the clause, or nothing.
func (c *conditions) where() string {
	if len(*c) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(*c, " AND ")
}

// inOrder is the end of a SELECT whose rows are ordered by columns.
func inOrder(q store.Query, columns ...string) string {
	if q.Newest {
		for i := range columns {
			columns[i] += " DESC"
		}
	}
	sql := " ORDER BY " + strings.Join(columns, ", ")
	if q.Limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", q.Limit)
	}
	return sql
}

// complete returns the id that begins with prefix, "" if there is none.
func (c *Client) complete(ctx context.Context, table, column, prefix string) (string, error) {
	sql := fmt.Sprintf("SELECT DISTINCT %s FROM weir.%s WHERE startsWith(%s, %s) ORDER BY 1 LIMIT 2", column, table, column, quote(prefix))
	ids, err := read(ctx, c, nil, sql, func(rows driver.Rows) (id string, err error) { return id, rows.Scan(&id) })
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", nil
	}
	if len(ids) > 1 && ids[0] != prefix { // the id itself comes before those that it begins
		return "", fmt.Errorf("%s: %w", prefix, store.ErrAmbiguous)
	}
	return ids[0], nil
}

// quoteAll writes a list of string literals.
func quoteAll(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, ", ")
}

// The times that DateTime64 can say.
const firstYear, lastYear = 1900, 2299

// instant writes t as a literal, in whole milliseconds.
func instant(t time.Time) string {
	t = t.UTC()
	if t.Year() < firstYear {
		t = time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	} else if t.Year() > lastYear {
		t = time.Date(lastYear, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return "toDateTime64('" + t.Format("2006-01-02 15:04:05.000") + "', 3, 'UTC')"
}
