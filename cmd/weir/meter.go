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

// meter shows the progress of a replay once a second: one line that changes on a terminal, one line each time elsewhere.
type meter struct {
	out      io.Writer
	terminal bool
	rec      *recording.Recording
	sent     atomic.Int64
	began    time.Time
	quit     chan struct{}
	done     chan struct{}
}

func startMeter(out io.Writer, rec *recording.Recording) *meter {
	m := &meter{out: out, terminal: isTerminal(out), rec: rec, began: time.Now(), quit: make(chan struct{}), done: make(chan struct{})}
	go m.run()
	return m
}

func (m *meter) spans(n int64) { m.sent.Store(n) }

func (m *meter) stop() {
	close(m.quit)
	<-m.done
}

func (m *meter) run() {
	defer close(m.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.show()
		case <-m.quit:
			if m.terminal {
				m.show()
				fmt.Fprintln(m.out)
			}
			return
		}
	}
}

func (m *meter) show() {
	const width = 24
	part := 1.0
	if size := m.rec.Size(); size > 0 {
		part = min(1, float64(m.rec.BytesRead())/float64(size))
	}
	line := fmt.Sprintf("replay %3.0f %%  %d spans sent, %.0f a second", 100*part, m.sent.Load(), float64(m.sent.Load())/time.Since(m.began).Seconds())
	if !m.terminal {
		fmt.Fprintln(m.out, line)
		return
	}
	full := int(part * width)
	fmt.Fprintf(m.out, "\r[%s%s] %s  ", strings.Repeat("=", full), strings.Repeat(" ", width-full), line)
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
