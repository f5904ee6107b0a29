package otlp

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/sim/mesh"
)

// Scope names the instrumentation in every request.
const Scope = "weir/sim"

// Encoder makes requests. It keeps a little memory between them, so it is not safe for concurrent use. The zero value is ready.
type Encoder struct {
	place []int32 // by Origin.Index: 1 + which resource of the request is this origin's; 0 = none yet
	used  []int   // the origins of the request
	sizes []int   // by resource: how many spans it has
}

// Traces makes one request of the spans, in their order within each resource. The caller owns it; the spans are only read.
func (e *Encoder) Traces(spans []mesh.Span) ptrace.Traces {
	td := ptrace.NewTraces()
	for i := range spans {
		e.sizes[e.slot(spans[i].Origin)]++
	}
	resources := td.ResourceSpans()
	resources.EnsureCapacity(len(e.sizes))
	lists := make([]ptrace.SpanSlice, len(e.sizes))
	for i := range spans {
		n := e.place[spans[i].Origin.Index] - 1
		if int(n) == resources.Len() {
			rs := resources.AppendEmpty()
			resource(spans[i].Origin, rs.Resource().Attributes())
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(Scope)
			lists[n] = ss.Spans()
			lists[n].EnsureCapacity(e.sizes[n])
		}
		write(&spans[i], lists[n].AppendEmpty())
	}
	e.reset()
	return td
}

// slot is which resource of the request is an origin's. Resources are numbered in the order in which origins first occur.
func (e *Encoder) slot(o *mesh.Origin) int32 {
	for len(e.place) <= o.Index {
		e.place = append(e.place, 0)
	}
	if e.place[o.Index] == 0 {
		e.sizes = append(e.sizes, 0)
		e.used = append(e.used, o.Index)
		e.place[o.Index] = int32(len(e.sizes))
	}
	return e.place[o.Index] - 1
}

func (e *Encoder) reset() {
	for _, index := range e.used {
		e.place[index] = 0
	}
	e.used, e.sizes = e.used[:0], e.sizes[:0]
}

// resource says who reports. What Weir reads of it is in collector/rows.
func resource(o *mesh.Origin, to pcommon.Map) {
	to.EnsureCapacity(9)
	to.PutStr("service.name", o.Service)
	to.PutStr("service.namespace", o.Namespace)
	to.PutStr("service.version", o.Version)
	to.PutStr("k8s.cluster.name", o.Cluster)
	to.PutStr("k8s.namespace.name", o.Namespace)
	to.PutStr("k8s.deployment.name", o.Deployment)
	if o.Instance != "" {
		to.PutStr("service.instance.id", o.Instance)
		to.PutStr("k8s.pod.name", o.Instance)
	}
}

func write(s *mesh.Span, to ptrace.Span) {
	to.SetTraceID(pcommon.TraceID(s.Trace))
	to.SetSpanID(id(s.ID))
	to.SetParentSpanID(id(s.Parent))
	to.SetName(s.Origin.Route)
	to.SetKind(ptrace.SpanKindServer)
	to.SetStartTimestamp(pcommon.Timestamp(s.Start))
	to.SetEndTimestamp(pcommon.Timestamp(s.End))
	if s.Status >= 500 {
		to.Status().SetCode(ptrace.StatusCodeError)
	}
	a := to.Attributes()
	a.EnsureCapacity(5)
	a.PutStr("http.request.method", "GET")
	a.PutStr("http.route", s.Origin.Route)
	a.PutInt("http.response.status_code", int64(s.Status))
	if s.Flags != "" {
		a.PutStr("response_flags", s.Flags)
	}
	if s.Resend > 0 {
		a.PutInt("http.request.resend_count", int64(s.Resend))
	}
}

func id(n uint64) (out pcommon.SpanID) {
	binary.BigEndian.PutUint64(out[:], n)
	return out
}
