package clickhouse

import (
	"context"
	_ "embed" // the statement is a file
	"fmt"
	"math"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
)

//go:embed service_windows.sql
var serviceWindows string

// windowsPerRead bounds how many windows of time one statement reads, and so what it holds in memory on both sides.
const windowsPerRead = 1440

// carry is how old the sample may be that stands for a window without one: senders measure CPU use about once a minute.
const carry = time.Minute

// cpuMetrics are what an instance's use of its CPU limit is read from, the first that it has. They are OpenTelemetry's names; see
// docs/formats/otlp.md for what may follow in braces.
func cpuMetrics() []string {
	return []string{"k8s.pod.cpu_limit_utilization", "k8s.container.cpu_limit_utilization", "process.cpu.utilization"}
}

// ServiceWindows reads the windows with from <= start and end <= to, ordered by start and then by tenant, cluster, namespace, workload and
// version. They are those of the view service_windows (_1m, _1h) with their regions added up; where nothing is sampled the counts are
// equal, else they are rounded once instead of once for each region.
//
// Instances counts those that answered in the window. CPU is the mean over them of what they used of their limit: the mean of the samples
// in the window, or the last sample of the minute that ends with it.
func (c *Client) ServiceWindows(ctx context.Context, r schemas.Resolution, from, to time.Time) ([]schemas.ServiceWindow, error) {
	table := schemas.Table{Subject: schemas.ServiceWindows, Resolution: r}
	pieces, err := c.stretches(ctx, table, from, to)
	if err != nil {
		return nil, fmt.Errorf("read %s windows: %w", r.Suffix(), err)
	}
	var all []schemas.ServiceWindow
	for _, p := range pieces {
		sql, err := p.serviceWindows()
		if err != nil {
			return nil, err
		}
		if all, err = read(ctx, c, all, sql, func(rows driver.Rows) (schemas.ServiceWindow, error) { return scanWindow(rows, r) }); err != nil {
			return nil, fmt.Errorf("read %s windows of %s: %w", r.Suffix(), p.from.Format(time.RFC3339), err)
		}
	}
	return all, nil
}

// stretch is a range of window starts of one resolution: from <= start < to.
type stretch struct {
	resolution schemas.Resolution
	from, to   time.Time
}

// within is the stretch of whole windows between two instants.
func within(r schemas.Resolution, from, to time.Time) (stretch, error) {
	if !slices.Contains(schemas.Resolutions(), r) {
		return stretch{}, fmt.Errorf("there are no windows of %s", time.Duration(r))
	}
	length := time.Duration(r) // windows are aligned to the Unix epoch, as Truncate is for lengths that divide a day
	return stretch{r, from.UTC().Add(length - 1).Truncate(length), to.UTC().Truncate(length)}, nil
}

// stretches cuts the windows between from and to into pieces of windowsPerRead, without those before the table's first and after its last.
func (c *Client) stretches(ctx context.Context, table schemas.Table, from, to time.Time) ([]stretch, error) {
	whole, err := within(table.Resolution, from, to)
	if err != nil {
		return nil, err
	}
	from, to = whole.from, whole.to
	length := time.Duration(table.Resolution)
	piece := windowsPerRead * length
	if to.Sub(from) > piece {
		var first, last time.Time
		sql := fmt.Sprintf("SELECT min(window_start), max(window_start) FROM weir.%s", table)
		if err := c.conn.QueryRow(ctx, sql).Scan(&first, &last); err != nil {
			return nil, err
		}
		from, to = later(from, first.UTC()), earlier(to, last.UTC().Add(length))
	}
	var out []stretch
	for ; from.Before(to); from = from.Add(piece) {
		out = append(out, stretch{table.Resolution, from, earlier(to, from.Add(piece))})
	}
	return out, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// serviceWindows is the statement that reads the stretch.
func (s stretch) serviceWindows() (string, error) {
	t, err := template.New("service_windows").Parse(serviceWindows)
	if err != nil {
		return "", err
	}
	var quoted []string
	for _, m := range cpuMetrics() {
		quoted = append(quoted, quote(m))
	}
	var sql strings.Builder
	err = t.Execute(&sql, map[string]any{
		"Table": s.resolution.Suffix(), "Seconds": int(time.Duration(s.resolution).Seconds()),
		"From": instant(s.from), "To": instant(s.to),
		"Metrics": strings.Join(quoted, ", "), "Carry": max(1, int(carry/time.Duration(s.resolution))),
	})
	return sql.String(), err
}

func scanWindow(rows driver.Rows, r schemas.Resolution) (w schemas.ServiceWindow, err error) {
	var p95, p99 int16
	var instances uint64
	err = rows.Scan(&w.Start, &w.Tenant, &w.Cluster, &w.Namespace, &w.Name, &w.Version,
		&w.Offered, &w.Calls, &w.Errors, &w.StatusKnown, &w.Retries, &w.RejectedMesh, &w.RejectedWeir,
		&w.MeanMs, &p95, &p99, &w.InFlight, &instances, &w.CPU, &w.Completeness, &w.ActedOn, &w.Revision)
	w.Start, w.Length, w.Instances = w.Start.UTC(), time.Duration(r), int(instances)
	w.P95Ms, w.P99Ms = 1000*schemas.Bucket(p95).Seconds(), 1000*schemas.Bucket(p99).Seconds()
	if math.IsNaN(w.MeanMs) { // no call was answered, so no bucket holds one
		w.P95Ms, w.P99Ms = math.NaN(), math.NaN()
	}
	return w, err
}
