package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Names of the ways to prove who one is, as the configuration writes them.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
)

// Mechanisms lists what Security.Mechanism takes.
func Mechanisms() []string { return []string{Plain, ScramSHA256, ScramSHA512} }

// Security says how connections are protected and who opens them. The zero value is plain text without a user. Its files are read again
// for every new connection, so certificates and passwords can be renewed while Weir runs.
type Security struct {
	TLS               bool
	CAFile            string // PEM certificates to trust besides those of the system; "" = only the system's
	CertFile, KeyFile string // PEM certificate to show and its key; "" = none
	User              string // "" = nobody
	PasswordFile      string
	Mechanism         string // one of Mechanisms
	Insecure          bool   // the password itself (mechanism plain) may cross a network without TLS
}

// check says what is wrong before anything is connected: combinations that cannot work, and files that cannot be read.
func (s Security) check() error {
	switch {
	case !s.TLS && (s.CertFile != "" || s.KeyFile != ""):
		return errors.New("a Kafka client certificate needs TLS: set kafka.tls too")
	case s.TLS && (s.CertFile == "") != (s.KeyFile == ""):
		return errors.New("a Kafka client certificate and its key belong together: set kafka.cert_file and kafka.key_file, or neither")
	case s.User == "" && s.PasswordFile != "":
		return errors.New("a Kafka password without a user: set kafka.user too")
	case s.User != "" && s.PasswordFile == "":
		return fmt.Errorf("the Kafka user %s has no password: name its file with kafka.password_file", s.User)
	}
	if _, err := s.tls(""); err != nil {
		return err
	}
	_, err := s.mechanism()
	return err
}

// tls returns the configuration of a connection to host; nil for plain text.
func (s Security) tls(host string) (*tls.Config, error) {
	if !s.TLS {
		return nil, nil //nolint:nilnil // nil is plain text, as in crypto/tls users' fields
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if s.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the Kafka client certificate %s and its key %s: %w", s.CertFile, s.KeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if s.CAFile == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificates to trust for Kafka: %w", err)
	}
	if cfg.RootCAs, err = x509.SystemCertPool(); err != nil {
		cfg.RootCAs = x509.NewCertPool() // some systems have none; then only the file counts
	}
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the certificates to trust for Kafka: no PEM certificate in %s", s.CAFile)
	}
	return cfg, nil
}

// mechanism reads the password and returns the way to prove it; nil without a user. Errors never hold the password.
func (s Security) mechanism() (sasl.Mechanism, error) {
	if s.User == "" {
		return nil, nil //nolint:nilnil // nobody has nothing to prove
	}
	text, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("read the password of the Kafka user %s: %w", s.User, err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return nil, fmt.Errorf("read the password of the Kafka user %s: %s is empty", s.User, s.PasswordFile)
	}
	switch s.Mechanism {
	case Plain:
		return plain.Mechanism{Username: s.User, Password: password}, nil
	case ScramSHA256:
		return scram.Mechanism(scram.SHA256, s.User, password)
	case ScramSHA512:
		return scram.Mechanism(scram.SHA512, s.User, password)
	}
	return nil, fmt.Errorf("the Kafka mechanism %q is not one of %s", s.Mechanism, strings.Join(Mechanisms(), ", "))
}

// checkPeer refuses to send a password where others can read it.
func (s Security) checkPeer(address string) error {
	if s.TLS || s.Insecure || s.User == "" || s.Mechanism != Plain || isLoopback(address) {
		return nil
	}
	return fmt.Errorf("the password of the Kafka user %s would go to %s in plain text: set kafka.tls, or kafka.mechanism to %s, or allow it with --insecure",
		s.User, address, strings.Join(slices.DeleteFunc(Mechanisms(), func(m string) bool { return m == Plain }), " or "))
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
