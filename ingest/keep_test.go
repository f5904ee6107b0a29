package ingest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirmesh/weir/ingest"
)

var errSome = errors.New("broken")

func TestKeepWaitsLongerAndLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Duration
		began := time.Now()
		err := ingest.Keep(ctx, time.Now, func(context.Context) error {
			if at = append(at, time.Since(began)); len(at) == 9 {
				cancel()
			}
			return errSome
		}, func(err error) {
			if !errors.Is(err, errSome) {
				t.Errorf("told of %v", err)
			}
		})
		if err != nil {
			t.Errorf("ended with %v when its context ended", err)
		}
		for i, want := range []time.Duration{0, 100, 300, 700, 1500, 3100, 6300, 11300, 16300} {
			if at[i] != want*time.Millisecond {
				t.Errorf("attempt %d after %s, want %s", i, at[i], want*time.Millisecond)
			}
		}
	})
}

func TestKeepForgetsOldFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var pauses []time.Duration
		ended := time.Now()
		final := errors.New("final")
		err := ingest.Keep(t.Context(), time.Now, func(context.Context) error {
			pauses = append(pauses, time.Since(ended))
			defer func() { ended = time.Now() }()
			if n++; n == 4 {
				return ingest.Permanent{Err: final}
			}
			if n == 3 {
				time.Sleep(time.Minute) // it worked for a while
			}
			return errSome
		}, func(error) {})
		if !errors.Is(err, final) {
			t.Errorf("ended with %v", err)
		}
		if pauses[3] != 100*time.Millisecond {
			t.Errorf("after a minute of work the pause was %s", pauses[3])
		}
	})
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := 0, 0
		try := func(until error) error {
			n = 0
			return ingest.Retry(t.Context(), "do it", func(context.Context) error {
				if n++; n == 3 {
					return until
				}
				return errSome
			}, ingest.IsPermanent, func(error, time.Duration) { told++ })
		}
		if err := try(nil); err != nil || n != 3 || told != 2 {
			t.Errorf("error %v after %d attempts, told of %d", err, n, told)
		}
		if err := try(ingest.Permanent{Err: errors.New("no")}); err == nil || err.Error() != "do it: no" || !ingest.IsPermanent(err) {
			t.Errorf("error %v, want a permanent one", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := ingest.Retry(ctx, "do it", func(context.Context) error { return errSome }, ingest.IsPermanent, func(error, time.Duration) {})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v when the context ended", err)
		}
	})
}
