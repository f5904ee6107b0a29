package compare

import (
	"math"
	"time"

	"github.com/weirmesh/weir/lab/load/tally"
)

// Resolution is the ratio of the bounds of a bucket. Each side's quantile is the middle of its bucket, at most half of that (2.2 %) off,
// so two that are the same in truth differ at most by it.
func Resolution() float64 { return math.Exp2(1.0 / 16) }

// Quantile compares one quantile of the latency. Times are in milliseconds.
type Quantile struct {
	Q      float64 `json:"q"`
	Client float64 `json:"client_ms"` // from when a request was to be sent to the last byte
	Weir   float64 `json:"weir_ms"`   // from its first byte at the gateway to the last one there
	Low    float64 `json:"low_ms"`    // what the client may have waited if Weir is right
	High   float64 `json:"high_ms"`
	Agree  bool    `json:"agree"`
}

// Latency compares what the client measured with what Weir says about the edge from outside. path is the allowance for what only the
// client sees: the way to the gateway and back, and how late the client itself sent (its lag).
func Latency(client, weir tally.Histogram, path time.Duration) []Quantile {
	var out []Quantile
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99} {
		r := Quantile{Q: q, Client: tally.Millis(client.Quantile(q)), Weir: tally.Millis(weir.Quantile(q))}
		const rounding = 1e-9
		r.Low, r.High = r.Weir/Resolution()*(1-rounding), r.Weir*Resolution()*(1+rounding)+tally.Millis(path)
		r.Agree = client.N() > 0 && weir.N() > 0 && r.Client >= r.Low && r.Client <= r.High
		out = append(out, r)
	}
	return out
}
