package tap

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"google.golang.org/grpc/status"
)

// queued is how many requests may wait to be written. When it is full, senders wait.
const queued = 256

// ErrRecording is returned by Record while there is a recording already.
var ErrRecording = errors.New("a recording is being made already: stop it first")

// Recording writes down what goes by, in the order in which it was answered: traces.jsonl.gz, metrics.jsonl.gz and logs.jsonl.gz, one
// OTLP/JSON request a line. A request that failed has the member "failed", which says how; replaying sends it all the same. What its sender
// knows the answer to is in the recording: while the disk is slow, senders wait. If the disk fails, the recording ends and traffic goes on.
type Recording struct {
	tap   *Tap
	files map[Signal]*file
	queue chan entry
	over  chan struct{} // closed when the last entry is written

	writing sync.WaitGroup // those who may still put entries into the queue
	stop    sync.Once
	err     error // first error of the disk; read it after over
}

// entry is one request.
type entry struct {
	signal Signal
	body   []byte
	failed error
}

// Record begins a recording in a folder, which it makes if need be. Files of an earlier recording there are not overwritten: that is an
// error.
func (t *Tap) Record(dir string) (*Recording, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recording != nil {
		return nil, ErrRecording
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("record to %s: %w", dir, err)
	}
	files, err := create(dir)
	if err != nil {
		return nil, fmt.Errorf("record to %s: %w", dir, err)
	}
	r := &Recording{tap: t, files: files, queue: make(chan entry, queued), over: make(chan struct{})}
	t.recording = r
	go r.write()
	return r, nil
}

// Stop ends the recording and returns when all of it is on the disk, or the error that kept it from there. Further calls
// return the same.
func (r *Recording) Stop() error {
	r.stop.Do(func() {
		r.tap.mu.Lock()
		r.tap.recording = nil
		r.tap.mu.Unlock()
		r.writing.Wait()
		close(r.queue)
	})
	<-r.over
	return r.err
}

// note gives a request and how it ended to the recording, if there is one.
func (t *Tap) note(e entry) {
	t.mu.Lock()
	r := t.recording
	if r != nil {
		r.writing.Add(1)
	}
	t.mu.Unlock()
	if r == nil {
		return
	}
	defer r.writing.Done()
	r.queue <- e
}

// write runs until the queue is closed. After an error of the disk it only empties the queue, so that no sender waits for it.
func (r *Recording) write() {
	defer close(r.over)
	for e := range r.queue {
		if r.err != nil {
			continue
		}
		if err := r.files[e.signal].add(e); err != nil {
			r.err = err
			r.tap.cfg.Logger.Error("Recording ended early", "error", err)
		}
	}
	for _, f := range r.files {
		if err := f.close(); err != nil && r.err == nil {
			r.err = err
		}
	}
}

// how names a failure by the gRPC code and message the sender got.
func how(err error) string {
	s := status.Convert(err)
	return s.Code().String() + ": " + s.Message()
}
