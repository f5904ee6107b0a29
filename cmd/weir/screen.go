package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// screen prints lines, with one that changes below them on a terminal.
type screen struct {
	out      io.Writer
	terminal bool
	shown    bool
	said     time.Time
}

func newScreen(out io.Writer) *screen { return &screen{out: out, terminal: isTerminal(out)} }

func (s *screen) say(format string, args ...any) {
	s.clear()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// clear removes the line that changes.
func (s *screen) clear() {
	if s.shown {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.shown = false
	}
}

// status shows a progress. Where there is no terminal, it does so every few seconds.
func (s *screen) status(part float64, text string) {
	const width, every = 24, 5 * time.Second
	part = min(1, max(0, part))
	if !s.terminal {
		if time.Since(s.said) >= every {
			s.said = time.Now()
			fmt.Fprintf(s.out, "%3.0f %%  %s\n", 100*part, text)
		}
		return
	}
	full := int(part * width)
	fmt.Fprintf(s.out, "\r\x1b[K[%s%s] %3.0f %%  %s", strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*part, text)
	s.shown = true
}
