package clickhouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/weirmesh/weir/schemas"
)

const forecastColumns = "made_at, target_time, horizon_seconds, tenant, cluster, namespace, workload, signal, quantile, value, " +
	"model, model_version, inputs"

// SaveForecasts makes forecasts durable. Saving them again changes nothing.
func (c *Client) SaveForecasts(ctx context.Context, forecasts []schemas.Forecast) error {
	return insertRows(ctx, c, "forecast_rows", forecastColumns, forecasts, func(f schemas.Forecast) time.Time { return f.MadeAt },
		func(f schemas.Forecast) []any {
			w := f.Workload
			return []any{
				f.MadeAt, f.TargetTime, uint32(f.Horizon() / time.Second), w.Tenant, w.Cluster, w.Namespace, w.Name,
				string(f.Signal), f.Quantile, f.Value, f.Model.Name, f.Model.Version, f.Inputs,
			}
		})
}

// ForecastPath reads what a model forecast for the times in [from, to), each time horizon ahead, ordered by target time and quantile. No
// quantiles means all of them. Where several versions of the model did, it is the one that was stored last.
func (c *Client) ForecastPath(ctx context.Context, w schemas.Workload, signal schemas.Signal, model string, quantiles []float64,
	horizon time.Duration, from, to time.Time,
) ([]schemas.Forecast, error) {
	which := forecastsOf(w, signal, model)
	which.add("horizon_seconds = %d AND target_time >= %s AND target_time < %s", int64(horizon/time.Second), instant(from), instant(to))
	if len(quantiles) > 0 {
		var list []string
		for _, q := range quantiles {
			list = append(list, strconv.FormatFloat(q, 'g', -1, 64))
		}
		which.add("quantile IN (%s)", strings.Join(list, ", "))
	}
	return c.forecasts(ctx, which)
}

// ForecastsMadeAt reads everything that a model forecast at one time, ordered by target time and quantile.
func (c *Client) ForecastsMadeAt(ctx context.Context, w schemas.Workload, signal schemas.Signal, model string, madeAt time.Time,
) ([]schemas.Forecast, error) {
	which := forecastsOf(w, signal, model)
	which.add("made_at = %s", instant(madeAt))
	return c.forecasts(ctx, which)
}

func forecastsOf(w schemas.Workload, signal schemas.Signal, model string) conditions {
	var which conditions
	which.whose(w)
	which.add("signal = %s AND model = %s", quote(string(signal)), quote(model))
	return which
}

func (c *Client) forecasts(ctx context.Context, which conditions) ([]schemas.Forecast, error) {
	sql := "SELECT " + forecastColumns + " FROM weir.forecasts" + which.where() +
		" ORDER BY target_time, quantile, stored DESC, model_version DESC LIMIT 1 BY target_time, quantile"
	all, err := read(ctx, c, nil, sql, func(rows driver.Rows) (f schemas.Forecast, err error) {
		var seconds uint32
		var signal string
		w := &f.Workload
		err = rows.Scan(&f.MadeAt, &f.TargetTime, &seconds, &w.Tenant, &w.Cluster, &w.Namespace, &w.Name,
			&signal, &f.Quantile, &f.Value, &f.Model.Name, &f.Model.Version, &f.Inputs)
		f.MadeAt, f.TargetTime, f.Signal = f.MadeAt.UTC(), f.TargetTime.UTC(), schemas.Signal(signal)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("read forecasts: %w", err)
	}
	return all, nil
}
