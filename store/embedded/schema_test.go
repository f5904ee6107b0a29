package embedded_test

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"testing"
)

const windowsTable = `CREATE TABLE weir.service_10s (
	window_start DateTime64(3,'UTC') CODEC(DoubleDelta, ZSTD(1)),
	cluster LowCardinality(String), namespace LowCardinality(String), workload LowCardinality(String),
	version LowCardinality(String), source LowCardinality(String),
	last_offset SimpleAggregateFunction(max, Int64),
	stored SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT now(),
	calls SimpleAggregateFunction(sum, UInt64), errors SimpleAggregateFunction(sum, UInt64),
	duration_ns SimpleAggregateFunction(sum, UInt64),
	histogram SimpleAggregateFunction(sumMap, Map(Int16, UInt64)),
	callers SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
	PROJECTION marks (SELECT toYYYYMMDD(window_start), source, max(last_offset) GROUP BY toYYYYMMDD(window_start), source)
) ENGINE = AggregatingMergeTree PARTITION BY toYYYYMMDD(window_start)
ORDER BY (workload, namespace, cluster, version, window_start, source)
TTL stored + INTERVAL 30 DAY SETTINGS ttl_only_drop_parts = 1, deduplicate_merge_projection_mode = 'rebuild',
	fsync_after_insert = %d, fsync_part_directory = %d`

const quantileFunction = `CREATE FUNCTION weirQuantile AS (q, h) -> if(empty(h), NULL, arrayMap(b -> if(b = -32768, 0., 1000 * exp2((b + 0.5) / 16)),
	[mapKeys(h)[arrayFirstIndex(c -> c >= greatest(1, ceil(q * arraySum(mapValues(h)) - 1e-9)), arrayCumSum(mapValues(h)))]])[1])`

const guardedInsert = `INSERT INTO weir.service_10s (window_start, workload, source, last_offset, calls, histogram)
	SELECT window_start, workload, source, last_offset, calls, histogram
	FROM input('window_start DateTime64(3, ''UTC''), workload String, source String, last_offset Int64, calls UInt64, histogram Map(Int16, UInt64)')
	WHERE last_offset > (SELECT max(last_offset) FROM weir.service_10s WHERE source = 's') FORMAT JSONEachRow`

func flush(offset, rows int) string {
	var b strings.Builder
	for i := range rows {
		fmt.Fprintf(&b, `{"window_start":"2026-03-01 12:00:%02d.000","workload":"w%d","source":"s","last_offset":%d,"calls":3,"histogram":{"16":2,"32":1}}`+"\n", i%6*10, i, offset)
	}
	return b.String()
}

// TestSchema runs the data path's own DDL: projection, SQL function, guarded replay, merge.
func TestSchema(t *testing.T) {
	c := start(t, options(t))
	for _, sql := range []string{"CREATE DATABASE weir", fmt.Sprintf(windowsTable, 1, 1), quantileFunction} {
		ask(t, c, sql)
	}
	for _, offset := range []int{10, 20, 20, 10} { // the last two are replays
		if r := post(t, c, strings.NewReader(flush(offset, 100)), "query", guardedInsert); r.status != 200 {
			t.Fatal(r.status, r.body)
		}
	}
	want(t, ask(t, c, "SELECT sum(calls) FROM service_10s"), "600")
	ask(t, c, "OPTIMIZE TABLE weir.service_10s FINAL")
	want(t, ask(t, c, "SELECT count(), sum(calls), round(weirQuantile(0.5, sumMap(histogram)), 3), round(weirQuantile(0.99, sumMap(histogram)), 3) FROM service_10s"),
		"100\t600\t2043.794\t4087.589")
	marks := "SELECT toYYYYMMDD(window_start), source, max(last_offset) FROM service_10s GROUP BY toYYYYMMDD(window_start), source"
	want(t, ask(t, c, marks), "20260301\ts\t20")
	if plan := ask(t, c, "EXPLAIN "+marks); !strings.Contains(plan, "marks") {
		t.Errorf("projection is not used:\n%s", plan)
	}
}

// TestSignalHandlers looks at which signals the child catches: all that Go needs, after connects and queries.
func TestSignalHandlers(t *testing.T) {
	c := start(t, options(t))
	ask(t, c, "SELECT 1")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.PID()))
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	_, mask, _ := strings.Cut(string(status), "SigCgt:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	caught, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	const abort, bus, fpe, segv, urgent = 6, 7, 8, 11, 23
	for _, s := range []int{abort, bus, fpe, segv, urgent} {
		if caught&(1<<(s-1)) == 0 {
			t.Errorf("signal %d is not caught (%d are)", s, bits.OnesCount64(caught))
		}
	}
}

// BenchmarkFlush is the latency of one small flush, over HTTP, with and without waiting for the disk.
func BenchmarkFlush(b *testing.B) {
	for _, fsync := range []int{0, 1} {
		b.Run(fmt.Sprintf("fsync=%d", fsync), func(b *testing.B) {
			c := start(b, options(b))
			ask(b, c, "CREATE TABLE default.k (service LowCardinality(String), n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS fsync_after_insert = "+
				strconv.Itoa(fsync)+", fsync_part_directory = "+strconv.Itoa(fsync))
			ask(b, c, "CREATE DATABASE weir")
			data := arrowStream(b, 1000, 1)
			for b.Loop() {
				if ok, err := tryInsert(b, c.Addr(), data); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// BenchmarkSelect is the latency of the smallest query, session included.
func BenchmarkSelect(b *testing.B) {
	c := start(b, options(b))
	ask(b, c, "CREATE DATABASE weir")
	for b.Loop() {
		ask(b, c, "SELECT 1")
	}
}

// BenchmarkStart is the time from starting a process to its first answer.
func BenchmarkStart(b *testing.B) {
	o := options(b)
	for b.Loop() {
		stop(b, start(b, o))
	}
}
