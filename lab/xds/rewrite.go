package xds

import (
	"fmt"
	"net/netip"
	"strings"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirmesh/weir/lab/loopback"
)

// Type URLs of the resources that hold addresses.
const (
	typeListener = "type.googleapis.com/envoy.config.listener.v3.Listener"
	typeCluster  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	typeEndpoint = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
)

// Names that Istio gives to what the lab treats in a special way.
const (
	virtualOutbound = "virtualOutbound"
	passthrough     = "PassthroughCluster"
	inboundPrefix   = "inbound|"
	originalDst     = "envoy.filters.listener.original_dst"
)

// Rewriter turns the configuration of one pod's proxy, made for a pod network with redirection by iptables, into one for loopback.
type Rewriter struct {
	Network  loopback.Network
	Pod      netip.Addr
	Internet netip.AddrPort // where requests to hosts outside the mesh go
}

// Resource returns the resource as the proxy gets it, or nil if it gets none.
func (r Rewriter) Resource(in *anypb.Any) (*anypb.Any, error) {
	var m proto.Message
	switch in.GetTypeUrl() {
	case typeListener:
		m = &listener.Listener{}
	case typeCluster:
		m = &cluster.Cluster{}
	case typeEndpoint:
		m = &endpoint.ClusterLoadAssignment{}
	default:
		return in, nil
	}
	if err := in.UnmarshalTo(m); err != nil {
		return nil, fmt.Errorf("decode %s: %w", in.GetTypeUrl(), err)
	}
	var err error
	switch m := m.(type) {
	case *listener.Listener:
		if m.GetName() == virtualOutbound {
			return nil, nil //nolint:nilnil // nothing redirects to it here
		}
		err = r.listener(m)
	case *cluster.Cluster:
		err = r.cluster(m)
	}
	if err != nil {
		return nil, err
	}
	if err := r.addresses(m.ProtoReflect()); err != nil {
		return nil, err
	}
	out := &anypb.Any{}
	if err := out.MarshalFrom(m); err != nil {
		return nil, fmt.Errorf("encode %s: %w", in.GetTypeUrl(), err)
	}
	return out, nil
}

// listener makes a listener bind what iptables would have redirected to it.
func (r Rewriter) listener(l *listener.Listener) error {
	socket := l.GetAddress().GetSocketAddress()
	if socket == nil {
		return nil
	}
	filters := l.GetListenerFilters()[:0]
	for _, f := range l.GetListenerFilters() {
		if f.GetName() != originalDst {
			filters = append(filters, f)
		}
	}
	l.ListenerFilters, l.BindToPort, l.UseOriginalDst = filters, nil, nil
	if l.GetTrafficDirection() == core.TrafficDirection_INBOUND {
		return r.inbound(l, socket)
	}
	return r.outbound(l, socket)
}

// inbound binds the pod's own ports: each that a filter chain is for.
func (r Rewriter) inbound(l *listener.Listener, socket *core.SocketAddress) error {
	at, err := r.Network.Place(r.Pod, loopback.Inbound)
	if err != nil {
		return err
	}
	socket.Address = at.String()
	bound := map[uint32]bool{socket.GetPortValue(): true}
	for _, chain := range l.GetFilterChains() {
		port := chain.GetFilterChainMatch().GetDestinationPort().GetValue()
		if port == 0 || bound[port] {
			continue
		}
		bound[port] = true
		l.AdditionalAddresses = append(l.AdditionalAddresses, &listener.AdditionalAddress{Address: address(at, port)})
	}
	return nil
}

// outbound binds what the application connects to in place of a service.
func (r Rewriter) outbound(_ *listener.Listener, socket *core.SocketAddress) error {
	bind, err := netip.ParseAddr(socket.GetAddress())
	if err != nil {
		return fmt.Errorf("listener binds %q: %w", socket.GetAddress(), err)
	}
	var at netip.Addr
	if bind.IsUnspecified() {
		at, err = r.Network.Place(r.Pod, loopback.Outbound)
	} else {
		at, err = r.Network.Service(r.Pod, bind)
	}
	if err != nil {
		return err
	}
	socket.Address = at.String()
	return nil
}

