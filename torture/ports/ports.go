// Package ports finds addresses for parts that have to come back to the same one after each kill.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The range that is drawn from, below the ports that systems hand out by themselves: nobody takes one while its owner is dead.
const (
	lowest  = 10_000
	highest = 30_000
	draws   = 1_000
)

// Free returns n different loopback addresses (host:port) that nobody listens on.
func Free(n int) ([]string, error) {
	var out []string
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close() // it only kept the port from being drawn twice
		}
	}()
	for range draws {
		if len(out) == n {
			return out, nil
		}
		address := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue // taken
		}
		held, out = append(held, l), append(out, address)
	}
	return nil, fmt.Errorf("find %d free ports: only %d found from %d to %d", n, len(out), lowest, highest)
}
