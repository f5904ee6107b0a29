package answers

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"

	"github.com/weirmesh/weir/collector/depth"
)

// errDeep and errParts are what the sender of a message reads that would end the process, or fill its memory, if it were decoded.
var (
	errDeep  = errors.New("the message is nested too deep")
	errParts = errors.New("the message has too many parts for one request: send smaller batches")
)

// room bounds the memory that the requests which are being worked on take together when they are decoded, by an estimate made before. What
// finds none waits. Each of them may take half of it, so that two get on at a time. A nil room has no bounds.
type room struct {
	most int64
	left *semaphore.Weighted
}

func newRoom(mib int) *room {
	if mib <= 0 {
		return nil
	}
	most := int64(mib) << 20
	return &room{most: most, left: semaphore.NewWeighted(most)}
}

// enter waits until there is room for a message of size bytes, and returns how much must be left again. Only large messages, and those
// for which there may not be enough, are looked at.
func (r *room) enter(ctx context.Context, size int, look func() depth.Shape) (int64, error) {
	worst := int64(size) * depth.Worst
	if size <= depth.Harmless && (r == nil || r.left.TryAcquire(worst)) {
		return worst, nil
	}
	shape := look()
	taken := int64(size + shape.Size)
	switch {
	case shape.Deep:
		return 0, errDeep
	case r == nil:
		return 0, nil
	case taken > r.most/2:
		return 0, errParts
	}
	if err := r.left.Acquire(ctx, taken); err != nil {
		return 0, err
	}
	return taken, nil
}

// leave gives back what enter returned.
func (r *room) leave(taken int64) {
	if r != nil && taken > 0 {
		r.left.Release(taken)
	}
}
