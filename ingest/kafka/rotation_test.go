package kafka_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/weirmesh/weir/ingest/kafka"
)

// TestAGroupAsksAnotherBroker: the first address belongs to somebody who takes connections and says hello, but then hangs up.
func TestAGroupAsksAnotherBroker(t *testing.T) {
	cluster, c := newCluster(t)
	cfg := kafka.Config{Addresses: []string{startMute(t, cluster.ListenAddrs()[0]), cluster.ListenAddrs()[0]}}
	g, err := c.Group(cfg, group, quiet, topic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	first, err := g.Session(t.Context())
	if err != nil { // the first attempt may have asked the mute one
		first, err = g.Session(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	closeSession(t, first)
}

// startMute forwards to a broker until somebody asks for more than which requests it takes.
func startMute(t *testing.T, broker string) string {
	t.Helper()
	return serve(t, func(in net.Conn) { forwardHello(in, broker) })
}

func forwardHello(in net.Conn, broker string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	go func() { _, _ = io.Copy(in, out) }()
	const apiVersions = 18
	for {
		size := make([]byte, 4)
		if _, err := io.ReadFull(in, size); err != nil {
			return
		}
		request := make([]byte, binary.BigEndian.Uint32(size))
		if _, err := io.ReadFull(in, request); err != nil || binary.BigEndian.Uint16(request) != apiVersions {
			return
		}
		if _, err := out.Write(append(size, request...)); err != nil {
			return
		}
	}
}
