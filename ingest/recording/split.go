package recording

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// split cuts a batch into batches of at most MaxItems, keeping order, resources and scopes. It takes b's data over.
func split(b batch) []batch {
	if b.items <= MaxItems {
		return []batch{b}
	}
	var parts []batch
	switch b.signal {
	case Traces:
		parts = splitTraces(b.traces)
	case Metrics:
		parts = splitMetrics(b.metrics)
	case Logs:
		parts = splitLogs(b.logs)
	}
	for i := range parts {
		// A share of the line, so that what is left over may still be joined with the next line.
		parts[i].signal, parts[i].line, parts[i].bytes = b.signal, b.line, b.bytes/len(parts)
	}
	return parts
}

func splitTraces(td ptrace.Traces) []batch {
	var parts []batch
	for i := range td.ResourceSpans().Len() {
		rs := td.ResourceSpans().At(i)
		for j := range rs.ScopeSpans().Len() {
			ss := rs.ScopeSpans().At(j)
			var dst ptrace.SpanSlice
			for k := range ss.Spans().Len() {
				parts, _ = room(parts, func(b *batch) { b.traces = ptrace.NewTraces() })
				last := &parts[len(parts)-1]
				if k == 0 || last.items == 0 {
					to := last.traces.ResourceSpans().AppendEmpty()
					rs.Resource().CopyTo(to.Resource())
					to.SetSchemaUrl(rs.SchemaUrl())
					scope := to.ScopeSpans().AppendEmpty()
					ss.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(ss.SchemaUrl())
					dst = scope.Spans()
				}
				ss.Spans().At(k).MoveTo(dst.AppendEmpty())
				last.items++
			}
		}
	}
	return parts
}

func splitLogs(ld plog.Logs) []batch {
	var parts []batch
	for i := range ld.ResourceLogs().Len() {
		rl := ld.ResourceLogs().At(i)
		for j := range rl.ScopeLogs().Len() {
			sl := rl.ScopeLogs().At(j)
			var dst plog.LogRecordSlice
			for k := range sl.LogRecords().Len() {
				parts, _ = room(parts, func(b *batch) { b.logs = plog.NewLogs() })
				last := &parts[len(parts)-1]
				if k == 0 || last.items == 0 {
					to := last.logs.ResourceLogs().AppendEmpty()
					rl.Resource().CopyTo(to.Resource())
					to.SetSchemaUrl(rl.SchemaUrl())
					scope := to.ScopeLogs().AppendEmpty()
					sl.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(sl.SchemaUrl())
					dst = scope.LogRecords()
				}
				sl.LogRecords().At(k).MoveTo(dst.AppendEmpty())
				last.items++
			}
		}
	}
	return parts
}

func splitMetrics(md pmetric.Metrics) []batch {
	var parts []batch
	for i := range md.ResourceMetrics().Len() {
		rm := md.ResourceMetrics().At(i)
		for j := range rm.ScopeMetrics().Len() {
			sm := rm.ScopeMetrics().At(j)
			var dst pmetric.MetricSlice
			for k := range sm.Metrics().Len() {
				from := sm.Metrics().At(k)
				for done, total := 0, points(from); done < total; {
					var free int
					parts, free = room(parts, func(b *batch) { b.metrics = pmetric.NewMetrics() })
					last := &parts[len(parts)-1]
					if dst == (pmetric.MetricSlice{}) || last.items == 0 {
						dst = metricsOf(last.metrics, rm, sm)
					}
					n := min(free, total-done)
					movePoints(from, dst.AppendEmpty(), done, n)
					done += n
					last.items += n
				}
			}
		}
	}
	return parts
}

// room makes sure that the last part can take an item and says how many.
func room(parts []batch, fresh func(*batch)) ([]batch, int) {
	if len(parts) == 0 || parts[len(parts)-1].items == MaxItems {
		parts = append(parts, batch{})
		fresh(&parts[len(parts)-1])
	}
	return parts, MaxItems - parts[len(parts)-1].items
}

func metricsOf(md pmetric.Metrics, rm pmetric.ResourceMetrics, sm pmetric.ScopeMetrics) pmetric.MetricSlice {
	to := md.ResourceMetrics().AppendEmpty()
	rm.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(rm.SchemaUrl())
	scope := to.ScopeMetrics().AppendEmpty()
	sm.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(sm.SchemaUrl())
	return scope.Metrics()
}
