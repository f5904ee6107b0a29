package traffic

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// traces writes spans as one request, grouped by instance.
func (k *Block) traces(spans []int32) ptrace.Traces {
	slices.SortStableFunc(spans, func(a, b int32) int { return int(k.spans[a].place) - int(k.spans[b].place) })
	out := ptrace.NewTraces()
	for len(spans) > 0 {
		here := k.spans[spans[0]].place
		n := slices.IndexFunc(spans, func(i int32) bool { return k.spans[i].place != here })
		if n < 0 {
			n = len(spans)
		}
		k.resource(out.ResourceSpans().AppendEmpty(), here, spans[:n])
		spans = spans[n:]
	}
	return out
}

func (k *Block) resource(out ptrace.ResourceSpans, here uint16, spans []int32) {
	p := &k.g.mesh.places[here]
	a := out.Resource().Attributes()
	a.EnsureCapacity(6)
	a.PutStr("service.name", p.origin.Name)
	a.PutStr("service.version", p.origin.Version)
	a.PutStr("service.instance.id", p.origin.Instance)
	a.PutStr("k8s.namespace.name", p.origin.Namespace)
	a.PutStr("k8s.cluster.name", p.origin.Cluster)
	a.PutStr("cloud.region", p.origin.Region)
	into := out.ScopeSpans().AppendEmpty().Spans()
	into.EnsureCapacity(len(spans))
	for _, i := range spans {
		k.span(into.AppendEmpty(), i, p.shift)
	}
}

// span writes a span with its host's clock.
func (k *Block) span(out ptrace.Span, i int32, shift int64) {
	s := &k.spans[i]
	out.SetTraceID(traceID(k.g.cfg.Seed, k.Index, s.trace))
	out.SetSpanID(spanID(k.Index, i))
	if s.parent != none {
		out.SetParentSpanID(spanID(k.Index, s.parent))
	}
	out.SetName("call")
	out.SetKind(ptrace.SpanKind(s.kind)) // numbered alike
	out.SetStartTimestamp(pcommon.Timestamp(s.start + shift))
	out.SetEndTimestamp(pcommon.Timestamp(s.end + shift))
	if s.failed {
		out.Status().SetCode(ptrace.StatusCodeError)
	}
	k.attributes(out.Attributes(), s)
}

func (k *Block) attributes(a pcommon.Map, s *span) {
	switch s.protocol {
	case http:
		a.PutInt("http.response.status_code", int64(s.code))
	case grpc:
		a.PutInt("rpc.grpc.status_code", int64(s.code))
	}
	if s.peer != noPeer {
		peer := k.g.mesh.places[s.peer].origin
		a.PutStr("service.peer.name", peer.Name)
		a.PutStr("service.peer.namespace", peer.Namespace)
	}
	if s.retried {
		a.PutInt("http.request.resend_count", 1)
	}
}
