package load

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/tally"
)

// progress writes a line each second until ctx ends: what is wanted at that moment, and what ended since the last line.
func (g *generator) progress(ctx context.Context, out io.Writer) {
	if out == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			_, _ = io.WriteString(out, g.line(now.Sub(last).Seconds())) // who does not look does not stop the load
			last = now
		}
	}
}

func (g *generator) line(seconds float64) string {
	at, wanted, inFlight := g.state()
	r := g.tally.Recent()
	a := func(n uint64) float64 { return float64(n) / seconds }
	return fmt.Sprintf("t=%-8s wanted=%.1f/s done=%.1f/s ok=%.1f/s 4xx=%.1f/s errors=%.1f/s not_sent=%d "+
		"p50=%.2fms p99=%.2fms in_flight=%d lag_p99=%.3fms\n",
		at.Round(time.Second), wanted, a(r.Outcomes.Sent()), a(r.Outcomes[ledger.OK]), a(r.Outcomes[ledger.ClientError]),
		a(r.Outcomes.Errors()), r.Outcomes[tally.NotSent],
		tally.Millis(r.Latency.Quantile(0.5)), tally.Millis(r.Latency.Quantile(0.99)), inFlight, tally.Millis(r.Lag.Quantile(0.99)))
}
