package rows_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
)

// The files in testdata/istio were sent by Envoy 1.40 as istiod 1.31 configured it, and by the OpenTelemetry SDK of the applications beside
// them: traces.json with Istio's defaults, detected.json with Envoy's resource detector for the environment.

func istioFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/istio", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestIstioGolden compares what is read of real spans with a line for each.
func TestIstioGolden(t *testing.T) {
	for _, file := range []string{"traces", "detected"} {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(istioFile(t, file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		batch, err := rows.New(rows.Config{}).Spans(td, rows.Layout{Calls: 1, DeadLetters: 1}, received())
		if err != nil || len(batch.Losses) != 0 {
			t.Fatal(err, batch.Losses)
		}
		var lines []string
		for _, r := range calls(batch.Records) {
			got := decode(t, r)
			slices.SortFunc(got.Spans, func(a, b columns.Span) int { return int(a.End-int64(a.Duration)) - int(b.End-int64(b.Duration)) })
			slices.SortStableFunc(got.Spans, func(a, b columns.Span) int { return slices.Compare(a.Trace[:], b.Trace[:]) })
			for _, s := range got.Spans {
				lines = append(lines, line(s, got))
			}
		}
		golden(t, filepath.Join("testdata/istio", file+".rows.txt"), strings.Join(lines, "\n")+"\n")
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("rows differ from %s (rewrite with -update and look at the difference):\n%s", path, got)
	}
}

// line shows what matters of a row.
func line(s columns.Span, b columns.SpanBatch) string {
	o, p := b.Origins[s.Origin], b.Peers[s.Peer]
	out := fmt.Sprintf("%x %x<-%x kind=%d %s/%s/%s@%s#%s region=%s", s.Trace[:2], s.ID[:2], s.Parent[:2], s.Kind,
		o.Cluster, o.Namespace, o.Name, o.Version, o.Instance, o.Region)
	out += fmt.Sprintf(" http=%d grpc=%d span=%d flags=%#x bytes=%d,%d %s %s", s.Status.HTTP, s.Status.GRPC, s.Status.Span, uint16(s.Flags),
		s.RequestBytes, s.ResponseBytes, s.Protocol, s.Route)
	if p != (columns.Peer{}) {
		out += fmt.Sprintf(" to %s/%s", p.Namespace, p.Name)
	}
	return strings.TrimSpace(out)
}

// TestAProxyIsOneInstanceWithItsApplication: the join tells calls from inner work by the origin.
func TestAProxyIsOneInstanceWithItsApplication(t *testing.T) {
	app := attrs{
		"service.name": "reviews", "service.version": "v1", "service.instance.id": "reviews-v1-abc", "k8s.pod.name": "reviews-v1-abc",
		"k8s.namespace.name": "shop", "k8s.cluster.name": "east",
	}
	tags := attrs{
		"istio.canonical_service": "reviews", "istio.canonical_revision": "v1", "istio.namespace": "shop", "istio.cluster_id": "east",
		"node_id": "sidecar~10.244.1.3~reviews-v1-abc.shop~shop.svc.cluster.local",
	}
	_, want, _ := convert(t, one(app, nil))
	for name, resource := range map[string]attrs{
		"detected": app, "by label and namespace": {"service.name": "reviews.shop"}, "by canonical name": {"service.name": "reviews"},
		"by label alone": {"service.name": "old-name.shop"}, "not at all": nil,
	} {
		if _, got, _ := convert(t, one(resource, tags)); got != want {
			t.Errorf("%s: proxy %+v, application %+v", name, got, want)
		}
	}
}

func TestIstioIdentity(t *testing.T) {
	const pod = "sidecar~10.244.1.3~reviews-v1-abc.shop~shop.svc.cluster.local"
	long := strings.Repeat("n", 1000)
	for _, tt := range []struct {
		name           string
		resource, span attrs
		want           schemas.Workload
		instance       string
	}{
		{"no tags", attrs{"service.name": "a.shop"}, nil, schemas.Workload{Name: "a.shop"}, ""},
		{
			"unknown service keeps the resource's, without the namespace",
			attrs{"service.name": "reviews.shop"},
			attrs{"istio.canonical_service": "unknown", "istio.namespace": "shop"},
			schemas.Workload{Name: "reviews", Namespace: "shop"},
			"",
		},
		{"a name that is only a namespace stays", attrs{"service.name": ".shop"}, attrs{"istio.namespace": "shop"}, schemas.Workload{Name: ".shop", Namespace: "shop"}, ""},
		{"nobody may be the unknown caller", attrs{"service.name": "?.shop"}, attrs{"istio.namespace": "shop", "istio.canonical_service": "?"}, schemas.Workload{Name: "?.shop", Namespace: "shop"}, ""},
		{
			"latest is no version",
			attrs{"service.name": "a", "service.version": "1.2"},
			attrs{"istio.canonical_revision": "latest"},
			schemas.Workload{Name: "a", Version: "1.2"},
			"",
		},
		{
			"the resource knows cluster, region and instance",
			attrs{"service.name": "a", "k8s.cluster.name": "east", "cloud.region": "north", "k8s.pod.uid": "u"},
			attrs{"istio.cluster_id": "Kubernetes", "node_id": pod},
			schemas.Workload{Name: "a", Cluster: "east", Region: "north"},
			"u",
		},
		{"unknown cluster", attrs{"service.name": "a"}, attrs{"istio.cluster_id": "unknown"}, schemas.Workload{Name: "a"}, ""},
		{"gateway", attrs{"service.name": "gw"}, attrs{"node_id": "router~10.0.0.1~gw-0.istio-system~istio-system.svc.cluster.local"}, schemas.Workload{Name: "gw"}, "gw-0"},
		{"IPv6", attrs{"service.name": "a"}, attrs{"node_id": "sidecar~fd00:10:244::5~a-0.shop~shop.svc.cluster.local"}, schemas.Workload{Name: "a"}, "a-0"},
		{"a pod's name with dots", attrs{"service.name": "a"}, attrs{"node_id": "sidecar~10.0.0.1~vm.one.shop~x"}, schemas.Workload{Name: "a"}, "vm.one"},
		{"another Envoy's id", attrs{"service.name": "a"}, attrs{"node_id": "my-envoy"}, schemas.Workload{Name: "a"}, ""},
		{"too many parts", attrs{"service.name": "a"}, attrs{"node_id": pod + "~x~y"}, schemas.Workload{Name: "a"}, ""},
		{"no pod", attrs{"service.name": "a"}, attrs{"node_id": "sidecar~10.0.0.1~.shop~x"}, schemas.Workload{Name: "a"}, ""},
		{
			"hostile",
			attrs{"service.name": "a"},
			attrs{"istio.canonical_service": long, "istio.namespace": "\x00\xff", "istio.canonical_revision": long, "node_id": "a~b~" + long + ".c~d"},
			schemas.Workload{Name: long[:schemas.MaxName], Namespace: "��", Version: long[:schemas.MaxName]},
			long[:schemas.MaxName],
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got, _ := convert(t, one(tt.resource, tt.span))
			tt.want.Tenant = "blue"
			if want := (schemas.Origin{Workload: tt.want, Instance: tt.instance}); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestSpansOfOneResourceMayComeFromSeveral: the sender is remembered from span to span.
func TestSpansOfOneResourceMayComeFromSeveral(t *testing.T) {
	td := one(attrs{"service.name": "proxy"}, nil)
	list := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i, service := range []string{"a", "a", "", "b", "a"} {
		s := list.At(0)
		if i > 0 {
			s = list.AppendEmpty()
			list.At(0).CopyTo(s)
		}
		s.SetSpanID(pcommon.SpanID{byte(i + 1)})
		s.Attributes().Clear()
		if service != "" {
			s.Attributes().PutStr("istio.canonical_service", service)
		}
	}
	list.At(4).SetEndTimestamp(0) // cannot be used, and its loss is a's
	batch, err := rows.New(rows.Config{}).Spans(td, rows.Layout{Calls: 1, DeadLetters: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, calls(batch.Records)[0])
	var names []string
	for _, s := range got.Spans {
		names = append(names, got.Origins[s.Origin].Name)
	}
	if !slices.Equal(names, []string{"a", "a", "proxy", "b", "a"}) {
		t.Errorf("senders %q", names)
	}
}

func TestUpstreamPeer(t *testing.T) {
	for _, tt := range []struct {
		span attrs
		want columns.Peer
	}{
		{attrs{"upstream_cluster": "outbound|9080|v2|reviews.shop.svc.cluster.local"}, columns.Peer{Namespace: "shop", Name: "reviews"}},
		{attrs{"upstream_cluster": "outbound|9080||reviews.shop.svc"}, columns.Peer{Namespace: "shop", Name: "reviews"}},
		{attrs{"upstream_cluster": "outbound|443||api.example.com"}, columns.Peer{Name: "api.example.com"}},
		{attrs{"upstream_cluster": "outbound|443||localhost"}, columns.Peer{Name: "localhost"}},
		{attrs{"upstream_cluster": "outbound|443||?"}, columns.Peer{}},
		{attrs{"upstream_cluster": "outbound|443||"}, columns.Peer{}},
		{attrs{"upstream_cluster": "outbound|443||.shop.svc.cluster.local"}, columns.Peer{}},
		{attrs{"upstream_cluster": "outbound|a.b.svc"}, columns.Peer{}},
		{attrs{"upstream_cluster": "inbound|9080||"}, columns.Peer{}},
		{attrs{"upstream_cluster": "PassthroughCluster"}, columns.Peer{}},
		{attrs{"upstream_cluster": "BlackHoleCluster"}, columns.Peer{}},
		{attrs{"upstream_cluster": "outbound|1||" + strings.Repeat("x", 1000)}, columns.Peer{Name: strings.Repeat("x", schemas.MaxName)}},
		{
			attrs{"upstream_cluster": "outbound|80||waypoint.shop.svc.cluster.local", "istio.destination_canonical_service": "cart", "istio.destination_namespace": "n"},
			columns.Peer{Namespace: "n", Name: "cart"},
		},
		{
			attrs{"upstream_cluster": "outbound|80||cart.shop.svc.cluster.local", "istio.destination_canonical_service": "unknown"},
			columns.Peer{Namespace: "shop", Name: "cart"},
		},
		{attrs{"upstream_cluster": "outbound|80||a.b.svc.c", "peer.service": "cart"}, columns.Peer{Name: "cart"}},
		{attrs{"upstream_cluster": "outbound|80||a.b.svc.c", "service.peer.name": "cart", "service.peer.namespace": "n"}, columns.Peer{Namespace: "n", Name: "cart"}},
	} {
		for _, kind := range []ptrace.SpanKind{ptrace.SpanKindClient, ptrace.SpanKindServer} {
			td := one(nil, tt.span)
			span(td).SetKind(kind)
			want := tt.want
			if kind == ptrace.SpanKindServer {
				want = columns.Peer{}
			}
			if _, _, got := convert(t, td); got != want {
				t.Errorf("%v as %v: got %+v, want %+v", tt.span, kind, got, want)
			}
		}
	}
}

func TestIstioMetrics(t *testing.T) {
	md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(istioFile(t, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := rows.New(rows.Config{}).Samples(md, rows.Layout{Samples: 1}, received())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range batch.Records {
		samples, err := columns.DecodeSamples(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			lines = append(lines, fmt.Sprintf("%s/%s/%s@%s#%s %s %v", s.Origin.Cluster, s.Origin.Namespace, s.Origin.Name, s.Origin.Version, s.Origin.Instance, s.Metric, s.Value))
		}
	}
	slices.Sort(lines)
	for _, l := range batch.Losses {
		lines = append(lines, fmt.Sprintf("lost: %d %s", l.Count, l.Reason))
	}
	golden(t, "testdata/istio/metrics.rows.txt", strings.Join(lines, "\n")+"\n")
}

// TestAccessLogsAreSkippedInSilence: a proxy must not be told that its log was refused; an application is.
func TestAccessLogsAreSkippedInSilence(t *testing.T) {
	ignored := func(n int) rows.Loss { return rows.Loss{Reason: "access_logs_ignored", Count: n, Silent: true} }
	ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(istioFile(t, "logs.json"))
	if err != nil {
		t.Fatal(err)
	}
	n := ld.LogRecordCount()
	check := func(what string, ld plog.Logs, want rows.Loss) {
		t.Helper()
		if b := rows.New(rows.Config{}).Logs(ld); len(b.Losses) != 1 || b.Losses[0] != want || b.Read != want.Count || len(b.Records) != 0 {
			t.Errorf("%s: %+v, want %+v", what, b, want)
		}
	}
	check("with labels", ld, ignored(n))
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				record.Attributes().Clear()
			}
		}
	}
	check("as text", ld, ignored(n))

	record := func(set func(pcommon.Map, plog.LogRecord)) plog.Logs {
		ld := plog.NewLogs()
		rl := ld.ResourceLogs().AppendEmpty()
		set(rl.Resource().Attributes(), rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
		return ld
	}
	check("with Envoy's own labels", record(func(resource pcommon.Map, _ plog.LogRecord) { resource.PutStr("log_name", "otel_envoy_accesslog") }), ignored(1))
	refused := rows.Loss{Reason: "logs_not_supported", Count: 1}
	check("an application's", record(func(resource pcommon.Map, l plog.LogRecord) {
		resource.PutStr("service.name", "a")
		l.Body().SetStr("[2026] something")
	}), refused)
	check("an application's warning", record(func(_ pcommon.Map, l plog.LogRecord) {
		l.SetSeverityNumber(plog.SeverityNumberWarn)
		l.Attributes().PutStr("response_code", "500")
	}), refused)
	check("anything else", record(func(_ pcommon.Map, l plog.LogRecord) { l.Body().SetStr("hello") }), refused)
	if b := rows.New(rows.Config{}).Logs(plog.NewLogs()); b.Read != 0 || b.Losses != nil {
		t.Errorf("nothing: %+v", b)
	}
}
