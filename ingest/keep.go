package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/weirmesh/weir/internal/pause"
)

// Pauses between attempts: they double from the first to the last.
const (
	pauseMin = 100 * time.Millisecond
	pauseMax = 5 * time.Second
)

// Keep calls once again and again, one session of a worker after the other, until ctx ends, which is no error, or until an error is
// Permanent. Failed is told of every other end. Failures that follow each other closely wait longer and longer.
func Keep(ctx context.Context, now func() time.Time, once func(context.Context) error, failed func(error)) error {
	wait := pauseMin
	for {
		began := now()
		err := once(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case IsPermanent(err):
			return err
		}
		failed(err)
		if now().Sub(began) > pauseMax {
			wait = pauseMin
		}
		if pause.For(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, pauseMax)
	}
}

// Retry calls do until it succeeds. It gives up when ctx ends and on errors that final says do not pass; what goes into the error. Waiting
// is told of every failure and how long it will be until the next attempt.
func Retry(ctx context.Context, what string, do func(context.Context) error, final func(error) bool, waiting func(error, time.Duration)) error {
	for wait := pauseMin; ; wait = min(2*wait, pauseMax) {
		err := do(ctx)
		if err == nil {
			return nil
		}
		if final(err) || ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		waiting(err, wait)
		if err := pause.For(ctx, wait); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}
