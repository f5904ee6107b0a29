package kafka

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// anyBroker stands for whichever broker answers. The name cannot be one of a host.
const anyBroker = "any broker:0"

// rotation dials for a consumer group. kafka-go asks the first broker that takes a connection who coordinates the group, each time the same
// one, though it may be unable to say: it was cut off from the others, or a proxy stands before a dead one. Here each attempt begins with
// another address.
type rotation struct {
	dialer    *dialer
	addresses []string
	turn      atomic.Uint64
}

// dial connects to the address, or to one of the brokers that answers.
func (r *rotation) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address != anyBroker {
		return r.dialer.dial(ctx, network, address)
	}
	begin := r.turn.Add(1) - 1
	var errs []error
	for i := range r.addresses {
		conn, err := r.dialer.dial(ctx, network, r.addresses[(begin+uint64(i))%uint64(len(r.addresses))]) //nolint:gosec // an index is not negative
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
