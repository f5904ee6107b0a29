package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weirmesh/weir/store/clickhouse"
)

// Weir reads what Weir's store says.
type Weir struct {
	Store clickhouse.Config
}

// Edges returns every edge of the windows of 10 s that begin in [from, to), versions and regions together.
func (w Weir) Edges(ctx context.Context, from, to time.Time) ([]Seen, error) {
	var answer bytes.Buffer
	if err := clickhouse.Query(ctx, w.Store, edgesSQL(from, to), "JSONEachRow", &answer); err != nil {
		return nil, fmt.Errorf("read edges of Weir: %w", err)
	}
	var out []Seen
	for dec := json.NewDecoder(&answer); ; {
		var s Seen
		if err := dec.Decode(&s); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("read edges of Weir: %w", err)
		}
		out = append(out, s)
	}
}

func edgesSQL(from, to time.Time) string {
	const columns = "source_workload, destination_workload, " +
		"sum(t.calls) AS calls, sum(t.errors) AS errors, sum(t.errors_4xx) AS errors_4xx, " +
		"sum(t.errors_5xx) AS errors_5xx, sum(t.errors_grpc) AS errors_grpc, sum(t.errors_transport) AS errors_transport, " +
		"sum(t.rejected_mesh) AS rejected_mesh, sumIf(t.calls, t.evidence = 'client_span') AS by_callers, sumMap(t.histogram) AS histogram"
	return fmt.Sprintf("SELECT %s FROM edge_windows AS t WHERE window_start >= fromUnixTimestamp64Milli(%d) AND "+
		"window_start < fromUnixTimestamp64Milli(%d) GROUP BY source_workload, destination_workload "+
		"SETTINGS output_format_json_quote_64bit_integers = 0", columns, from.UnixMilli(), to.UnixMilli())
}
