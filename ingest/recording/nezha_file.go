package recording

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// nezhaReader reads one file after the other; the rows' memory is used again.
type nezhaReader struct{ rows []row }

// read sorts a file's rows by end time (equal ends keep the file's order) and cuts them into requests. Files are
// minutes, so sorting one sends spans about as they would have arrived.
func (n *nezhaReader) read(ctx context.Context, f file, read *atomic.Int64, out *emitter) error {
	parser := newRowParser()
	rows := n.rows[:0]
	take := func(no int, line []byte) bool {
		if len(line) == 0 || no == 1 && isHeader(line) {
			return true
		}
		r, err := parser.parse(no, line)
		if err != nil {
			out.bad(no, err.Error(), line)
			return true
		}
		rows = append(rows, r)
		return true
	}
	if err := eachLine(ctx, f, read, take, out.bad); err != nil {
		return err
	}
	n.rows = rows
	sortByEnd(rows)
	for part := range slices.Chunk(rows, MaxItems) {
		if err := ctx.Err(); err != nil {
			return err
		}
		ok := out.emit(part[0].line, len(part), func(req *Request) {
			req.Signal = Traces
			req.Traces = tracesOf(part, parser.pods)
		})
		if !ok {
			return nil
		}
	}
	return nil
}

// sortByEnd puts rows in order of end time, then of line. The lines differ, so the order is that of a stable sort
// without its cost.
func sortByEnd(rows []row) {
	slices.SortFunc(rows, func(a, b row) int {
		if a.end != b.end {
			return cmp.Compare(a.end, b.end)
		}
		return cmp.Compare(a.line, b.line)
	})
}

// tracesOf writes rows as spans, one resource a pod, in the order of the rows. The kind stays unspecified: Nezha
// does not record it, and a guess would be counted as a fact.
func tracesOf(rows []row, pods []pod) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := make(map[int]ptrace.SpanSlice, len(pods))
	for i := range rows {
		r := &rows[i]
		slice, ok := spans[r.pod]
		if !ok {
			rs := td.ResourceSpans().AppendEmpty()
			describe(rs.Resource().Attributes(), pods[r.pod])
			slice = rs.ScopeSpans().AppendEmpty().Spans()
			spans[r.pod] = slice
		}
		s := slice.AppendEmpty()
		s.SetTraceID(r.trace)
		s.SetSpanID(r.span)
		s.SetParentSpanID(r.parent)
		s.SetName(r.name)
		s.SetStartTimestamp(pcommon.Timestamp(r.start))
		s.SetEndTimestamp(pcommon.Timestamp(r.end))
	}
	return td
}

func describe(attrs pcommon.Map, p pod) {
	attrs.EnsureCapacity(3)
	attrs.PutStr("service.name", p.workload)
	attrs.PutStr("k8s.pod.name", p.name)
	attrs.PutStr("k8s.cluster.name", "nezha")
}
