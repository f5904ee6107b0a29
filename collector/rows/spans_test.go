package rows_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func received() time.Time { return time.Unix(2_000_000_000, 0) }

// one makes a request of one good span with these attributes of the resource and the span.
func one(resource, attributes map[string]any) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	fill(rs.Resource().Attributes(), resource)
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID(pcommon.TraceID{1})
	s.SetSpanID(pcommon.SpanID{2})
	s.SetKind(ptrace.SpanKindServer)
	s.SetStartTimestamp(1_000_000_000)
	s.SetEndTimestamp(3_000_000_000)
	fill(s.Attributes(), attributes)
	return td
}

func fill(to pcommon.Map, values map[string]any) {
	if err := to.FromRaw(values); err != nil {
		panic(err)
	}
}

func span(td ptrace.Traces) ptrace.Span {
	return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
}

// convert returns the only row of a request of one span, with its origin and peer.
func convert(t *testing.T, td ptrace.Traces) (columns.Span, schemas.Origin, columns.Peer) {
	t.Helper()
	batch, err := rows.New(rows.Config{Tenant: "blue"}).Spans(td, rows.Layout{Calls: 1, DeadLetters: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, calls(batch.Records)[0])
	if len(got.Spans) != 1 {
		t.Fatalf("%d rows", len(got.Spans))
	}
	return got.Spans[0], got.Origins[got.Spans[0].Origin], got.Peers[got.Spans[0].Peer]
}

func decode(t *testing.T, r ingest.Record) columns.SpanBatch {
	t.Helper()
	got, err := columns.DecodeSpans(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func calls(records []ingest.Record) []ingest.Record { return of(wire.TopicCalls, records) }

func of(topic string, records []ingest.Record) []ingest.Record {
	var out []ingest.Record
	for _, r := range records {
		if r.Topic == topic {
			out = append(out, r)
		}
	}
	return out
}

type attrs = map[string]any

func TestIdentity(t *testing.T) {
	long := strings.Repeat("é", 200)
	for _, tt := range []struct {
		name     string
		resource attrs
		want     schemas.Workload
		instance string
	}{
		{"nothing", nil, schemas.Workload{Name: "unknown_service"}, ""},
		{
			"service",
			attrs{"service.name": "a", "service.version": "v1", "service.namespace": "n"},
			schemas.Workload{Name: "a", Version: "v1", Namespace: "n"},
			"",
		},
		{"service before deployment", attrs{"service.name": "a", "k8s.deployment.name": "d"}, schemas.Workload{Name: "a"}, ""},
		{"default of an SDK", attrs{"service.name": "unknown_service:java", "k8s.deployment.name": "d"}, schemas.Workload{Name: "d"}, ""},
		{"default of an SDK, nothing else", attrs{"service.name": "unknown_service:java"}, schemas.Workload{Name: "unknown_service"}, ""},
		{
			"stateful set",
			attrs{"k8s.job.name": "j", "k8s.cronjob.name": "c", "k8s.daemonset.name": "ds", "k8s.statefulset.name": "s"},
			schemas.Workload{Name: "s"},
			"",
		},
		{"daemon set", attrs{"k8s.job.name": "j", "k8s.cronjob.name": "c", "k8s.daemonset.name": "ds"}, schemas.Workload{Name: "ds"}, ""},
		{"cron job before its job", attrs{"k8s.job.name": "j-1", "k8s.cronjob.name": "j"}, schemas.Workload{Name: "j"}, ""},
		{"job", attrs{"k8s.job.name": "j"}, schemas.Workload{Name: "j"}, ""},
		{
			"place",
			attrs{"service.name": "a", "k8s.cluster.name": "c", "cloud.region": "r", "k8s.namespace.name": "k", "service.namespace": "n"},
			schemas.Workload{Name: "a", Cluster: "c", Region: "r", Namespace: "k"},
			"",
		},
		{"instance by id", attrs{"service.instance.id": "i", "k8s.pod.uid": "u", "k8s.pod.name": "p"}, schemas.Workload{Name: "unknown_service"}, "i"},
		{"instance by uid", attrs{"k8s.pod.uid": "u", "k8s.pod.name": "p"}, schemas.Workload{Name: "unknown_service"}, "u"},
		{"instance by pod", attrs{"k8s.pod.name": "p", "container.id": "c", "host.name": "h"}, schemas.Workload{Name: "unknown_service"}, "p"},
		{"instance by container", attrs{"container.id": "c", "host.name": "h"}, schemas.Workload{Name: "unknown_service"}, "c"},
		{"instance by host", attrs{"host.name": "h"}, schemas.Workload{Name: "unknown_service"}, "h"},
		{"the unknown caller is no sender", attrs{"service.name": "?"}, schemas.Workload{Name: "unknown_service"}, ""},
		{"number", attrs{"service.name": 7}, schemas.Workload{Name: "7"}, ""},
		{"list", attrs{"service.name": []any{"a"}}, schemas.Workload{Name: "unknown_service"}, ""},
		{"too long", attrs{"service.name": long}, schemas.Workload{Name: strings.Repeat("é", 126)}, ""},
		{"not UTF-8", attrs{"service.name": "a\xffb"}, schemas.Workload{Name: "a\uFFFDb"}, ""},
		{"control characters", attrs{"service.name": "a\nb\u0085c"}, schemas.Workload{Name: "a\uFFFDb\uFFFDc"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Tenant = "blue"
			_, from, _ := convert(t, one(tt.resource, nil))
			if from.Workload != tt.want || from.Instance != tt.instance {
				t.Errorf("got %+v, want %+v %q", from, tt.want, tt.instance)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		name string
		with attrs
		code ptrace.StatusCode
		want schemas.Status
	}{
		{"nothing", nil, 0, schemas.Status{GRPC: -1}},
		{"http", attrs{"http.response.status_code": 503}, 0, schemas.Status{HTTP: 503, GRPC: -1}},
		{"older http", attrs{"http.status_code": 404}, 1, schemas.Status{HTTP: 404, GRPC: -1, Span: 1}},
		{"http as text", attrs{"http.status_code": "200"}, 0, schemas.Status{HTTP: 200, GRPC: -1}},
		{"no answer came", attrs{"http.status_code": "0"}, 2, schemas.Status{GRPC: -1, Span: 2}},
		{"endless", attrs{"http.status_code": strings.Repeat("1", 1<<20), "rpc.grpc.status_code": strings.Repeat("OK", 1<<20)}, 0, schemas.Status{GRPC: -1}},
		{"nonsense", attrs{"http.status_code": 70000}, 0, schemas.Status{GRPC: -1}},
		{"negative", attrs{"http.status_code": -200}, 0, schemas.Status{GRPC: -1}},
		{"grpc ok", attrs{"rpc.grpc.status_code": 0}, 0, schemas.Status{GRPC: 0}},
		{"grpc by name", attrs{"rpc.grpc.status_code": "UNAVAILABLE"}, 0, schemas.Status{GRPC: 14}},
		{"newer grpc", attrs{"rpc.system.name": "grpc", "rpc.response.status_code": "DEADLINE_EXCEEDED"}, 0, schemas.Status{GRPC: 4}},
		{"newer grpc, number", attrs{"rpc.system": "grpc", "rpc.response.status_code": "13"}, 0, schemas.Status{GRPC: 13}},
		{"another rpc", attrs{"rpc.system.name": "dubbo", "rpc.response.status_code": "UNAVAILABLE"}, 0, schemas.Status{GRPC: -1}},
		{"unknown code", attrs{"rpc.grpc.status_code": 17}, 0, schemas.Status{GRPC: -1}},
		{"unknown name", attrs{"rpc.grpc.status_code": "FINE"}, 0, schemas.Status{GRPC: -1}},
		{"envoy", attrs{"http.status_code": "200", "grpc.status_code": "7"}, 0, schemas.Status{HTTP: 200, GRPC: 7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			td := one(nil, tt.with)
			span(td).Status().SetCode(tt.code)
			if row, _, _ := convert(t, td); row.Status != tt.want {
				t.Errorf("got %+v, want %+v", row.Status, tt.want)
			}
		})
	}
}

func TestGRPCNames(t *testing.T) {
	for code, name := range strings.Fields("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS " +
		"PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE " +
		"DATA_LOSS UNAUTHENTICATED") {
		row, _, _ := convert(t, one(nil, attrs{"rpc.grpc.status_code": name}))
		if row.Status.GRPC != int16(code) {
			t.Errorf("%s is %d, want %d", name, row.Status.GRPC, code)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		name string
		with attrs
		want schemas.Flags
	}{
		{"none", attrs{"response_flags": "-", "error.type": "500", "http.request.resend_count": 0}, 0},
		{"retry", attrs{"http.request.resend_count": 1}, schemas.FlagRetry},
		{"retry by envoy", attrs{"retry.count": "2"}, schemas.FlagRetry},
		{"refused", attrs{"error.type": "java.net.ConnectException"}, schemas.FlagTransport},
		{"timeout is not below the protocol", attrs{"error.type": "timeout"}, 0},
		{"upstream failed", attrs{"response_flags": "UF,URX"}, schemas.FlagTransport},
		{"not authorised", attrs{"response_flags": "UAEX"}, schemas.FlagRejectedMesh},
		{"limited", attrs{"envoy.response_flags": "RL"}, schemas.FlagRejectedMesh},
		{"circuit open", attrs{"response_flags": "UO"}, schemas.FlagRejectedMesh},
		{"client left", attrs{"response_flags": "DC"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if row, _, _ := convert(t, one(nil, tt.with)); row.Flags != tt.want {
				t.Errorf("got %b, want %b", row.Flags, tt.want)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		name       string
		start, end uint64
		duration   uint64
		flags      schemas.Flags
	}{
		{"usual", 1_000, 3_000, 2_000, 0},
		{"instant", 3_000, 3_000, 0, 0},
		{"backwards", 3_001, 3_000, 0, schemas.FlagClockSkew},
		{"start never set", 0, 3_000, 0, schemas.FlagClockSkew},
		{"last of all", 1, uint64(schemas.LatestEvent - 1), uint64(schemas.LatestEvent - 2), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			td := one(nil, nil)
			span(td).SetStartTimestamp(pcommon.Timestamp(tt.start))
			span(td).SetEndTimestamp(pcommon.Timestamp(tt.end))
			if row, _, _ := convert(t, td); row.End != int64(tt.end) || row.Duration != tt.duration || row.Flags != tt.flags {
				t.Errorf("got %+v", row.Measure)
			}
		})
	}
}

func TestWeight(t *testing.T) {
	for state, calls := range map[string]float64{
		"": 1, "ot=th:0": 1, "ot=th:8": 2, "ot=th:c": 4, "vendor=x,ot=rv:1234;th:c;p:1": 4, "ot=th:e6666666666666": 10,
		"ot=th:": 1, "ot=th:xyz": 1, "ot=th:fffffffffffffff": 1, "ot=th:ffffffffffffff": 65535.99999, "other=th:8": 1, ",,=": 1,
	} {
		td := one(nil, nil)
		span(td).TraceState().FromRaw(state)
		row, _, _ := convert(t, td)
		if got := float64(row.Weight) / float64(schemas.One); math.Abs(got-calls) > 0.001 {
			t.Errorf("%q weighs %v, want %v", state, got, calls)
		}
	}
}

func TestRouteProtocolBytes(t *testing.T) {
	for _, tt := range []struct {
		name              string
		with              attrs
		route, protocol   string
		request, response uint64
	}{
		{"nothing", attrs{"url.path": "/a/7", "http.target": "/a/7"}, "", "", 0, 0},
		{
			"http",
			attrs{"http.request.method": "GET", "http.route": "/a/{id}?q=1", "http.request.body.size": 5, "http.response.body.size": 6},
			"/a/{id}", "http", 5, 6,
		},
		{"the body's size wins", attrs{"http.request.size": 9, "http.request.body.size": 5, "request_size": "8"}, "", "", 5, 0},
		{"older http", attrs{"http.method": "GET", "http.request_content_length": 3, "http.response_content_length": 4}, "", "http", 3, 4},
		{"negative", attrs{"http.request.body.size": -1}, "", "", 0, 0},
		{"grpc", attrs{"rpc.system": "grpc", "rpc.service": "shop.Cart", "rpc.method": "Add"}, "shop.Cart/Add", "grpc", 0, 0},
		{"newer grpc", attrs{"rpc.system.name": "grpc", "rpc.method": "shop.Cart/Add"}, "shop.Cart/Add", "grpc", 0, 0},
		{"grpc over http", attrs{"rpc.system": "grpc", "http.status_code": 200}, "", "grpc", 0, 0},
		{"messaging", attrs{"messaging.system": "kafka"}, "", "messaging", 0, 0},
		{"database over http", attrs{"db.system.name": "elasticsearch", "http.request.method": "GET"}, "", "db", 0, 0},
		{"a path", attrs{"http.route": "/users/17/alice@example.com"}, "/users/{id}/{id}", "http", 0, 0},
		{"long", attrs{"http.route": strings.Repeat("a", 1000)}, "{id}", "http", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			row, _, _ := convert(t, one(nil, tt.with))
			if row.Route != tt.route || row.Protocol != tt.protocol || row.RequestBytes != tt.request || row.ResponseBytes != tt.response {
				t.Errorf("got %q %q %d %d", row.Route, row.Protocol, row.RequestBytes, row.ResponseBytes)
			}
		})
	}
}

func TestPeer(t *testing.T) {
	both := attrs{"service.peer.name": "b", "service.peer.namespace": "n", "peer.service": "old"}
	for _, tt := range []struct {
		name string
		kind ptrace.SpanKind
		with attrs
		want columns.Peer
	}{
		{"client", ptrace.SpanKindClient, both, columns.Peer{Namespace: "n", Name: "b"}},
		{"producer", ptrace.SpanKindProducer, attrs{"peer.service": "old"}, columns.Peer{Name: "old"}},
		{"a namespace alone is no peer", ptrace.SpanKindClient, attrs{"service.peer.namespace": "n"}, columns.Peer{}},
		{"a server has none", ptrace.SpanKindServer, both, columns.Peer{}},
		{"unknown", ptrace.SpanKindClient, attrs{"peer.service": "?"}, columns.Peer{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			td := one(nil, tt.with)
			span(td).SetKind(tt.kind)
			if _, _, got := convert(t, td); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
