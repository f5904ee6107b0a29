package snapshot

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/schemas"
)

// TestSince keeps the lines about faults that held in a recording.
func TestSince(t *testing.T) {
	const (
		early   = `{"id":"delay-1","class":"failure","fault":{"kind":"delay"},"seed":1,"from":"2026-01-01T00:00:00Z"}` + "\n"
		earlier = `{"id":"delay-1","class":"failure","fault":{"kind":"delay"},"seed":1,"from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:01:00Z"}` + "\n"
		open    = `{"id":"errors-2","class":"failure","fault":{"kind":"errors"},"seed":1,"from":"2026-01-01T00:00:30Z"}` + "\n"
		ended   = `{"id":"errors-2","class":"failure","fault":{"kind":"errors"},"seed":1,"from":"2026-01-01T00:00:30Z","to":"2026-01-01T00:02:10Z"}` + "\n"
		later   = `{"id":"deploy-3","class":"innocent","fault":{"kind":"deploy"},"seed":1,"from":"2026-01-01T00:02:05Z"}` + "\n"
	)
	from := time.Date(2026, 1, 1, 0, 2, 0, 0, time.UTC)
	for _, tt := range []struct{ name, truth, want string }{
		{"no faults", "", ""},
		{"over before", early + earlier, ""},
		{"holds", open, open},
		{"ends meanwhile: both lines", open + ended, open + ended},
		{"begins meanwhile", later, later},
		{"all of them, in their order", early + open + earlier + later + ended, open + later + ended},
		{"the last line is not ended", early + earlier + strings.TrimSpace(open), strings.TrimSpace(open)},
	} {
		got, err := since([]byte(tt.truth), from)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %v\n%s, want\n%s", tt.name, err, got, tt.want)
		}
	}
	if got, err := since([]byte(open+`{"id":`), from); err == nil {
		t.Errorf("half a line is taken: %s", got)
	}
}

func TestSeenBetween(t *testing.T) {
	at := func(from, to string, n uint64) compare.Seen {
		return compare.Seen{
			From: from, To: to, Calls: 7 * n, Errors: 6 * n, Errors4xx: 5 * n, Errors5xx: 4 * n, ErrorsGRPC: 3 * n, ErrorsTransport: 2 * n,
			RejectedMesh: n, Histogram: tally.Histogram{-3: n, 4: 6 * n},
		}
	}
	earlier := []compare.Seen{at("", "web", 10), at("web", "cart", 3), at("web", "same", 2)}
	got := seenBetween(earlier, []compare.Seen{at("", "web", 15), at("cart", "web", 4), at("web", "cart", 4), at("web", "same", 2)})
	nothing := compare.Seen{From: "web", To: "same", Histogram: tally.Histogram{}}
	if want := []compare.Seen{at("", "web", 5), at("cart", "web", 4), at("web", "cart", 1), nothing}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
	if earlier[0].Histogram[4] != 60 {
		t.Error("the earlier reading was changed")
	}
}

// TestSeenBetweenAddsUp takes any two readings: what was before and what came between is what was after.
func TestSeenBetweenAddsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		before, after := compare.Seen{To: "web", Histogram: tally.Histogram{}}, compare.Seen{To: "web", Histogram: tally.Histogram{}}
		for bucket := range 5 {
			n, more := rng.Uint64N(4), rng.Uint64N(4)
			before.Calls, after.Calls = before.Calls+n, after.Calls+n+more
			before.Histogram[schemas.Bucket(bucket)], after.Histogram[schemas.Bucket(bucket)] = n, n+more
		}
		got := seenBetween([]compare.Seen{before}, []compare.Seen{after})[0]
		if got.Calls != got.Histogram.N() || before.Calls+got.Calls != after.Calls {
			t.Fatalf("%+v and %+v is not %+v", before, got, after)
		}
	}
}

func TestEntryIsWhatCameFromOutside(t *testing.T) {
	h := func(n uint64) tally.Histogram { return tally.Histogram{1: n} }
	s := Snapshot{Seen: []compare.Seen{
		{To: compare.DefaultGateway, Histogram: h(3)},
		{To: compare.DefaultGateway, Histogram: h(4)},
		{To: "web", Histogram: h(100)},
		{From: "web", To: compare.DefaultGateway, Histogram: h(1000)},
	}}
	if got := s.Entry(); !reflect.DeepEqual(got, h(7)) {
		t.Errorf("%v", got)
	}
}
