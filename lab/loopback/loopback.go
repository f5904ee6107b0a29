// Package loopback stands in for the pod network of a cluster: it gives every pod and every service address a place on the loopback
// interface, where 127.0.0.0/8 is one big address space that needs no privileges.
//
// Kubernetes refuses endpoints on loopback addresses, so pods keep addresses of a private network (Pods), which is what the API server,
// istiod and kubectl see. Envoys and services bind what Place returns for them. The mapping is arithmetic: the low 10 bits of a pod's
// address select 16,384 loopback addresses, one for each role a pod's network namespace would play and one for each service address.
package loopback

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Role is what an address of a pod's network namespace is for.
type Role uint16

// The roles of a pod's addresses. Roles from firstService on are service addresses as this pod sees them.
const (
	Inbound  Role = 1 // where the pod is reached: its Envoy's inbound ports
	App      Role = 2 // where the pod's application listens
	Outbound Role = 3 // where the pod's Envoy takes what the application sends to services
	Admin    Role = 4 // where the pod's Envoy and application are looked after

	firstService Role = 1 << 12
)

// Network is the pair of networks that the cluster uses.
type Network struct {
	Pods     netip.Prefix // a /22: up to 1,024 pods
	Services netip.Prefix // a /20: up to 4,096 services
}

// Default is the network of the lab.
func Default() Network {
	return Network{Pods: netip.MustParsePrefix("10.244.0.0/22"), Services: netip.MustParsePrefix("10.96.0.0/20")}
}

const (
	roleBits = 14
	loopback = 127 << 24
)

// Place returns the loopback address of a pod in a role.
func (n Network) Place(pod netip.Addr, as Role) (netip.Addr, error) {
	if !n.Pods.Contains(pod) {
		return netip.Addr{}, fmt.Errorf("%s is no pod: pods are in %s", pod, n.Pods)
	}
	return n.place(pod, as), nil
}

// Service returns the address that stands for a service's address inside a pod.
func (n Network) Service(pod, service netip.Addr) (netip.Addr, error) {
	if !n.Services.Contains(service) {
		return netip.Addr{}, fmt.Errorf("%s is no service: services are in %s", service, n.Services)
	}
	return n.Place(pod, firstService+Role(low(service, n.Services)))
}

// Prefix returns what a network of pods is on loopback, whatever the role: policies name networks.
func (n Network) Prefix(pods netip.Prefix) (netip.Prefix, error) {
	if !n.Pods.Overlaps(pods) {
		return netip.Prefix{}, fmt.Errorf("%s holds no pods: pods are in %s", pods, n.Pods)
	}
	if pods.Bits() <= n.Pods.Bits() {
		return netip.PrefixFrom(fromBits(loopback), 8), nil
	}
	bits := 32 - roleBits - (32 - pods.Bits())
	return netip.PrefixFrom(n.place(pods.Masked().Addr(), 0), bits), nil
}

// Pod returns whose address a loopback address is; false for one that is nobody's, such as 127.0.0.1. An IPv4 address may be written as
// an IPv6 one, as sockets that listen on both do.
func (n Network) Pod(place netip.Addr) (netip.Addr, bool) {
	place = place.Unmap()
	if !place.Is4() || toBits(place)>>24 != 127 {
		return netip.Addr{}, false
	}
	pod := toBits(place) & (1<<24 - 1) >> roleBits
	return fromBits(toBits(n.Pods.Masked().Addr()) | pod), pod != 0
}

func (n Network) place(pod netip.Addr, as Role) netip.Addr {
	return fromBits(loopback | low(pod, n.Pods)<<roleBits | uint32(as))
}

// low returns the host part of an address.
func low(a netip.Addr, in netip.Prefix) uint32 { return toBits(a) &^ (^uint32(0) << (32 - in.Bits())) }

func toBits(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func fromBits(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}
