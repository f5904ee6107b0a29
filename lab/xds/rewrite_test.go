package xds_test

import (
	"net/netip"
	"testing"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacconfig "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/xds"
)

// The pod of these tests: its places are 127.65.192.1 (Inbound) to .4 (Admin), and another pod's Inbound is 127.66.0.1.
func rewriter() xds.Rewriter {
	return xds.Rewriter{
		Network: loopback.Default(), Pod: netip.MustParseAddr("10.244.1.7"), Internet: netip.MustParseAddrPort("127.0.0.1:9999"),
	}
}

// rewrite returns what the proxy gets for m; nil if it gets nothing.
func rewrite[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	in, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rewriter().Resource(in)
	if err != nil {
		t.Fatal(err)
	}
	var none M
	if got == nil {
		return none
	}
	out, err := got.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	typed, ok := out.(M)
	if !ok {
		t.Fatalf("a %T became a %T", m, out)
	}
	return typed
}

func same(t *testing.T, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", prototext.Format(got), prototext.Format(want))
	}
}

func socket(address string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address: address, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
	}}}
}

func chain(port uint32) *listener.FilterChain {
	return &listener.FilterChain{FilterChainMatch: &listener.FilterChainMatch{DestinationPort: wrapperspb.UInt32(port)}}
}

func TestListeners(t *testing.T) {
	redirected := []*listener.ListenerFilter{{Name: "envoy.filters.listener.original_dst"}, {Name: "envoy.filters.listener.tls_inspector"}}
	kept := redirected[1:]
	off := wrapperspb.Bool(false)
	for name, row := range map[string]struct{ in, want *listener.Listener }{
		"inbound binds each port that it has chains for": {
			in: &listener.Listener{
				Name: "virtualInbound", Address: socket("0.0.0.0", 15006), TrafficDirection: core.TrafficDirection_INBOUND,
				ListenerFilters: redirected, BindToPort: off, UseOriginalDst: off,
				FilterChains: []*listener.FilterChain{chain(15006), chain(8080), chain(8080), {}, chain(9090)},
			},
			want: &listener.Listener{
				Name: "virtualInbound", Address: socket("127.65.192.1", 15006), TrafficDirection: core.TrafficDirection_INBOUND,
				ListenerFilters: kept, FilterChains: []*listener.FilterChain{chain(15006), chain(8080), chain(8080), {}, chain(9090)},
				AdditionalAddresses: []*listener.AdditionalAddress{{Address: socket("127.65.192.1", 8080)}, {Address: socket("127.65.192.1", 9090)}},
			},
		},
		"outbound of all services": {
			in:   &listener.Listener{Name: "0.0.0.0_8080", Address: socket("0.0.0.0", 8080), TrafficDirection: core.TrafficDirection_OUTBOUND, BindToPort: off},
			want: &listener.Listener{Name: "0.0.0.0_8080", Address: socket("127.65.192.3", 8080), TrafficDirection: core.TrafficDirection_OUTBOUND},
		},
		"outbound of one service": {
			in:   &listener.Listener{Name: "10.96.0.5_4317", Address: socket("10.96.0.5", 4317), TrafficDirection: core.TrafficDirection_OUTBOUND, BindToPort: off},
			want: &listener.Listener{Name: "10.96.0.5_4317", Address: socket("127.65.208.5", 4317), TrafficDirection: core.TrafficDirection_OUTBOUND},
		},
		"without a socket": {in: &listener.Listener{Name: "connect_originate"}, want: &listener.Listener{Name: "connect_originate"}},
	} {
		t.Run(name, func(t *testing.T) { same(t, rewrite(t, row.in), row.want) })
	}
	if got := rewrite(t, &listener.Listener{Name: "virtualOutbound", Address: socket("0.0.0.0", 15001)}); got != nil {
		t.Errorf("nothing redirects here, and the proxy gets %v", got)
	}
}

