package broker_test

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/broker"
	"github.com/weirmesh/weir/ingest/kafka"
)

// forward passes connections of a listener on to an address, counts them, and ends with the test.
func forward(t *testing.T, l net.Listener, to string) *atomic.Int64 {
	t.Helper()
	var work sync.WaitGroup
	var taken atomic.Int64
	work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			server, err := net.Dial("tcp", to)
			if err != nil {
				t.Error(err)
				_ = client.Close()
				return
			}
			for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
				work.Go(func() {
					_, _ = io.Copy(way[0], way[1]) // it ends when one of the two does
					_ = way[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	return &taken
}

// TestClientsAreToldTheAdvertisedAddress reaches a broker that can only be reached through a forwarder.
func TestClientsAreToldTheAdvertisedAddress(t *testing.T) {
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := hidden.Addr().String()
	_ = hidden.Close()
	b, err := broker.Start(broker.Config{
		Dir: t.TempDir(), Listen: listen, Advertised: front.Addr().String(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	taken := forward(t, front, listen)
	if b.Addr() != front.Addr().String() {
		t.Errorf("the broker says %s, want %s", b.Addr(), front.Addr())
	}
	// Asked at the address it listens on, it sends its clients to the other.
	c, err := kafka.New(kafka.Config{Addresses: []string{listen}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.EnsureTopics(t.Context(), true, kafka.Topic{Name: "x", Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	before := taken.Load()
	if err := c.Produce(t.Context(), ingest.Record{Topic: "x", Value: []byte("through")}); err != nil {
		t.Fatal(err)
	}
	if taken.Load() == 0 || before == 0 {
		t.Errorf("%d connections came through the forwarder", taken.Load())
	}
}
