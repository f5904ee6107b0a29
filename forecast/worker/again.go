package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/weirmesh/weir/schemas"
)

// lookAgain is how far back windows are asked about once more. That a minute was incomplete may be known only after it was read: it takes
// half a minute until a dead collector is missed, and a quarter of an hour until what nobody answered for is (see package complete).
const lookAgain = 20 * time.Minute

// again lowers the completeness of minutes before `at` about which more is missing than was known when they were read.
func (s *Service) again(ctx context.Context, at time.Time) error {
	if len(s.series) == 0 {
		return nil
	}
	incomplete, err := s.reader.Incomplete(ctx, schemas.Resolution(step), at.Add(-lookAgain), at)
	if err != nil {
		return fmt.Errorf("read what is missing before %s: %w", at.Format(time.RFC3339), err)
	}
	for _, w := range incomplete {
		one := s.series[w.Unversioned()]
		if one == nil || one.versions[w.Version] == nil {
			continue
		}
		one.versions[w.Version].day.lower(int(at.Sub(w.Start)/step)-1, w.Completeness)
	}
	return nil
}

// lower notes that the minute i minutes ago was less complete than was known.
func (d *day) lower(i int, completeness float64) {
	if i < 0 || i >= d.kept {
		return
	}
	m := &d.minutes[(d.next-1-i+2*dayMinutes)%dayMinutes]
	m.completeness = min(m.completeness, completeness)
}
