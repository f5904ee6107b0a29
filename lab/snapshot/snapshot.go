// Package snapshot reads both sides of a running lab at a moment at which nothing is under way: what really happened, and what Weir says.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/weirmesh/weir/lab/compare"
	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/store/clickhouse"
)

// Snapshot is both sides at one moment.
type Snapshot struct {
	At      time.Time
	Counts  ledger.Counts   // what happened since the lab began
	Seen    []compare.Seen  // what Weir says about the same time
	Client  tally.Histogram // latencies of the requests that were answered since the lab began
	Lag     time.Duration   // 99th percentile of how late the generator sent
	Settled bool            // false: Weir's counts still changed when the time was over
}

// How often Weir is asked whether anything has arrived, for how long nothing may have, and how long it is waited for at most. Proxies and
// services report once a second, Weir writes once a second.
const (
	askEvery    = 500 * time.Millisecond
	quietFor    = 4 * time.Second
	quietWithin = 40 * time.Second
)

// Take pauses the load, waits until everything that was sent is counted, reads both sides, and lets the load go on. run is the lab's
// folder.
func Take(ctx context.Context, lab *control.Client, run string) (s Snapshot, err error) {
	status, err := lab.Status(ctx)
	if err != nil {
		return s, err
	}
	if status.Phase != control.Ready {
		return s, fmt.Errorf("the lab is %s: wait until it is ready", status.Phase)
	}
	if err := lab.Load(ctx, http.MethodPut, "/pause", nil, nil); err != nil {
		return s, err
	}
	defer func() {
		resume, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer stop()
		err = errors.Join(err, lab.Load(resume, http.MethodPut, "/resume", nil, nil))
	}()
	weir := compare.Weir{Store: clickhouse.Config{Address: status.Addresses["clickhouse"]}}
	from := status.Started.Truncate(window)
	if s.Settled, err = settle(ctx, weir, from); err != nil {
		return s, err
	}
	s.At = time.Now()
	if s.Counts, err = ledger.Read(filepath.Join(run, "ledger")); err != nil {
		return s, err
	}
	if s.Seen, err = weir.Edges(ctx, from, s.At.Add(window)); err != nil {
		return s, err
	}
	return s, s.client(ctx, lab)
}

const window = 10 * time.Second

// client reads what the generator measured.
func (s *Snapshot) client(ctx context.Context, lab *control.Client) error {
	var l tally.Latency
	if err := lab.Load(ctx, http.MethodGet, "/latency", nil, &l); err != nil {
		return err
	}
	s.Client, s.Lag = l.All.Histogram, time.Duration(l.Lag.P99*float64(time.Millisecond))
	return nil
}

// settle waits until Weir's counts no longer change.
func settle(ctx context.Context, weir compare.Weir, from time.Time) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, quietWithin)
	defer stop()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	last, since := uint64(0), time.Now()
	for {
		seen, err := weir.Edges(ctx, from, time.Now().Add(window))
		if err != nil {
			return false, err
		}
		if n := total(seen); n != last {
			last, since = n, time.Now()
		} else if time.Since(since) >= quietFor {
			return true, nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return false, nil
			}
			return false, ctx.Err()
		case <-tick.C:
		}
	}
}

func total(seen []compare.Seen) (n uint64) {
	for _, s := range seen {
		n += s.Calls + s.RejectedMesh
	}
	return n
}

// Edges compares both sides of what happened from an earlier snapshot to this one; the zero snapshot is the lab's beginning.
func (s Snapshot) Edges(since Snapshot, m spec.Mesh) []compare.Edge {
	return compare.Edges(compare.Between(since.Counts, s.Counts), seenBetween(since.Seen, s.Seen), compare.Mesh{
		Gateway: compare.DefaultGateway, Entry: m.Entry, Services: m.Services,
	})
}

// Entry returns Weir's latencies of what came from outside.
func (s Snapshot) Entry() tally.Histogram {
	h := tally.Histogram{}
	for _, e := range s.Seen {
		if e.From == "" && e.To == compare.DefaultGateway {
			h.Merge(e.Histogram)
		}
	}
	return h
}

// seenBetween returns what Weir counted from one reading to a later one.
func seenBetween(earlier, later []compare.Seen) []compare.Seen {
	type edge struct{ from, to string }
	before := map[edge]compare.Seen{}
	for _, e := range earlier {
		before[edge{e.From, e.To}] = e
	}
	out := make([]compare.Seen, 0, len(later))
	for _, e := range later {
		b := before[edge{e.From, e.To}]
		h := tally.Histogram{}
		for bucket, n := range e.Histogram {
			if n > b.Histogram[bucket] {
				h[bucket] = n - b.Histogram[bucket]
			}
		}
		out = append(out, compare.Seen{
			From: e.From, To: e.To, Calls: e.Calls - b.Calls, Errors: e.Errors - b.Errors, Errors4xx: e.Errors4xx - b.Errors4xx,
			Errors5xx: e.Errors5xx - b.Errors5xx, ErrorsGRPC: e.ErrorsGRPC - b.ErrorsGRPC, ErrorsTransport: e.ErrorsTransport - b.ErrorsTransport,
			RejectedMesh: e.RejectedMesh - b.RejectedMesh, ByCallers: e.ByCallers - b.ByCallers, Histogram: h,
		})
	}
	return out
}
