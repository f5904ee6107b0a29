package wire_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestCheckSchema(t *testing.T) {
	for _, c := range []struct{ got, want, err string }{
		{"calls/1", "calls/1", ""},
		{"", "calls/1", "message has no weir-schema header, want calls/1"},
		{"calls/2", "calls/1", `schema "calls/2" is not readable here, want calls/1`},
		{"samples/1", "calls/1", `schema "samples/1" is not readable here, want calls/1`},
		{"calls/10", "calls/1", `schema "calls/10" is not readable here, want calls/1`},
	} {
		err := wire.CheckSchema(c.got, c.want)
		if err == nil && c.err != "" || err != nil && err.Error() != c.err {
			t.Errorf("%q: error %v, want %q", c.got, err, c.err)
		}
	}
}

func TestFindTakesTheFirst(t *testing.T) {
	headers := []wire.Header{{Key: "a", Value: "1"}, {Key: "b", Value: "x"}, {Key: "a", Value: "2"}}
	if v, ok := wire.Find(headers, "a"); v != "1" || !ok {
		t.Errorf("a is %q, %t", v, ok)
	}
	if v, ok := wire.Find(headers, "c"); v != "" || ok {
		t.Errorf("c is %q, %t", v, ok)
	}
	if n, ok := wire.FindInt(headers, "a"); n != 1 || !ok {
		t.Errorf("a is %d, %t", n, ok)
	}
	for _, key := range []string{"b", "c"} {
		if n, ok := wire.FindInt(headers, key); ok {
			t.Errorf("%s is %d", key, n)
		}
	}
}

func TestEventsRoundTrip(t *testing.T) {
	for _, c := range [][2]int64{{0, 0}, {1, 2}, {-5, 5}, {math.MinInt64, math.MaxInt64}} {
		first, last, ok := wire.FindEvents([]wire.Header{{Key: wire.HeaderEvents, Value: wire.Events(c[0], c[1])}})
		if first != c[0] || last != c[1] || !ok {
			t.Errorf("%v came back as %d, %d, %t", c, first, last, ok)
		}
	}
	for _, text := range []string{"", ",", "1", "1,", ",1", "1,2,3", "a,b", "1;2", "99999999999999999999,1"} {
		if first, last, ok := wire.FindEvents([]wire.Header{{Key: wire.HeaderEvents, Value: text}}); ok {
			t.Errorf("%q was read as %d, %d", text, first, last)
		}
	}
	if _, _, ok := wire.FindEvents(nil); ok {
		t.Error("read from nothing")
	}
}

func TestProgressRoundTrips(t *testing.T) {
	want := wire.Progress{Worker: "w", Time: 1, Sources: []wire.SourceProgress{
		{Source: "weir.calls@i/3", Next: 2, Durable: 3, End: 4, Watermark: -5, Idle: true, LastData: 6},
	}}
	value, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"worker":"w","time":1,"sources":[` +
		`{"source":"weir.calls@i/3","next":2,"durable":3,"end":4,"watermark":-5,"idle":true,"last_data":6}]}`
	if string(value) != text {
		t.Errorf("encoded as %s, want %s: readers in other languages rely on it", value, text)
	}
	if got, err := wire.DecodeProgress(value); !reflect.DeepEqual(got, want) || err != nil {
		t.Errorf("decoded %+v, error %v", got, err)
	}
	newer := []byte(`{"sources":[{"source":"s","of a newer weir":[1]}],"also newer":{}}`)
	if got, err := wire.DecodeProgress(newer); !reflect.DeepEqual(got, wire.Progress{Sources: []wire.SourceProgress{{Source: "s"}}}) || err != nil {
		t.Errorf("with unknown fields: %+v, error %v", got, err)
	}
	for _, value := range []string{"", "{}", "null", "[]", `{"sources":[]}`, `{"sources":[{}]}`, `{"sources":[{"source":"s","next":"x"}]}`, `{"sources":[`} {
		if got, err := wire.DecodeProgress([]byte(value)); err == nil {
			t.Errorf("%q was decoded as %+v", value, got)
		}
	}
}

func FuzzDecodeProgress(f *testing.F) {
	f.Add([]byte(`{"worker":"w","sources":[{"source":"s","next":1,"idle":true}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := wire.DecodeProgress(value)
		if err != nil {
			return
		}
		again, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := wire.DecodeProgress(again); !reflect.DeepEqual(got, p) || err != nil {
			t.Errorf("%+v came back as %+v, error %v", p, got, err)
		}
	})
}

func TestATraceHasOnePartition(t *testing.T) {
	used := map[int]bool{}
	for i := range 200 {
		id := schemas.TraceID{byte(i), 1, 2, 3}
		p := wire.PartitionOfTrace(id, 4)
		if p < 0 || p > 3 || p != wire.PartitionOf(id[:], 4) {
			t.Fatalf("trace %d is in partition %d", i, p)
		}
		used[p] = true
	}
	if len(used) != 4 {
		t.Errorf("200 traces use partitions %v of 4", used)
	}
}

// TestPartitionOfIsKafkas pins the values of Kafka's own UtilsTest.testMurmur2, so that no library decides.
func TestPartitionOfIsKafkas(t *testing.T) {
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		const prime = 1<<31 - 1
		if got, want := wire.PartitionOf([]byte(key), prime), int(hash&0x7fffffff)%prime; got != want {
			t.Errorf("%q: partition %d, want %d", key, got, want)
		}
	}
}
