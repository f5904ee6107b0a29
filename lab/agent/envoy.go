package agent

import (
	"fmt"
	"net/netip"

	"sigs.k8s.io/yaml"
)

// istioVersion is what proxies say they are: the release of istiod that the lab runs.
const istioVersion = "1.31.0"

// Names of the proxy's own clusters. istiod's configuration refers to the first two.
const (
	clusterXDS  = "xds-grpc"
	clusterSDS  = "sds-grpc"
	clusterOTLP = "otlp"
)

type object = map[string]any

// bootstrap returns the proxy's configuration until it has istiod's: what Istio's agent would have written, but for addresses, and with
// metrics sent where traces go.
// https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto
func (i *instance) bootstrap() ([]byte, error) {
	at, err := i.agent.places(i.address)
	if err != nil {
		return nil, err
	}
	relay, err := netip.ParseAddrPort(i.agent.relay)
	if err != nil {
		return nil, fmt.Errorf("address of the relay: %w", err)
	}
	otlp := static(clusterOTLP, i.agent.cfg.Telemetry)
	otlp["upstream_bind_config"] = object{"source_address": object{"address": at.inbound.String(), "port_value": 0}} // tells who reports
	text, err := yaml.Marshal(object{
		"node":                 i.node(),
		"admin":                object{"address": socket(i.envoy)},
		"dynamic_resources":    fromIstiod(),
		"static_resources":     object{"clusters": []object{static(clusterXDS, relay), static(clusterSDS, relay), otlp}},
		"stats_flush_interval": "10s",
		"stats_sinks":          []object{sink()},
		"stats_config":         statistics(),
		"layered_runtime":      object{"layers": []object{{"name": "lab", "static_layer": runtime()}}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the proxy's configuration: %w", err)
	}
	return text, nil
}

// node is who the proxy is. istiod reads the metadata: https://pkg.go.dev/istio.io/istio/pkg/model#NodeMetadata
func (i *instance) node() object {
	kind, cluster := "sidecar", i.service+"."+i.namespace
	if i.service == "" {
		kind, cluster = "router", i.owner+"."+i.namespace
	}
	mesh := i.agent.cfg.Lab.Mesh
	return object{
		"id":       fmt.Sprintf("%s~%s~%s.%s~%s.svc.cluster.local", kind, i.address, i.name, i.namespace, i.namespace),
		"cluster":  cluster,
		"locality": object{"region": i.region, "zone": i.zone},
		"metadata": object{
			"NAMESPACE": i.namespace, "NAME": i.name, "CLUSTER_ID": mesh.Cluster, "MESH_ID": mesh.Cluster,
			"ISTIO_VERSION": istioVersion, "INTERCEPTION_MODE": "REDIRECT", "SERVICE_ACCOUNT": i.account,
			"WORKLOAD_NAME": i.owner, "OWNER": i.ownerURL(), "LABELS": i.labels, "INSTANCE_IPS": i.address.String(),
		},
	}
}

func (i *instance) ownerURL() string {
	if i.vm {
		return fmt.Sprintf("kubernetes://apis/networking.istio.io/v1/namespaces/%s/workloadentries/%s", i.namespace, i.owner)
	}
	return fmt.Sprintf("kubernetes://apis/apps/v1/namespaces/%s/deployments/%s", i.namespace, i.owner)
}

// fromIstiod says that listeners and clusters come from istiod, one change at a time.
func fromIstiod() object {
	ads := object{"ads": object{}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
	return object{
		"lds_config": ads, "cds_config": ads,
		"ads_config": object{
			"api_type": "DELTA_GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
			"grpc_services": []object{{"envoy_grpc": object{"cluster_name": clusterXDS}}},
		},
	}
}

// static is a cluster of one address that speaks HTTP/2.
func static(name string, to netip.AddrPort) object {
	options := object{
		"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
		"explicit_http_config": object{"http2_protocol_options": object{
			"connection_keepalive": object{"interval": "30s", "timeout": "10s"},
		}},
	}
	return object{
		"name": name, "type": "STATIC", "connect_timeout": "1s",
		"typed_extension_protocol_options": object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
		"load_assignment": object{
			"cluster_name": name,
			"endpoints":    []object{{"lb_endpoints": []object{{"endpoint": object{"address": socket(to)}}}}},
		},
	}
}

func socket(a netip.AddrPort) object {
	return object{"socket_address": object{"address": a.Addr().String(), "port_value": a.Port()}}
}

// sink sends metrics as OTLP. Counters are sums since the start, as the SDKs of applications send them.
func sink() object {
	return object{
		"name": "envoy.stat_sinks.open_telemetry",
		"typed_config": object{
			"@type":        "type.googleapis.com/envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig",
			"grpc_service": object{"envoy_grpc": object{"cluster_name": clusterOTLP}},
			"resource_detectors": []object{{
				"name": "envoy.tracers.opentelemetry.resource_detectors.environment",
				"typed_config": object{
					"@type": "type.googleapis.com/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig",
				},
			}},
		},
	}
}

// statistics says which are made at all, for there are thousands, and what in their names is a value. istiod ends the names of clusters
// and of connection managers with a semicolon: only those are kept. For the code's class it is the digit.
func statistics() object {
	return object{
		"stats_matcher": object{"inclusion_list": object{"patterns": []object{
			regex(`cluster\.(outbound|inbound)\|[^;]*;\.upstream_(rq_(total|completed|[1-5]xx)|cx_connect_fail)`),
			regex(`http\.[^;]*;\.downstream_rq_(total|[1-5]xx)`),
			regex(`server\.(memory_allocated|live|uptime)`),
			regex(`(cluster_manager\.cds|listener_manager\.lds)\.update_rejected`),
		}}},
		"use_all_default_tags": false,
		"stats_tags": []object{
			{"tag_name": "envoy.cluster_name", "regex": `^cluster\.((.+?);\.)`},
			{"tag_name": "envoy.http_conn_manager_prefix", "regex": `^http\.((.+?);\.)`},
			{"tag_name": "envoy.response_code_class", "regex": `_rq_((\d))xx$`},
		},
	}
}

func regex(pattern string) object { return object{"safe_regex": object{"regex": pattern}} }

// runtime lets the proxy keep spans for a second, or until there are many.
func runtime() object {
	return object{"tracing.opentelemetry.flush_interval_ms": 1000, "tracing.opentelemetry.min_flush_spans": 200}
}
