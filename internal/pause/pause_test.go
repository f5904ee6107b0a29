package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirmesh/weir/internal/pause"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ wait, end, took time.Duration }{
			{wait: time.Second, end: time.Hour, took: time.Second},
			{wait: time.Hour, end: time.Second, took: time.Second},
			{wait: 0, end: time.Hour},
			{wait: -1, end: time.Hour},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), tt.end)
			began := time.Now()
			err := pause.For(ctx, tt.wait)
			if took := time.Since(began); took != tt.took || errors.Is(err, context.DeadlineExceeded) != (tt.end < tt.wait) {
				t.Errorf("%v within %v: took %v, error %v", tt.wait, tt.end, took, err)
			}
			cancel()
		}
	})
}
