package worker

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// rejectedShare is the share of refused calls from which a window says too little about what was wanted.
const rejectedShare = 0.01

// edgesBack is how far back callers are looked for.
const edgesBack = time.Hour

// rejections returns the workloads whose load in this minute was cut by refused calls: those that were refused some, and everything
// behind them and behind their callers, because what is refused does not call on, and a caller that was refused often gives up before it
// calls the rest. Refused calls themselves are part of the load offered.
func (s *Service) rejections(ctx context.Context, at time.Time, windows []schemas.ServiceWindow) (own, behind map[schemas.Workload]bool, err error) {
	own = map[schemas.Workload]bool{}
	for _, w := range windows {
		if refused := w.RejectedMesh + w.RejectedWeir; refused > 0 && float64(refused) >= rejectedShare*float64(w.Offered) {
			own[w.Unversioned()] = true
		}
	}
	if len(own) == 0 {
		return own, nil, nil
	}
	edges, err := s.reader.Edges(ctx, schemas.Resolution(time.Minute), at.Add(-edgesBack), at)
	if err != nil {
		return nil, nil, fmt.Errorf("read edges before %s: %w", at.Format(time.RFC3339), err)
	}
	giveUp := maps.Clone(own)
	for _, e := range edges {
		if own[e.To] {
			giveUp[e.From] = true
		}
	}
	behind = downstream(giveUp, edges)
	for w := range own {
		delete(behind, w) // its load is known: it was offered
	}
	return own, behind, nil
}

// downstream is everything that the given workloads call, and what that calls.
func downstream(of map[schemas.Workload]bool, edges []schemas.Edge) map[schemas.Workload]bool {
	calls := map[schemas.Workload][]schemas.Workload{}
	for _, e := range edges {
		calls[e.From] = append(calls[e.From], e.To)
	}
	found := map[schemas.Workload]bool{}
	var open []schemas.Workload
	for w := range of {
		open = append(open, w)
	}
	for len(open) > 0 {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		for _, to := range calls[last] {
			if !found[to] {
				found[to] = true
				open = append(open, to)
			}
		}
	}
	return found
}
