// Package store is the vocabulary of keeping what the stages find: what a flush is, and what its marks promise.
//
// A flush adds up the messages of some sources since the last one. Each row carries its source and the last offset it includes, so
// that the stored rows themselves say what is counted: the mark of a table, day and source is the largest last offset among its rows.
package store

import (
	"context"
	"errors"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

// ErrConflict says that another worker has written for one of the flush's sources. Nothing that it had counted was counted again;
// the caller must drop what it holds and start again from the marks.
var ErrConflict = errors.New("another worker has written for this source")

// Flush is what is to become durable together.
type Flush struct {
	Partials map[schemas.Table][]schemas.Partial
	Samples  []columns.Sample
	Gaps     []schemas.Gap
	Spans    []columns.KeptSpans // as they came, where that is asked for
}

// Empty reports whether there is nothing to write.
func (f Flush) Empty() bool {
	return len(f.Partials) == 0 && len(f.Samples) == 0 && len(f.Gaps) == 0 && len(f.Spans) == 0
}

// Writer keeps flushes.
type Writer interface {
	// Marks reads the marks of the given sources.
	Marks(ctx context.Context, sources []schemas.Source) (schemas.Marks, error)
	// Write returns nil only after everything in the flush is durable and counted once. It may be called again with the same flush
	// after any error, also after a crash of either side. ErrConflict means that somebody else wrote.
	Write(ctx context.Context, f Flush) error
}
