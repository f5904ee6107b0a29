package rows

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// Config says what a sender's records are taken for and what may be kept of them.
type Config struct {
	Tenant     string   // given to every record
	Attributes []string // attribute keys of gauges and counters to keep, besides KeptAttributes

	// Names bounds the names that are let through; nil = a table of its own with the usual limits.
	Names *names.Table
	// MaxFuture and MaxPast are how far from the time of receipt an event may be; 0 = any time.
	MaxFuture, MaxPast time.Duration
}

// Layout is the number of partitions of each topic; all are at least 1 where the topic is written to.
type Layout struct {
	Calls, Samples, DeadLetters int
}

// Batch is what became of one request.
type Batch struct {
	Records []ingest.Record // to be written; the caller adds the headers that name the producer
	Read    int             // spans or points in the request
	Rows    int             // of them, those that are in Records; points of counters may share a row
	Losses  []Loss          // of them, those that are not rows, by reason
	Written []Written       // rows of weir.calls in Records by sender and window, broken ones included; windows of long ago are left out

	Overflowed names.Counts // spans or points with schemas.Overflow for a name, by level
}

// Loss is a number of records of a request that are not in its rows.
type Loss struct {
	Reason     string
	Count      int
	DeadLetter bool // kept in weir.deadletter
	Silent     bool // the sender need not know: nothing was wrong
}

// lose counts one record that is no row.
func (b *Batch) lose(l Loss) {
	for i := range b.Losses {
		if b.Losses[i].Reason == l.Reason && b.Losses[i].DeadLetter == l.DeadLetter {
			b.Losses[i].Count += l.Count
			return
		}
	}
	b.Losses = append(b.Losses, l)
}

// Converter turns requests into messages. It is safe for concurrent use.
type Converter struct {
	tenant   string
	kept     []string   // sorted
	builders *sync.Pool // of empty *columns.SpanBuilder
	names    *names.Table
	source   string
	times    timeLimits
}

// New returns a converter.
func New(cfg Config) *Converter {
	kept := append(KeptAttributes(), cfg.Attributes...)
	slices.Sort(kept)
	if cfg.Names == nil {
		cfg.Names = names.New(names.DefaultLimits())
	}
	return &Converter{
		tenant: name(cfg.Tenant), kept: slices.Compact(kept), builders: &sync.Pool{}, names: cfg.Names,
		times: timeLimits{future: int64(cfg.MaxFuture), past: int64(cfg.MaxPast)},
	}
}

// From returns the same converter for the requests of one source, which its names count for: a connection.
func (c *Converter) From(source string) *Converter {
	of := *c
	of.source = source
	return &of
}

// builder returns an empty builder, an old one if there is one.
func (c *Converter) builder() *columns.SpanBuilder {
	if b, ok := c.builders.Get().(*columns.SpanBuilder); ok {
		return b
	}
	return columns.NewSpanBuilder()
}

// dataHeaders are the headers of a message that tell about its rows.
func dataHeaders(schema string, first, last int64, rows int) []wire.Header {
	// Room for the three that name the producer.
	h := make([]wire.Header, 0, 6)
	return append(h,
		wire.Header{Key: wire.HeaderSchema, Value: schema},
		wire.Header{Key: wire.HeaderEvents, Value: wire.Events(first, last)},
		wire.Header{Key: wire.HeaderRows, Value: strconv.Itoa(rows)},
	)
}
