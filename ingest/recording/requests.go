package recording

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// MaxItems is the most spans, data points or log records one request holds.
const MaxItems = 1000

// Signal says which of its three data a Request holds.
type Signal string

// The signals of OTLP that a recording can hold.
const (
	Traces  Signal = "traces"
	Metrics Signal = "metrics"
	Logs    Signal = "logs"
)

// Request is one OTLP request of a recording. Only the data its Signal names may be touched: the others are not
// made, and pdata does not survive calls on them.
type Request struct {
	Index  int    // place in the recording, from 0
	File   string // base name of the file it comes from
	Line   int    // line of its first item
	Spans  int    // number of spans, or of data points or log records
	Signal Signal

	Traces  ptrace.Traces
	Metrics pmetric.Metrics
	Logs    plog.Logs
}

// BadRow is a row (line) of a recording that could not be read.
type BadRow struct {
	File   string // base name
	Line   int    // from 1
	Reason string
	Raw    []byte // the first 64 KB of the line; empty if nothing could be decompressed
}

// ReadConfig says how to read. The zero value reads everything and throws bad rows away.
type ReadConfig struct {
	// Skip leaves out the requests with Index < Skip, and the bad rows reported before them. Bad rows reported
	// between the last of those and the next one are reported again.
	Skip int
	// Bad is called for each bad row, before the request that follows it, from the goroutine of the loop.
	Bad func(BadRow)
}

// Requests reads the recording from its start. After an error (the disk's, or ctx's) the sequence ends.
func (r *Recording) Requests(ctx context.Context, cfg ReadConfig) iter.Seq2[Request, error] {
	return func(yield func(Request, error) bool) {
		r.read.Store(0)
		out := &emitter{cfg: cfg, yield: yield}
		read := readOTLP
		if r.format == Nezha {
			read = (&nezhaReader{}).read
		}
		for _, f := range r.files {
			out.file = f.base()
			err := ctx.Err()
			if err == nil {
				err = read(ctx, f, &r.read, out)
			}
			if out.stopped {
				return
			}
			if err != nil {
				yield(Request{}, fmt.Errorf("read recording %s: %w", f.path, err))
				return
			}
		}
	}
}

// emitter numbers requests and hands them on.
type emitter struct {
	cfg     ReadConfig
	yield   func(Request, error) bool
	file    string
	next    int // index of the next request
	stopped bool
}

// skipping says that the next request is one the caller has had before.
func (e *emitter) skipping() bool { return e.next < e.cfg.Skip }

// emit hands on the request that build makes, without building it when it is skipped.
func (e *emitter) emit(line, items int, build func(*Request)) bool {
	index := e.next
	skip := e.skipping()
	e.next++
	if skip {
		return true
	}
	req := Request{Index: index, File: e.file, Line: line, Spans: items}
	build(&req)
	e.stopped = !e.yield(req, nil)
	return !e.stopped
}

func (e *emitter) bad(line int, reason string, raw []byte) {
	if e.cfg.Bad == nil || e.skipping() {
		return
	}
	raw = raw[:min(len(raw), maxRaw)]
	e.cfg.Bad(BadRow{File: e.file, Line: line, Reason: reason, Raw: bytes.Clone(raw)})
}
