package run

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"
)

// event is one line of the history.
type event struct {
	Seconds float64 `json:"s"`    // since the start
	What    string  `json:"what"` // send, ack, fail, begin, end, note
	Request *int    `json:"request,omitempty"`
	To      string  `json:"to,omitempty"` // collector
	Harm    *Harm   `json:"harm,omitempty"`
	Text    string  `json:"text,omitempty"`
}

// history writes what happens to a file, in order. It is safe for concurrent use.
type history struct {
	began time.Time

	mu   sync.Mutex // guards the rest
	file *os.File
	out  *bufio.Writer
	err  error // of the first line that could not be written
}

func openHistory(path string) (*history, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &history{began: time.Now(), file: file, out: bufio.NewWriterSize(file, 1<<16)}, nil
}

func (h *history) add(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.Seconds = time.Since(h.began).Seconds()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = h.out.Write(append(line, '\n'))
	}
	if h.err == nil {
		h.err = err
	}
}

func (h *history) request(what string, index int, to, text string) {
	h.add(event{What: what, Request: &index, To: to, Text: text})
}

func (h *history) harm(what string, harm Harm, text string) {
	h.add(event{What: what, Harm: &harm, Text: text})
}

// close returns the first error of all that was written.
func (h *history) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.err, h.out.Flush(), h.file.Close())
}
