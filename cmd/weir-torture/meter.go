package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/weirmesh/weir/torture/run"
)

// meter shows progress: a line that changes on a terminal, else a line every ten seconds.
type meter struct {
	out      io.Writer
	terminal bool
	said     time.Time
}

func newMeter(out io.Writer) *meter {
	m := &meter{out: out}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		m.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return m
}

func (m *meter) tell(p run.Progress) {
	const width, every = 24, 10 * time.Second
	text := line(p)
	if !m.terminal {
		if time.Since(m.said) >= every {
			m.said = time.Now()
			fmt.Fprintln(m.out, text)
		}
		return
	}
	full := int(width * share(p))
	fmt.Fprintf(m.out, "\r\x1b[K[%s%s] %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), text)
}

func share(p run.Progress) float64 { return min(1, float64(p.Acked)/float64(max(1, p.Requests))) }

func line(p run.Progress) string {
	acked := fmt.Sprintf("%d of %d requests acknowledged", p.Acked, p.Requests)
	if p.Calls > 0 {
		acked = fmt.Sprintf("%d calls acknowledged", p.Calls)
	}
	text := fmt.Sprintf("%3.0f %%  %s: %s, %d attempts, %d harms, %d of them kills", 100*share(p), p.Phase, acked, p.Attempts, p.Harms, p.Kills)
	if p.Lag > 0 {
		text += fmt.Sprintf(", %d messages to count", p.Lag)
	}
	return text
}

// clear removes the line that changes.
func (m *meter) clear() {
	if m.terminal {
		fmt.Fprint(m.out, "\r\x1b[K")
	}
}
