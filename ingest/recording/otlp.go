package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// maxJoined bounds the JSON of the lines that are joined into one request: the default message limit of an OTLP/gRPC
// receiver is 4 MB, and protobuf is smaller than JSON.
const maxJoined = 1 << 20

// readOTLP joins short lines into one request (a file exporter without batching writes a line a span) and cuts long
// ones; a request never spans two files.
func readOTLP(ctx context.Context, f file, read *atomic.Int64, out *emitter) error {
	j := &joiner{out: out}
	take := func(no int, line []byte) bool {
		line = bytes.TrimSpace(line)
		if no == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			return true
		}
		batches, err := decodeLine(line)
		if err != nil {
			out.bad(no, err.Error(), line)
			return true
		}
		for _, b := range batches {
			b.line, b.bytes = no, len(line)
			if !j.add(b) {
				return false
			}
		}
		return ctx.Err() == nil
	}
	if err := eachLine(ctx, f, read, take, out.bad); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || out.stopped {
		return err
	}
	j.flush()
	return nil
}

// batch is the data of one signal.
type batch struct {
	signal  Signal
	items   int
	line    int
	bytes   int // of JSON
	traces  ptrace.Traces
	metrics pmetric.Metrics
	logs    plog.Logs
}

func (b *batch) fill(req *Request) {
	req.Signal, req.Traces, req.Metrics, req.Logs = b.signal, b.traces, b.metrics, b.logs
}

// joiner collects batches of one signal until a request is full.
type joiner struct {
	out  *emitter
	held batch
}

func (j *joiner) add(b batch) bool {
	fits := b.signal == j.held.signal && j.held.items+b.items <= MaxItems && j.held.bytes+b.bytes <= maxJoined
	switch {
	case b.items == 0:
		return true
	case fits:
		j.held.append(b)
		return true
	case !j.flush():
		return false
	}
	for _, part := range split(b) {
		if j.held.items > 0 && !j.flush() {
			return false
		}
		j.held = part
	}
	return true
}

func (j *joiner) flush() bool {
	b := j.held
	j.held = batch{}
	return b.items == 0 || j.out.emit(b.line, b.items, b.fill)
}

func (b *batch) append(more batch) {
	switch b.signal {
	case Traces:
		more.traces.ResourceSpans().MoveAndAppendTo(b.traces.ResourceSpans())
	case Metrics:
		more.metrics.ResourceMetrics().MoveAndAppendTo(b.metrics.ResourceMetrics())
	case Logs:
		more.logs.ResourceLogs().MoveAndAppendTo(b.logs.ResourceLogs())
	}
	b.items += more.items
	b.bytes += more.bytes
}

// decodeLine reads one line: exactly one JSON object with resourceSpans, resourceMetrics or resourceLogs. It checks
// the JSON first, because pdata's decoder ignores what follows the object and has no limit on depth.
func decodeLine(line []byte) ([]batch, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("not UTF-8")
	}
	if !json.Valid(line) {
		var v json.RawMessage
		return nil, fmt.Errorf("not JSON: %w", json.Unmarshal(line, &v))
	}
	signals := signalsOf(line)
	if len(signals) == 0 {
		return nil, errors.New("no resourceSpans, resourceMetrics or resourceLogs")
	}
	var batches []batch
	for _, s := range signals {
		b := batch{signal: s}
		if err := b.decode(line); err != nil {
			return nil, fmt.Errorf("not OTLP %s: %s", s, operation(err))
		}
		batches = append(batches, b)
	}
	return batches, nil
}

// operation is what pdata's decoder was doing when it failed. The rest of its error quotes the line, and reasons are kept.
func operation(err error) string {
	what, _, _ := strings.Cut(err.Error(), ":")
	return what[:min(len(what), 64)]
}

func (b *batch) decode(line []byte) (err error) {
	switch b.signal {
	case Traces:
		if b.traces, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line); err == nil {
			b.items = b.traces.SpanCount()
		}
	case Metrics:
		if b.metrics, err = (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line); err == nil {
			b.items = b.metrics.DataPointCount()
		}
	case Logs:
		if b.logs, err = (&plog.JSONUnmarshaler{}).UnmarshalLogs(line); err == nil {
			b.items = b.logs.LogRecordCount()
		}
	}
	return err
}

// signalsOf finds the known keys on the top level of a valid JSON object. It walks the bytes because a key inside an
// attribute's text proves nothing, and decoding the line three times to find out would cost more.
func signalsOf(line []byte) []Signal {
	if len(line) == 0 || line[0] != '{' {
		return nil
	}
	var found []Signal
	depth := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := endOfString(line, i+1)
			if depth == 1 && isKey(line[end:]) {
				found = addSignal(found, string(line[i+1:end]))
			}
			i = end
		}
	}
	return found
}

// isKey says that the string whose closing quote comes first is a key and not a value.
func isKey(rest []byte) bool {
	return len(rest) > 0 && bytes.HasPrefix(bytes.TrimLeft(rest[1:], " \t\r\n"), []byte{':'})
}

// endOfString is the index of the quote that closes a string whose first byte is at i.
func endOfString(line []byte, i int) int {
	for ; i < len(line) && line[i] != '"'; i++ {
		if line[i] == '\\' {
			i++
		}
	}
	return min(i, len(line))
}

func addSignal(found []Signal, key string) []Signal {
	var s Signal
	switch key {
	case "resourceSpans", "resource_spans":
		s = Traces
	case "resourceMetrics", "resource_metrics":
		s = Metrics
	case "resourceLogs", "resource_logs":
		s = Logs
	default:
		return found
	}
	for _, f := range found {
		if f == s {
			return found
		}
	}
	return append(found, s)
}
