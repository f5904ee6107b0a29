package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
)

// refusal is an error that lasts until somebody changes a setting, a certificate, a user or a right.
type refusal struct{ err error }

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

func refuse(err error, format string, args ...any) error {
	return refusal{fmt.Errorf(format+": %w", append(args, err)...)}
}

// IsRefused reports whether err says that the cluster refuses this client: trying again at once does not help. What runs already may
// still wait for somebody to mend it.
func IsRefused(err error) bool {
	var r refusal
	return errors.As(err, &r)
}

// explained is an error that says already what a person needs, but may pass by itself.
type explained struct{ err error }

func (e explained) Error() string { return e.err.Error() }
func (e explained) Unwrap() error { return e.err }

func isExplained(err error) bool {
	var e explained
	return IsRefused(err) || errors.As(err, &e)
}

// explainTLS says why a TLS handshake failed.
func (d *dialer) explainTLS(address string, err error) error {
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		name      x509.HostnameError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return refuse(err, "the certificate of Kafka at %s is signed by an authority that is not trusted: name the authority's file in kafka.ca_file (or tls.ca_file)", address)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return refuse(err, "the certificate of Kafka at %s has expired or is not valid yet: renew it, or set the clock of this machine", address)
	case errors.As(err, &name):
		return refuse(err, "the certificate of Kafka at %s is for another host: use a name that it lists in kafka.addresses and advertised.listeners, or have it name this one", address)
	case errors.As(err, &record):
		return d.refuseTLS(address, err)
	case hungUp(err), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return explained{fmt.Errorf("the broker at %s does not go on with the TLS handshake (is it restarting? or a port without TLS: use its TLS port, or set kafka.tls to false): %w",
			address, err)}
	}
	return d.explainAlert(address, err)
}

func (d *dialer) refuseTLS(address string, err error) error {
	return refuse(err, "the broker at %s does not speak TLS on this port: use its TLS port, or set kafka.tls to false", address)
}

// explainAlert says what a broker did not like in a TLS handshake. With TLS 1.3 that comes with the first answer.
func (d *dialer) explainAlert(address string, err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return fmt.Errorf("connect to Kafka at %s with TLS: %w", address, err)
	}
	if d.security.CertFile == "" {
		return refuse(err, "the broker at %s wants a client certificate: name one in kafka.cert_file and its key in kafka.key_file", address)
	}
	return refuse(err, "the broker at %s refuses the client certificate %s: use one that its authorities have signed and that has not expired", address, d.security.CertFile)
}

// explainHello says why a broker did not answer the first question.
func (d *dialer) explainHello(address string, err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "remote error":
		return d.explainAlert(address, err)
	case strings.Contains(err.Error(), "expecting TLS"):
		return refuse(err, "the broker at %s speaks TLS on this port: set kafka.tls, or use its plain port", address)
	case hungUp(err) && !d.security.TLS:
		return explained{fmt.Errorf("the broker at %s hung up at the first word (is it restarting? or a port with TLS: set kafka.tls, or use its plain port): %w", address, err)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return explained{fmt.Errorf("the broker at %s does not answer (does something else listen there?): %w", address, err)}
	}
	return explained{fmt.Errorf("the broker at %s does not answer: %w", address, err)}
}

// explainMechanism says why a broker does not want to hear the user in this way.
func (d *dialer) explainMechanism(address, name string, resp *saslhandshake.Response) error {
	if resp == nil {
		return fmt.Errorf("log in to Kafka at %s as %s: unexpected answer", address, d.security.User)
	}
	err := kafka.Error(resp.ErrorCode)
	if errors.Is(err, kafka.UnsupportedSASLMechanism) && len(resp.Mechanisms) > 0 {
		return refuse(err, "the broker at %s does not take %s, but %s: set kafka.mechanism", address, name, strings.ToLower(strings.Join(resp.Mechanisms, ", ")))
	}
	return refuse(err, "the broker at %s takes no user on this port: use its SASL port, or remove kafka.user", address)
}

// explainPassword says that a proof failed. Brokers do not tell whether it was the name or the password; some just hang up.
func (d *dialer) explainPassword(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("log in to Kafka at %s as %s: %w", address, d.security.User, ctx.Err())
	}
	return refuse(err, "the broker at %s refuses the user %s: wrong user or password (kafka.user, kafka.password_file), or the user has none for %s (kafka.mechanism)",
		address, d.security.User, d.security.Mechanism)
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// explain adds what a person needs to errors of requests. what is a topic or group in words, for example "topic weir.calls".
func (c *Client) explain(what string, err error) error {
	var op *net.OpError
	switch {
	case err == nil, isExplained(err):
		return err
	case errors.Is(err, kafka.TopicAuthorizationFailed), errors.Is(err, kafka.GroupAuthorizationFailed):
		return refuse(err, "%s may not use %s: `weir topics acls` prints the rights that each stage needs", c.who(), what)
	case errors.Is(err, kafka.ClusterAuthorizationFailed):
		return refuse(err, "%s may not do this to the cluster: `weir topics acls` prints the rights that each stage needs", c.who())
	case isTooLarge(err):
		return fmt.Errorf("one message is larger than %s allows (max.message.bytes): `weir topics plan` shows it, `weir topics apply` raises it: %w", what, err)
	case errors.Is(err, kafka.InvalidRecord):
		return fmt.Errorf("%s refuses messages of this form (is its cleanup.policy compact, by mistake?): `weir topics plan` shows it, `weir topics apply` sets it: %w", what, err)
	case errors.Is(err, kafka.KafkaStorageError):
		return fmt.Errorf("the broker cannot store: its disk is full or broken, or fewer than broker.min_free_mib are free: %w", err)
	case errors.As(err, &op) && op.Op == "dial", errors.Is(err, kafka.BrokerNotAvailable):
		return fmt.Errorf("no Kafka broker answers at %s: %w", c.kafka.Addr, err)
	case hungUp(err) && c.dialer.security.User == "":
		return fmt.Errorf("the broker hung up (is it restarting? or does it want to know who asks: set kafka.user and kafka.password_file): %w", err)
	case hungUp(err):
		return fmt.Errorf("the broker hung up (is it restarting?): %w", err)
	}
	return err
}

// who names this client as brokers know it.
func (c *Client) who() string {
	switch {
	case c.dialer.security.User != "":
		return "the Kafka user " + c.dialer.security.User
	case c.dialer.security.CertFile != "":
		return "the Kafka user of the certificate " + c.dialer.security.CertFile
	}
	return "Weir, which names no Kafka user,"
}
