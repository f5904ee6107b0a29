// Package xds is what stands between istiod and the lab's Envoys, as Istio's agent does in a pod. It relays the aggregated discovery
// service and answers for certificates. On the way it moves pods to loopback (see package loopback): listeners bind what iptables would
// have redirected to them, clusters that go by original destination get the pod's application as their endpoint, and connections come
// from the pod's address, so that policies about networks hold. Nothing else of what istiod says is changed.
package xds

import (
	// Messages that hold addresses inside others are rewritten only if their types are known.
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)
