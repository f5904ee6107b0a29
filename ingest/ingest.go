// Package ingest is the transport between stages: messages on partitioned, ordered logs.
//
// A stage asks a Consumer for a Session: the sources it owns until it is revoked. Messages of one source arrive in order of their offsets, each
// at least once. The owner says with Commit how far its work is durable; a later session starts from there. Committing the same
// position again, or an older one after a crash, is safe: what counts once is decided by the store's marks, never by a commit.
package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// ErrRevoked says that a session's sources may belong to somebody else by now: drop what is not durable and ask for a new session.
var ErrRevoked = errors.New("sources were revoked")

// Message is one record of a source. The receiver owns its memory.
type Message struct {
	Source  schemas.Source
	Offset  int64
	Key     []byte
	Value   []byte
	Headers []wire.Header
	Time    time.Time // when the broker or producer stamped it
	End     int64     // the source's log end when the message was read; lag = End - Offset - 1
}

// Position says how far the work on a source has come.
type Position struct {
	// Restart is the first offset that must be read again to rebuild what the owner remembers between messages.
	Restart int64
	// Durable is the first offset whose effects may not be durable yet. Restart <= Durable.
	Durable int64
}

// Assigned is one source of a session.
type Assigned struct {
	Source     schemas.Source
	Position   Position // as committed last; the log's start if nothing was
	First, End int64    // offsets the log holds: [First, End)
	Partitions int      // of the source's topic
}

// Session is a set of sources with one owner. Its methods are safe for concurrent use, except Next.
type Session interface {
	// Assigned lists the sources.
	Assigned() []Assigned
	// Next returns the next message of any source, or ctx's error, or ErrRevoked.
	Next(ctx context.Context) (Message, error)
	// Commit stores a source's position.
	Commit(ctx context.Context, source schemas.Source, p Position) error
	// Close gives the sources back. It may be called more than once.
	Close() error
}

// Consumer hands out sessions, one at a time.
type Consumer interface {
	// Session blocks until sources are assigned.
	Session(ctx context.Context) (Session, error)
}

// Record is one message to be written.
type Record struct {
	Topic     string
	Partition int
	Key       []byte
	Value     []byte
	Headers   []wire.Header
}

// Producer writes records.
type Producer interface {
	// Produce returns nil only after all in-sync replicas hold every record. After an error any of them may have been written; writing
	// again may store a record twice, so records need an identity of their own.
	Produce(ctx context.Context, records ...Record) error
}

// Permanent marks an error that trying again cannot mend.
type Permanent struct{ Err error }

func (p Permanent) Error() string { return p.Err.Error() }
func (p Permanent) Unwrap() error { return p.Err }

// IsPermanent reports whether err, or anything it wraps, is Permanent.
func IsPermanent(err error) bool {
	var p Permanent
	return errors.As(err, &p)
}
