package compare_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store"
	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
)

func TestMain(m *testing.M) {
	if code, child := embeddedtest.Child(); child {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

const start = int64(1_661_126_400) * int64(time.Second)

// edge is one row of a window: calls of 20 ms, and as many refused ones.
func edge(from, to, version string, window time.Duration, calls uint64) schemas.Partial {
	p := schemas.Partial{
		Start: start + int64(window), Source: schemas.Source{Topic: "t"}.String(), LastOffset: 1,
		Dimensions: make([]string, len(schemas.EdgeWindows.Dimensions())),
		Histogram:  []schemas.BucketCount{{Bucket: schemas.BucketOf(20e6), Count: calls << 16}},
	}
	for i, name := range schemas.EdgeWindows.Dimensions() {
		p.Dimensions[i] = map[string]string{"source_workload": from, "destination_workload": to, "destination_version": version}[name]
	}
	for m, n := range map[schemas.MeasureID]uint64{
		schemas.Calls: calls, schemas.Errors: 2, schemas.Errors4xx: 3, schemas.Errors5xx: 4, schemas.ErrorsGRPC: 5, schemas.ErrorsTransport: 6,
		schemas.RejectedMesh: calls,
	} {
		p.Measures[m] = n << 16
	}
	p.Measures[schemas.Observed] = calls
	return p
}

// TestWeir reads what was written to a real store.
func TestWeir(t *testing.T) {
	cfg := clickhouse.Config{Address: embeddedtest.Start(t, t.TempDir()).Addr()}
	c, err := clickhouse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	table := schemas.Table{Subject: schemas.EdgeWindows, Resolution: schemas.Resolutions()[0]}
	if err := c.Write(t.Context(), store.Flush{Partials: map[schemas.Table][]schemas.Partial{table: {
		edge("", "istio-ingressgateway", "", 0, 7), edge("web", "cart", "v1", 0, 10), edge("web", "cart", "v2", 10*time.Second, 5),
		edge("web", "cart", "v1", -10*time.Second, 1000), edge("web", "cart", "v1", 20*time.Second, 1000),
	}}}); err != nil {
		t.Fatal(err)
	}
	from := time.Unix(0, start)
	got, err := compare.Weir{Store: cfg}.Edges(t.Context(), from, from.Add(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	want := []compare.Seen{
		{To: "istio-ingressgateway", Calls: 7, Errors: 2, Errors4xx: 3, Errors5xx: 4, ErrorsGRPC: 5, ErrorsTransport: 6, RejectedMesh: 7},
		{From: "web", To: "cart", Calls: 15, Errors: 4, Errors4xx: 6, Errors5xx: 8, ErrorsGRPC: 10, ErrorsTransport: 12, RejectedMesh: 15},
	}
	if len(got) == 2 && got[0].From != "" {
		got[0], got[1] = got[1], got[0]
	}
	for i := range want {
		want[i].Histogram = map[schemas.Bucket]uint64{schemas.BucketOf(20e6): want[i].Calls}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
}

func TestWeirAnswersBadly(t *testing.T) {
	for text, want := range map[string]string{"{": "unexpected EOF", `{"calls":"x"}`: "read edges", "": ""} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
		_, err := compare.Weir{Store: clickhouse.Config{Address: s.Listener.Addr().String()}}.Edges(t.Context(), time.Time{}, time.Time{})
		s.Close()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