// cluster points what goes by original destination at where that is on loopback, and makes connections come from the pod's address.
func (r Rewriter) cluster(c *cluster.Cluster) error {
	switch name := c.GetName(); {
	case name == passthrough:
		return r.static(c, address(r.Internet.Addr(), uint32(r.Internet.Port())))
	case strings.HasPrefix(name, inboundPrefix):
		var port uint32
		if _, err := fmt.Sscanf(name, inboundPrefix+"%d|", &port); err != nil {
			return fmt.Errorf("cluster %q: %w", name, err)
		}
		app, err := r.Network.Place(r.Pod, loopback.App)
		if err != nil {
			return err
		}
		return r.static(c, address(app, port))
	}
	source, err := r.Network.Place(r.Pod, loopback.Inbound)
	if err != nil {
		return err
	}
	c.UpstreamBindConfig = &core.BindConfig{SourceAddress: address(source, 0).GetSocketAddress()}
	return nil
}

// static gives a cluster one fixed endpoint.
func (r Rewriter) static(c *cluster.Cluster, to *core.Address) error {
	c.ClusterDiscoveryType = &cluster.Cluster_Type{Type: cluster.Cluster_STATIC}
	c.LbPolicy, c.LbConfig, c.UpstreamBindConfig = cluster.Cluster_ROUND_ROBIN, nil, nil
	c.LoadAssignment = &endpoint.ClusterLoadAssignment{
		ClusterName: c.GetName(),
		Endpoints: []*endpoint.LocalityLbEndpoints{{LbEndpoints: []*endpoint.LbEndpoint{{
			HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: to}},
		}}}},
	}
	return nil
}

func address(a netip.Addr, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address: a.String(), PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
	}}}
}

// addresses puts pods on loopback wherever else the message names them: endpoints, and networks in policies.
func (r Rewriter) addresses(m protoreflect.Message) error {
	switch v := m.Interface().(type) {
	case *core.SocketAddress:
		if at, ok := r.inPods(v.GetAddress()); ok {
			place, err := r.Network.Place(at, loopback.Inbound)
			if err != nil {
				return err
			}
			v.Address = place.String()
		}
		return nil
	case *core.CidrRange:
		return r.network(v)
	case *anypb.Any:
		return r.packed(v)
	}
	var err error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		err = r.field(f, v)
		return err == nil
	})
	return err
}

func (r Rewriter) field(f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	switch {
	case f.IsMap():
		if f.MapValue().Message() == nil {
			return nil
		}
		var err error
		v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
			err = r.addresses(v.Message())
			return err == nil
		})
		return err
	case f.Message() == nil:
		return nil
	case f.IsList():
		for i := range v.List().Len() {
			if err := r.addresses(v.List().Get(i).Message()); err != nil {
				return err
			}
		}
		return nil
	}
	return r.addresses(v.Message())
}

// network rewrites a network that holds pods; any other stays what it is.
func (r Rewriter) network(v *core.CidrRange) error {
	base, err := netip.ParseAddr(v.GetAddressPrefix())
	if err != nil || !base.Is4() {
		return nil //nolint:nilerr // not an IPv4 network: none of ours
	}
	given := netip.PrefixFrom(base, int(v.GetPrefixLen().GetValue()))
	if given.Bits() == 0 || !r.Network.Pods.Overlaps(given) {
		return nil // everything holds loopback too
	}
	at, err := r.Network.Prefix(given)
	if err != nil {
		return err
	}
	v.AddressPrefix, v.PrefixLen = at.Addr().String(), wrapperspb.UInt32(uint32(at.Bits()))
	return nil
}

// packed rewrites inside an Any whose type is linked in; others hold no addresses of pods.
func (r Rewriter) packed(v *anypb.Any) error {
	inner, err := v.UnmarshalNew()
	if err != nil {
		return nil //nolint:nilerr // a type that is not linked in
	}
	if err := r.addresses(inner.ProtoReflect()); err != nil {
		return err
	}
	return v.MarshalFrom(inner)
}

func (r Rewriter) inPods(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && r.Network.Pods.Contains(a)
}
