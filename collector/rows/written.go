package rows

import (
	"time"

	"github.com/weirmesh/weir/schemas"
)

// Written says how many rows of one sender, with ends in one window of ten seconds, a batch holds.
type Written struct {
	From   schemas.Origin // as Origin.Sender
	Window int64          // start, Unix ns
	Rows   uint64
}

// Rows are told of by window only while these are recent: those of a recording are checked by nobody.
const (
	writtenBefore = 2 * time.Minute
	writtenAfter  = time.Minute
)

// written counts rows by sender and window. Neighbours in a request mostly share both.
type written struct {
	from, to int64 // ends that count
	senders  map[schemas.Origin]*[]Written
	last     schemas.Origin
	open     *[]Written // of last
}

func newWritten(received time.Time) written {
	return written{
		from: received.Add(-writtenBefore).UnixNano(), to: received.Add(writtenAfter).UnixNano(),
		senders: map[schemas.Origin]*[]Written{},
	}
}

func (w *written) add(from *schemas.Origin, end int64) {
	if end < w.from || end > w.to {
		return
	}
	if w.open == nil || *from != w.last {
		w.last = *from
		sender := from.Sender()
		if w.open = w.senders[sender]; w.open == nil {
			w.open = &[]Written{}
			w.senders[sender] = w.open
		}
	}
	window := schemas.Shortest().Start(end)
	for i := len(*w.open) - 1; i >= 0; i-- { // at most as many as there are recent windows
		if (*w.open)[i].Window == window {
			(*w.open)[i].Rows++
			return
		}
	}
	*w.open = append(*w.open, Written{From: from.Sender(), Window: window, Rows: 1})
}

func (w *written) all() (out []Written) {
	for _, windows := range w.senders {
		out = append(out, *windows...)
	}
	return out
}
