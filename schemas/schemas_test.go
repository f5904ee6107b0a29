package schemas_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/schemas"
)

func TestOutcome(t *testing.T) {
	none := schemas.Status{GRPC: schemas.NoGRPC}
	http := func(code uint16) schemas.Status { return schemas.Status{HTTP: code, GRPC: schemas.NoGRPC} }
	span := func(code uint8) schemas.Status { return schemas.Status{GRPC: schemas.NoGRPC, Span: code} }
	ok := schemas.Outcome{Known: true}
	for _, c := range []struct {
		name  string
		of    schemas.Status
		flags schemas.Flags
		want  schemas.Outcome
	}{
		{"nothing is known", none, 0, schemas.Outcome{}},
		{"HTTP 100", http(100), 0, ok},
		{"HTTP 200", http(200), 0, ok},
		{"HTTP 399", http(399), 0, ok},
		{"HTTP 400", http(400), 0, schemas.Outcome{Known: true, HTTP4xx: true}},
		{"HTTP 499", http(499), 0, schemas.Outcome{Known: true, HTTP4xx: true}},
		{"HTTP 500", http(500), 0, schemas.Outcome{Known: true, HTTP5xx: true, Error: true}},
		{"HTTP 599", http(599), 0, schemas.Outcome{Known: true, HTTP5xx: true, Error: true}},
		{"span unset", span(0), 0, schemas.Outcome{}},
		{"span ok", span(1), 0, ok},
		{"span error", span(2), 0, schemas.Outcome{Known: true, Error: true}},
		{"HTTP 404 overrules a span error", schemas.Status{HTTP: 404, GRPC: schemas.NoGRPC, Span: 2}, 0, schemas.Outcome{Known: true, HTTP4xx: true}},
		{"gRPC OK overrules HTTP and span", schemas.Status{HTTP: 500, GRPC: 0, Span: 2}, 0, ok},
		{"gRPC UNAVAILABLE over HTTP 200", schemas.Status{HTTP: 200, GRPC: 14}, 0, schemas.Outcome{Known: true, Error: true, GRPC: true}},
		{"a broken connection without status", none, schemas.FlagTransport, schemas.Outcome{Known: true, Error: true, Transport: true}},
		{"a broken connection after HTTP 200", http(200), schemas.FlagTransport, schemas.Outcome{Known: true, Error: true, Transport: true}},
		{"other flags say nothing", none, ^schemas.FlagTransport, schemas.Outcome{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.of.Outcome(c.flags); got != c.want {
				t.Errorf("outcome %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestGRPCCodesThatAreTheCalleesErrors(t *testing.T) {
	errors := []int16{2, 4, 12, 13, 14, 15} // UNKNOWN DEADLINE_EXCEEDED UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS
	for code := range int16(18) {
		want := slices.Contains(errors, code)
		got := schemas.Status{GRPC: code}.Outcome(0)
		if !got.Known || got.Error != want || got.GRPC != want {
			t.Errorf("code %d: %+v, want error %t", code, got, want)
		}
	}
}

func TestKinds(t *testing.T) {
	for kind, want := range map[schemas.Kind][2]bool{
		schemas.KindUnspecified: {}, schemas.KindInternal: {}, schemas.KindServer: {true, false}, schemas.KindConsumer: {true, false},
		schemas.KindClient: {false, true}, schemas.KindProducer: {false, true},
	} {
		if got := [2]bool{kind.Receives(), kind.Sends()}; got != want {
			t.Errorf("kind %d receives and sends: %v, want %v", kind, got, want)
		}
	}
}

func TestWeightOf(t *testing.T) {
	for _, c := range []struct {
		adjusted float64
		want     schemas.Weight
	}{
		{1, schemas.One},
		{0, schemas.One},
		{-3, schemas.One},
		{0.5, schemas.One},
		{math.NaN(), schemas.One},
		{math.Inf(-1), schemas.One},
		{10, 10 * schemas.One},
		{1.5, schemas.One + schemas.One/2},
		{1 + 1.0/(1<<17), schemas.One + 1},
		{65535, 65535 * schemas.One},
		{65536, math.MaxUint32},
		{1e300, math.MaxUint32},
		{math.Inf(1), math.MaxUint32},
	} {
		if got := schemas.WeightOf(c.adjusted); got != c.want {
			t.Errorf("WeightOf(%v) = %d, want %d", c.adjusted, got, c.want)
		}
	}
}

func TestEvidence(t *testing.T) {
	for evidence, want := range map[schemas.Evidence]string{
		0: "", schemas.ServerProxy: "server_proxy", schemas.ServerSpan: "server_span", schemas.ClientProxy: "client_proxy", schemas.ClientSpan: "client_span",
		schemas.ServerSpan | schemas.ClientSpan: "server_span,client_span", 15: "server_proxy,server_span,client_proxy,client_span",
	} {
		if got := evidence.String(); got != want {
			t.Errorf("evidence %d is %q, want %q", evidence, got, want)
		}
	}
}

// atMost reports whether ns is at most 2^(e/16) seconds: exactly, because ns^16 <= 2^e * 10^144 is a matter of whole numbers.
func atMost(ns uint64, e int) bool {
	left := new(big.Int).Exp(new(big.Int).SetUint64(ns), big.NewInt(16), nil)
	right := new(big.Int).Exp(big.NewInt(10), big.NewInt(144), nil)
	if e >= 0 {
		right.Lsh(right, uint(e))
	} else {
		left.Lsh(left, uint(-e))
	}
	return left.Cmp(right) <= 0
}

// exact is how long durations can be for float64 arithmetic to place them right to the nanosecond: 6.5 days.
const exact = uint64(1) << 49

func checkBucket(t *testing.T, ns uint64) {
	t.Helper()
	b := schemas.BucketOf(ns)
	switch {
	case ns == 0:
		if b != schemas.ZeroBucket {
			t.Errorf("0 ns is in bucket %d", b)
		}
	case b < schemas.MinBucket || b > schemas.MaxBucket:
		t.Errorf("%d ns is in bucket %d", ns, b)
	case b > schemas.MinBucket && atMost(ns, int(b)):
		t.Errorf("%d ns is in bucket %d, but is not above its lower bound", ns, b)
	case b < schemas.MaxBucket && !atMost(ns, int(b)+1):
		t.Errorf("%d ns is in bucket %d, but is above its upper bound", ns, b)
	}
}

func TestBucketsAtTheirEdges(t *testing.T) {
	for e := -512; e <= 512; e++ {
		// The largest number of nanoseconds in bucket e-1, by bisection.
		low, high := uint64(0), exact
		for low < high {
			if middle := (low + high + 1) / 2; atMost(middle, e) {
				low = middle
			} else {
				high = middle - 1
			}
		}
		for _, ns := range []uint64{low - 1, low, low + 1} {
			if ns > 0 && ns < exact {
				checkBucket(t, ns)
			}
		}
	}
}

func TestBucketsOfKnownDurations(t *testing.T) {
	for ns, want := range map[uint64]schemas.Bucket{
		0: schemas.ZeroBucket, 1: -479, 1e9: -1, 1e9 + 1: 0, 2e9: 15, 2e9 + 1: 16, 1_953_125: -145, 1_953_126: -144,
		math.MaxUint64: schemas.MaxBucket, 1 << 63: schemas.MaxBucket,
	} {
		if got := schemas.BucketOf(ns); got != want {
			t.Errorf("%d ns is in bucket %d, want %d", ns, got, want)
		}
	}
}

func FuzzBucketOf(f *testing.F) {
	for _, ns := range []uint64{0, 1, 999, 1e6, 1e9, 3600e9, exact - 1} {
		f.Add(ns)
	}
	f.Fuzz(func(t *testing.T, ns uint64) {
		if ns < exact {
			checkBucket(t, ns)
		} else if b := schemas.BucketOf(ns); b < 300 || b > schemas.MaxBucket {
			t.Errorf("%d ns is in bucket %d", ns, b)
		}
	})
}

func TestABucketReportsALatencyCloseToAnythingInIt(t *testing.T) {
	if s := schemas.ZeroBucket.Seconds(); s != 0 {
		t.Errorf("zero reports %v", s)
	}
	for ns := uint64(1000); ns < 1e12; ns += ns/7 + 1 {
		seconds := float64(ns) / 1e9
		if got := schemas.BucketOf(ns).Seconds(); math.Abs(got/seconds-1) > 0.0219 {
			t.Errorf("%v s is reported as %v", seconds, got)
		}
	}
}

func TestWindowStart(t *testing.T) {
	ten, hour := schemas.Resolution(10*time.Second), schemas.Resolution(time.Hour)
	const s = int64(time.Second)
	for _, c := range []struct {
		r       schemas.Resolution
		t, want int64
	}{
		{ten, 0, 0},
		{ten, 1, 0},
		{ten, 10*s - 1, 0},
		{ten, 10 * s, 10 * s},
		{ten, -1, -10 * s},
		{ten, -10 * s, -10 * s},
		{ten, -10*s - 1, -20 * s},
		{hour, 3599 * s, 0},
		{hour, -1, -3600 * s},
	} {
		if got := c.r.Start(c.t); got != c.want {
			t.Errorf("window of %d s that holds %d starts at %d, want %d", int64(c.r)/s, c.t, got, c.want)
		}
	}
}

func TestDayOf(t *testing.T) {
	for text, want := range map[string]schemas.Day{
		"2022-08-22T00:00:00Z": 20220822, "2022-08-22T23:59:59.999999999Z": 20220822, "1970-01-01T00:00:00Z": 19700101,
		"1969-12-31T23:59:59.999999999Z": 19691231, "2024-02-29T12:00:00Z": 20240229, "2022-08-22T01:00:00+02:00": 20220821,
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := schemas.DayOf(at.UnixNano()); got != want {
			t.Errorf("%s is day %d, want %d", text, got, want)
		}
	}
}

func TestEveryResolutionDividesADay(t *testing.T) {
	for _, r := range schemas.Resolutions() {
		if 24*time.Hour%time.Duration(r) != 0 {
			t.Errorf("%s spans days", r.Suffix())
		}
	}
}

func TestNames(t *testing.T) {
	var tables []string
	for _, table := range schemas.Tables() {
		tables = append(tables, table.String())
	}
	want := "[service_10s service_1m service_1h edge_10s edge_1m edge_1h instance_10s instance_1m instance_1h]"
	if got := fmt.Sprint(tables); got != want {
		t.Errorf("tables %s, want %s", got, want)
	}
	if got := (schemas.Source{Incarnation: "i", Topic: "weir.calls", Partition: 3}).String(); got != "weir.calls@i/3" {
		t.Errorf("source %q", got)
	}
	if got := (schemas.Workload{Tenant: "t", Cluster: "c", Region: "r", Namespace: "n", Name: "w", Version: "v"}).Key(); got != "c/n/w" {
		t.Errorf("key %q", got)
	}
	seen := map[string]bool{}
	for m := range schemas.MeasureCount {
		if m.String() == "" || seen[m.String()] {
			t.Errorf("measure %d is called %q, like another or like nothing", m, m)
		}
		seen[m.String()] = true
	}
}

func TestAWorkloadHasAValueForEveryDimension(t *testing.T) {
	w := schemas.Workload{Tenant: "tenant", Cluster: "cluster", Region: "region", Namespace: "namespace", Name: "workload", Version: "version"}
	if got, want := append([]string{w.Tenant}, w.Dimensions()...), schemas.ServiceWindows.Dimensions(); !slices.Equal(got, want) {
		t.Errorf("values of %v, want of %v", got, want)
	}
}
