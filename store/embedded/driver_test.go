package embedded_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

const typesTable = `CREATE TABLE types (
	id UInt64, at DateTime64(3, 'UTC'), name LowCardinality(String), labels Map(String, UInt64),
	list Array(Float64), maybe Nullable(Int32), made DateTime DEFAULT now()
) ENGINE = MergeTree ORDER BY id`

func TestDriver(t *testing.T) {
	c := start(t, options(t))
	for name, method := range map[string]clickhouse.CompressionMethod{
		"plain": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4,
		"zstd": clickhouse.CompressionZSTD, "gzip": clickhouse.CompressionGZIP,
	} {
		t.Run(name, func(t *testing.T) {
			ask(t, c, "DROP TABLE IF EXISTS types")
			conn := connect(t, c, func(o *clickhouse.Options) {
				o.Compression = &clickhouse.Compression{Method: method}
				o.Settings = clickhouse.Settings{"max_execution_time": 20}
			})
			testDriver(t, conn)
		})
	}
}

func testDriver(t *testing.T, conn clickhouse.Conn) {
	ctx := t.Context()
	if err := conn.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	v, err := conn.ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if v.Version.Major < 26 {
		t.Errorf("version %v", v)
	}
	if err := conn.Exec(ctx, typesTable); err != nil {
		t.Fatal(err)
	}
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO types (id, at, name, labels, list, maybe)")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	const rows = 100_000
	for i := range rows {
		n := int32(i)
		maybe := &n
		if i%2 == 1 {
			maybe = nil
		}
		if err := batch.Append(uint64(i), at, fmt.Sprint("svc", i%10), map[string]uint64{"a": uint64(i)}, []float64{float64(i), 0.5}, maybe); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	readBack(t, conn, at, rows)
	if err := conn.QueryRow(ctx, "SELECT id FROM types WHERE name = ? AND id > {low:UInt64} LIMIT 1", clickhouse.Named("low", 5)).Err(); err == nil {
		t.Error("mixed parameters were accepted")
	}
	var id uint64
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"name": "svc7", "low": "100"}))
	if err := conn.QueryRow(ctx, "SELECT min(id) FROM types WHERE name = {name:String} AND id > {low:UInt64}").Scan(&id); err != nil || id != 107 {
		t.Errorf("with parameters: %d, %v", id, err)
	}
	err = conn.Exec(ctx, "SELECT nonsense FROM nowhere")
	if ex, ok := asException(err); !ok || ex.Code != 60 || !strings.Contains(ex.Message, "nowhere") {
		t.Errorf("error %v", err)
	}
}

func readBack(t *testing.T, conn clickhouse.Conn, at time.Time, rows int) {
	t.Helper()
	result, err := conn.Query(t.Context(), "SELECT id, at, name, labels, list, maybe FROM types ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	n := 0
	for ; result.Next(); n++ {
		var id uint64
		var when time.Time
		var name string
		var labels map[string]uint64
		var list []float64
		var maybe *int32
		if err := result.Scan(&id, &when, &name, &labels, &list, &maybe); err != nil {
			t.Fatal(err)
		}
		if id != uint64(n) || !when.Equal(at) || name != fmt.Sprint("svc", n%10) ||
			!maps.Equal(labels, map[string]uint64{"a": id}) || !slices.Equal(list, []float64{float64(n), 0.5}) ||
			(maybe == nil) != (n%2 == 1) || maybe != nil && *maybe != int32(n) {
			t.Fatal("row", n, id, when, name, labels, list, maybe)
		}
	}
	if err := result.Err(); err != nil || n != rows {
		t.Fatalf("%d rows of %d, %v", n, rows, err)
	}
}

// arrowStream makes batches of rows (n UInt64, service String), columns in this order.
func arrowStream(t testing.TB, rows, batches int) []byte {
	t.Helper()
	mem := memory.NewGoAllocator()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "n", Type: arrow.PrimitiveTypes.Uint64}, {Name: "service", Type: arrow.BinaryTypes.String},
	}, nil)
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema), ipc.WithAllocator(mem))
	for range batches {
		b := array.NewRecordBuilder(mem, schema)
		for i := range rows {
			b.Field(0).(*array.Uint64Builder).Append(uint64(i))
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("service-", i%100))
		}
		rec := b.NewRecord()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		b.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestDriverArrow(t *testing.T) {
	c := start(t, options(t))
	conn := connect(t, c)
	ctx := t.Context()
	ask(t, c, "CREATE TABLE a (service LowCardinality(String), n UInt64) ENGINE = MergeTree ORDER BY n")
	if err := conn.InsertFormat(ctx, "ArrowStream", "INSERT INTO a (service, n)", bytes.NewReader(arrowStream(t, 200_000, 1))); err != nil {
		t.Fatal(err)
	}
	want(t, ask(t, c, "SELECT count(), sum(n), uniq(service) FROM a"), "200000\t19999900000\t100")

	body, err := conn.QueryFormat(ctx, "ArrowStream", "SELECT n, service FROM a ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	r, err := ipc.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	next := uint64(0)
	for r.Next() {
		for _, n := range r.Record().Column(0).(*array.Uint64).Uint64Values() {
			if n != next {
				t.Fatalf("got %d, want %d", n, next)
			}
			next++
		}
	}
	if r.Err() != nil || next != 200_000 {
		t.Fatal(next, r.Err())
	}
	if err := conn.InsertFormat(ctx, "ArrowStream", "INSERT INTO a", strings.NewReader("garbage, not Arrow")); err == nil {
		t.Error("garbage was accepted")
	}
	want(t, ask(t, c, "SELECT count() FROM a"), "200000")
}
