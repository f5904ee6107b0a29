package objects

// Extension providers that istiod's mesh configuration must define.
const (
	ProviderTraces = "weir"
	ProviderLogs   = "weir-logs"
)

// telemetry returns what makes proxies report, and whom they report to. The collector runs outside the cluster, so its Service has no
// selector and its endpoints are written by hand.
func telemetry(o Options) []object {
	sampling := o.Sampling
	if sampling == 0 {
		sampling = 100
	}
	report := head("telemetry.istio.io/v1", "Telemetry", IstioNamespace, "mesh-default")
	report["spec"] = object{
		"tracing":       []any{object{"providers": []any{object{"name": ProviderTraces}}, "randomSamplingPercentage": sampling}},
		"accessLogging": []any{object{"providers": []any{object{"name": ProviderLogs}}}},
	}
	port := func(n int64) object { return object{"name": "grpc-otlp", "port": n, "protocol": "TCP"} }
	svc := head("v1", "Service", WeirNamespace, Collector)
	svc["spec"] = object{"ports": []any{port(CollectorPort)}}
	slice := with(head("discovery.k8s.io/v1", "EndpointSlice", WeirNamespace, Collector), object{
		"kubernetes.io/service-name": Collector, "endpointslice.kubernetes.io/managed-by": Manager,
	})
	slice["addressType"] = "IPv4"
	slice["ports"] = []any{port(int64(o.Telemetry.Port()))}
	slice["endpoints"] = []any{object{
		"addresses":  []any{o.Telemetry.Addr().String()},
		"conditions": object{"ready": true},
	}}
	return []object{report, svc, slice}
}
