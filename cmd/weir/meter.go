package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/schemas"
)

// meter shows the progress of a replay.
type meter struct {
	sent atomic.Int64
	stop func()
}

func startMeter(out io.Writer, rec *recording.Recording) *meter {
	m := &meter{}
	began := time.Now()
	m.stop = showEverySecond(out, func() (float64, string) {
		part := 1.0
		if size := rec.Size(); size > 0 {
			part = float64(rec.BytesRead()) / float64(size)
		}
		return part, fmt.Sprintf("%d spans sent, %.0f a second", m.sent.Load(), float64(m.sent.Load())/time.Since(began).Seconds())
	})
	return m
}

func (m *meter) spans(n int64) { m.sent.Store(n) }

// showEverySecond shows a progress until stop is called: one line that changes on a terminal, one line each time elsewhere. progress
// returns the part that is done, 0..1, and what to say about it.
func showEverySecond(out io.Writer, progress func() (float64, string)) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	terminal := isTerminal(out)
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				showProgress(out, terminal, progress)
			case <-quit:
				if terminal {
					showProgress(out, terminal, progress)
					fmt.Fprintln(out)
				}
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func showProgress(out io.Writer, terminal bool, progress func() (float64, string)) {
	const width = 24
	part, line := progress()
	part = min(1, max(0, part))
	if !terminal {
		fmt.Fprintf(out, "%3.0f %%  %s\n", 100*part, line)
		return
	}
	full := int(part * width)
	fmt.Fprintf(out, "\r[%s%s] %3.0f %%  %s  ", strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*part, line)
}

// isTerminal reports whether out is a character device.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func sourceName(topic, incarnation string, partition int) string {
	return schemas.Source{Incarnation: incarnation, Topic: topic, Partition: partition}.String()
}
