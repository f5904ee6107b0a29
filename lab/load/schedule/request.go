package schedule

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// Request is one request from outside.
type Request struct {
	At       time.Duration // when it is to be sent, after the start of the load
	Method   string
	Path     string // with its parameters filled in
	Endpoint string // as spec.Endpoint writes itself; "" = none that the entry service has
	Body     string
	Password string // for an endpoint that takes one; "" = none is sent
	Client   Client
	Kind     spec.FaultKind // "" = ordinary
}

// RightPassword is what people know and guessers do not.
const RightPassword = "right"

// Client is somebody outside the mesh, by number. The first Clients of them are ordinary people.
type Client int

// Clients is how many ordinary clients there are.
const Clients = 10_000

// Name is what the client calls itself.
func (c Client) Name() string { return fmt.Sprintf("client-%05d", int(c)) }

// Address is where the client is: one address each in 198.18.0.0/15, the network for measurements (RFC 2544).
func (c Client) Address() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 198<<24|18<<16+uint32(c)&(1<<17-1))
	return netip.AddrFrom4(b)
}

// attacker is the nth client of those that carry out a kind of fault.
func attacker(kind spec.FaultKind, n int) Client {
	for i, k := range spec.Kinds() {
		if k.Kind == kind {
			return Client(Clients + 100*i + n)
		}
	}
	return Client(Clients + n)
}