func TestClusters(t *testing.T) {
	original := &cluster.Cluster_Type{Type: cluster.Cluster_ORIGINAL_DST}
	fixed := func(name string, to *core.Address) *cluster.Cluster {
		return &cluster.Cluster{
			Name: name, ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_STATIC},
			LoadAssignment: &endpoint.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpoint.LocalityLbEndpoints{{
				LbEndpoints: []*endpoint.LbEndpoint{{HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: to}}}},
			}}},
		}
	}
	eds := &cluster.Cluster_Type{Type: cluster.Cluster_EDS}
	for name, row := range map[string]struct{ in, want *cluster.Cluster }{
		"inbound goes to the application": {
			in: &cluster.Cluster{
				Name: "inbound|8080||", ClusterDiscoveryType: original, LbPolicy: cluster.Cluster_CLUSTER_PROVIDED,
				UpstreamBindConfig: &core.BindConfig{SourceAddress: socket("127.0.0.6", 0).GetSocketAddress()},
			},
			want: fixed("inbound|8080||", socket("127.65.192.2", 8080)),
		},
		"hosts outside": {
			in:   &cluster.Cluster{Name: "PassthroughCluster", ClusterDiscoveryType: original, LbPolicy: cluster.Cluster_CLUSTER_PROVIDED},
			want: fixed("PassthroughCluster", socket("127.0.0.1", 9999)),
		},
		"others are reached from the pod's address": {
			in: &cluster.Cluster{Name: "outbound|8080||web.shop.svc.cluster.local", ClusterDiscoveryType: eds},
			want: &cluster.Cluster{
				Name: "outbound|8080||web.shop.svc.cluster.local", ClusterDiscoveryType: eds,
				UpstreamBindConfig: &core.BindConfig{SourceAddress: socket("127.65.192.1", 0).GetSocketAddress()},
			},
		},
	} {
		t.Run(name, func(t *testing.T) { same(t, rewrite(t, row.in), row.want) })
	}
}

func TestEndpoints(t *testing.T) {
	at := func(addresses ...string) *endpoint.ClusterLoadAssignment {
		var all []*endpoint.LbEndpoint
		for _, a := range addresses {
			all = append(all, &endpoint.LbEndpoint{
				HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: socket(a, 8080)}},
			})
		}
		return &endpoint.ClusterLoadAssignment{ClusterName: "c", Endpoints: []*endpoint.LocalityLbEndpoints{{LbEndpoints: all}}}
	}
	same(t, rewrite(t, at("10.244.1.8", "192.0.2.1", "example.com")), at("127.66.0.1", "192.0.2.1", "example.com"))
}

// Networks in policies, deep inside a listener, are those of loopback; the port's filter chain stays.
func TestNetworksInPolicies(t *testing.T) {
	policy := func(prefix string, bits uint32) *listener.Listener {
		ids := []*rbacconfig.Principal{{Identifier: &rbacconfig.Principal_DirectRemoteIp{
			DirectRemoteIp: &core.CidrRange{AddressPrefix: prefix, PrefixLen: wrapperspb.UInt32(bits)},
		}}}
		filter, err := anypb.New(&rbac.RBAC{Rules: &rbacconfig.RBAC{Policies: map[string]*rbacconfig.Policy{"p": {Principals: ids}}}})
		if err != nil {
			t.Fatal(err)
		}
		return &listener.Listener{Name: "l", FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{
			{Name: "rbac", ConfigType: &listener.Filter_TypedConfig{TypedConfig: filter}},
		}}}}
	}
	for name, row := range map[string]struct {
		prefix, want   string
		bits, wantBits uint32
	}{
		"one pod":      {"10.244.1.8", "127.66.0.0", 32, 18},
		"a node":       {"10.244.1.0", "127.64.0.0", 24, 10},
		"all pods":     {"10.244.0.0", "127.0.0.0", 16, 8},
		"others":       {"192.168.0.0", "192.168.0.0", 16, 16},
		"IPv6":         {"fd00::", "fd00::", 8, 8},
		"a wide range": {"10.0.0.0", "127.0.0.0", 8, 8},
		"services":     {"10.96.0.0", "10.96.0.0", 20, 20},
		"everything":   {"0.0.0.0", "0.0.0.0", 0, 0},
	} {
		t.Run(name, func(t *testing.T) { same(t, rewrite(t, policy(row.prefix, row.bits)), policy(row.want, row.wantBits)) })
	}
}

func TestOtherResourcesStay(t *testing.T) {
	in := &route.RouteConfiguration{Name: "8080", VirtualHosts: []*route.VirtualHost{{Name: "web", Domains: []string{"10.244.1.8"}}}}
	same(t, rewrite(t, in), in)
}

func TestDamagedResource(t *testing.T) {
	in := &anypb.Any{TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster", Value: []byte{0xff}}
	if _, err := rewriter().Resource(in); err == nil {
		t.Error("it was taken")
	}
}
