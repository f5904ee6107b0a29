package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"
)

// dialer opens connections. kafka-go would do the handshakes itself, but many ways to fail are "unexpected EOF" to it; done here, each
// error says at which step the broker refused.
type dialer struct {
	security Security
	clientID string
	timeout  time.Duration
}

// dial returns a connection that is encrypted, answered and authenticated, as configured.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, _, err := d.open(ctx, network, address)
	return conn, err
}

// open also tells the version of each request that both sides speak. The connection is the caller's to close.
func (d *dialer) open(ctx context.Context, network, address string) (net.Conn, map[protocol.ApiKey]int16, error) {
	if err := d.security.checkPeer(address); err != nil {
		return nil, nil, refusal{err}
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes whoever waits for the broker
	ready, versions, err := d.introduce(ctx, conn, address)
	stop()
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close() // it is of no use; why is known
		return nil, nil, err
	}
	return ready, versions, nil
}

// introduce does the handshakes on a fresh connection.
func (d *dialer) introduce(ctx context.Context, conn net.Conn, address string) (net.Conn, map[protocol.ApiKey]int16, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to Kafka at %q: %w", address, err)
	}
	secure, err := d.security.tls(host)
	if err != nil {
		return nil, nil, err
	}
	if secure != nil {
		client := tls.Client(conn, secure)
		if err := client.HandshakeContext(ctx); err != nil {
			if hungUp(err) && d.plainPort(ctx, address) {
				return nil, nil, d.refuseTLS(address, err)
			}
			return nil, nil, d.explainTLS(address, err)
		}
		conn = client
	}
	talk := protocol.NewConn(conn, d.clientID)
	versions, err := hello(talk)
	if err != nil {
		return nil, nil, d.explainHello(address, err)
	}
	talk.SetVersions(versions)
	if d.security.User != "" {
		if err := d.authenticate(ctx, talk, address); err != nil {
			return nil, nil, err
		}
	}
	return conn, versions, nil
}

// hello asks what the broker speaks. It is the first exchange, so a refusal of the client's certificate shows here (TLS 1.3).
func hello(conn *protocol.Conn) (map[protocol.ApiKey]int16, error) {
	m, err := conn.RoundTrip(&apiversions.Request{})
	if err != nil {
		return nil, err
	}
	resp, ok := m.(*apiversions.Response)
	if !ok || resp.ErrorCode != 0 && len(resp.ApiKeys) == 0 {
		return nil, fmt.Errorf("the broker does not say which requests it takes: %w", kafka.Error(35))
	}
	versions := map[protocol.ApiKey]int16{}
	for _, r := range resp.ApiKeys {
		key := protocol.ApiKey(r.ApiKey)
		versions[key] = key.SelectVersion(r.MinVersion, r.MaxVersion)
	}
	// Version 0 would continue without Kafka's framing, and without words for what is wrong.
	versions[protocol.SaslHandshake] = max(versions[protocol.SaslHandshake], 1)
	return versions, nil
}

// authenticate proves the user.
func (d *dialer) authenticate(ctx context.Context, conn *protocol.Conn, address string) error {
	mechanism, err := d.security.mechanism()
	if err != nil {
		return err
	}
	m, err := conn.RoundTrip(&saslhandshake.Request{Mechanism: mechanism.Name()})
	if err != nil {
		return d.explainHello(address, err)
	}
	if resp, ok := m.(*saslhandshake.Response); !ok || resp.ErrorCode != 0 {
		return d.explainMechanism(address, mechanism.Name(), resp)
	}
	session, state, err := mechanism.Start(sasl.WithMetadata(ctx, &sasl.Metadata{Host: address}))
	for done := false; !done && err == nil; {
		var challenge []byte
		if challenge, err = prove(conn, state); err != nil {
			break
		}
		done, state, err = session.Next(ctx, challenge)
	}
	if err != nil {
		return d.explainPassword(ctx, address, err)
	}
	return nil
}

// prove is one step of an authentication.
func prove(conn *protocol.Conn, state []byte) (challenge []byte, err error) {
	m, err := conn.RoundTrip(&saslauthenticate.Request{AuthBytes: state})
	if err != nil {
		return nil, err
	}
	resp, ok := m.(*saslauthenticate.Response)
	switch {
	case !ok:
		return nil, fmt.Errorf("unexpected answer %T", m)
	case resp.ErrorCode != 0:
		return nil, fmt.Errorf("%w: %s", kafka.Error(resp.ErrorCode), resp.ErrorMessage)
	}
	return resp.AuthBytes, nil
}
