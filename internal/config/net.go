package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// CheckListen says whether a server may listen on addr ("host:port"). A loopback address is always fine. Any other needs TLS or the
// user's word that plain text is wanted (insecure). No host means every interface, and a name other than localhost is not taken for
// loopback, because what it resolves to can change.
func CheckListen(addr string, insecure, tls bool) error {
	host, _, err := splitAddress(addr)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", addr, err)
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() || insecure || tls {
		return nil
	}
	return fmt.Errorf("listen on %s: not a loopback address: set tls.cert_file and tls.key_file, or allow plain text with --insecure", addr)
}

func splitAddress(addr string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, errors.New("write host:port, for example 127.0.0.1:4317")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number from 0 to 65535", text)
	}
	return host, uint16(n), nil
}

// ServerTLS is what every listener uses: nil, without error, when no certificate is set.
func ServerTLS(c Config) (*tls.Config, error) {
	if c.TLS.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("load tls.cert_file %s and tls.key_file %s: %w", c.TLS.CertFile, c.TLS.KeyFile, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// ClientTLS is for connecting out: it trusts the system's authorities and, when set, those in tls.ca_file. It is never nil; whether a
// connection uses TLS is for kafka.tls and clickhouse.tls to say.
func ClientTLS(c Config) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS.CAFile == "" {
		return out, nil
	}
	pem, err := os.ReadFile(c.TLS.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read tls.ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // some systems have none; then only ca_file counts
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read tls.ca_file %s: no PEM certificate in it", c.TLS.CAFile)
	}
	out.RootCAs = pool
	return out, nil
}

// Password reads the password from its file, without the line end; empty when no file is set.
func (c ClickHouse) Password() (string, error) {
	if c.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read clickhouse.password_file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
