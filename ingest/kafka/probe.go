package kafka

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
)

// A Kafka broker that is spoken to in a wrong way hangs up, as one does that restarts. The questions here tell the two apart: they hold no
// secret, and the answer shows what the port wants.

// plainPort reports whether a Kafka broker answers at address in plain text.
func (d *dialer) plainPort(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, err = hello(protocol.NewConn(conn, d.clientID))
	_ = conn.Close() // it was used for one question
	return err == nil
}

// usersPort lists the mechanisms with which the broker wants to be told who asks; none where it does not say so.
func (d *dialer) usersPort(ctx context.Context, address string) []string {
	conn, versions, err := d.open(ctx, "tcp", address)
	if err != nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	talk := protocol.NewConn(conn, d.clientID)
	talk.SetVersions(versions)
	m, err := talk.RoundTrip(&saslhandshake.Request{Mechanism: "?"})
	_ = conn.Close() // it was used for one question
	resp, ok := m.(*saslhandshake.Response)
	if err != nil || !ok || !errors.Is(kafka.Error(resp.ErrorCode), kafka.UnsupportedSASLMechanism) {
		return nil
	}
	return resp.Mechanisms
}

// explainSilence says why a broker that takes connections hung up at a question.
func (d *dialer) explainSilence(ctx context.Context, address string, err error) error {
	if !hungUp(err) || d.security.User != "" {
		return err
	}
	mechanisms := d.usersPort(ctx, address)
	if len(mechanisms) == 0 {
		return err
	}
	return refuse(err, "the broker at %s wants to know who asks: set kafka.user and kafka.password_file, and kafka.mechanism to one of %s, or use a port without users",
		address, strings.ToLower(strings.Join(mechanisms, ", ")))
}
