package kafka_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
)

// secured is a cluster with TLS and users, and what a client needs to get in.
type secured struct {
	address string
	ca      *authority
	good    kafka.Security
}

// newSecured starts a cluster on which only the admin may do everything; more options add to it.
func newSecured(t *testing.T, server *tls.Config, more ...kfake.Opt) secured {
	t.Helper()
	ca := newAuthority(t)
	if server == nil {
		server = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.pair(t, validFor("127.0.0.1"))}}
	}
	options := append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.TLS(server), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "admin", "secret"), kfake.Superuser("SCRAM-SHA-256", "admin", "secret"), kfake.Superuser("SCRAM-SHA-512", "admin", "secret"),
	}, more...)
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return secured{address: cluster.ListenAddrs()[0], ca: ca, good: kafka.Security{
		TLS: true, CAFile: ca.file(t), User: "admin", PasswordFile: writeFile(t, "secret\n"), Mechanism: kafka.ScramSHA512,
	}}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryMechanismGetsIn(t *testing.T) {
	s := newSecured(t, nil)
	for _, mechanism := range kafka.Mechanisms() {
		sec := s.good
		sec.Mechanism = mechanism
		c := newClient(t, kafka.Config{Addresses: []string{s.address}, Security: sec})
		if err := c.Check(t.Context(), kafka.Right{Kind: kafka.KindTopic, Name: topic, Operations: []string{kafka.Write}}); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		ensure(t, c, 1)
		produce(t, c, 0, 0, 1)
	}
}

// TestRefusalsAreSaidInWords is the table of what a person reads when a connection cannot be had.
func TestRefusalsAreSaidInWords(t *testing.T) {
	s := newSecured(t, nil)
	plainUsers := startUsers(t)
	mutual := newMutual(t)
	expired := newServer(t, func(c *x509.Certificate) { validFor("127.0.0.1")(c); c.NotAfter = time.Now().Add(-time.Minute) })
	elsewhere := newServer(t, validFor("kafka.example.org"))
	set := func(base kafka.Security, change func(*kafka.Security)) kafka.Security {
		change(&base)
		return base
	}
	other := newAuthority(t)
	for _, tt := range []struct {
		name, address string
		security      kafka.Security
		says          string
		refused       bool // else it may pass, as when a broker restarts
	}{
		{"wrong authority", s.address, set(s.good, func(c *kafka.Security) { c.CAFile = other.file(t) }), "signed by an authority that is not trusted", true},
		{"no authority", s.address, set(s.good, func(c *kafka.Security) { c.CAFile = "" }), "name the authority's file in kafka.ca_file", true},
		{"expired certificate", expired.address, expired.good, "has expired or is not valid yet", true},
		{"wrong host name", elsewhere.address, elsewhere.good, "is for another host", true},
		{"no client certificate", mutual.address, set(mutual.good, func(c *kafka.Security) { c.CertFile, c.KeyFile = "", "" }), "wants a client certificate", true},
		{"client certificate of somebody else", mutual.address, set(mutual.good, func(c *kafka.Security) { c.CertFile, c.KeyFile = other.client(t) }), "refuses the client certificate", true},
		{"plain text on a TLS port", s.address, kafka.Security{}, "set kafka.tls", false},
		{"wrong user", s.address, set(s.good, func(c *kafka.Security) { c.User = "nobody" }), "refuses the user nobody: wrong user or password", true},
		{"wrong password", s.address, set(s.good, func(c *kafka.Security) { c.PasswordFile = writeFile(t, "wrong") }), "refuses the user admin: wrong user or password", true},
		{"wrong plain password", s.address, set(s.good, func(c *kafka.Security) { c.Mechanism, c.PasswordFile = kafka.Plain, writeFile(t, "wrong") }), "wrong user or password", true},
		{"mechanism not offered", plainUsers, set(s.good, func(c *kafka.Security) { c.TLS, c.CAFile = false, "" }), "does not take SCRAM-SHA-512, but plain: set kafka.mechanism", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, kafka.Config{Addresses: []string{tt.address}, Security: tt.security})
			for what, err := range map[string]error{"check": c.Check(t.Context()), "request": clusterID(t, c)} {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s says %v, want %q in it", what, err, tt.says)
				} else if kafka.IsRefused(err) != tt.refused {
					t.Errorf("%s: refused is %t: %v", what, !tt.refused, err)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: the password is in %v", what, err)
				}
			}
		})
	}
}

// TestNobodyWhereAUserIsWanted: brokers hang up at a question of nobody. The check asks why, other requests say what it can be.
func TestNobodyWhereAUserIsWanted(t *testing.T) {
	s := newSecured(t, nil)
	c := newClient(t, kafka.Config{Addresses: []string{s.address}, Security: kafka.Security{TLS: true, CAFile: s.good.CAFile}})
	if err := c.Check(t.Context()); !kafka.IsRefused(err) || !strings.Contains(err.Error(), "kafka.mechanism to one of plain, scram-sha-256, scram-sha-512") {
		t.Errorf("check: %v", err)
	}
	if err := clusterID(t, c); err == nil || kafka.IsRefused(err) || !strings.Contains(err.Error(), "set kafka.user and kafka.password_file") {
		t.Errorf("request: %v", err)
	}
}

// TestTLSOnAPlainPort: a broker that keeps silent may be starting; one that hangs up is asked in plain text.
func TestTLSOnAPlainPort(t *testing.T) {
	cluster, _ := newCluster(t)
	silent := cluster.ListenAddrs()[0]
	for address, refused := range map[string]bool{silent: false, startHangUp(t, silent): true} {
		cfg := kafka.Config{Addresses: []string{address}, Security: kafka.Security{TLS: true}}
		if address == silent {
			cfg.Timeout = 200 * time.Millisecond // it will be used up
		}
		c := newClient(t, cfg)
		err := c.Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), "set kafka.tls to false") || strings.Contains(err.Error(), "kafka.user") {
			t.Errorf("error %v", err)
		}
		if kafka.IsRefused(err) != refused {
			t.Errorf("refused is %t: %v", !refused, err)
		}
	}
}

// startHangUp forwards connections to a broker, but hangs up where TLS begins, as Apache Kafka does.
func startHangUp(t *testing.T, broker string) string {
	t.Helper()
	return serve(t, func(in net.Conn) { forwardPlain(in, broker) })
}

// serve hands each connection to a port of its own to handle, and returns its address.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go handle(in)
		}
	}()
	return l.Addr().String()
}

func forwardPlain(in net.Conn, broker string) {
	defer func() { _ = in.Close() }()
	first := make([]byte, 1)
	const handshake = 22 // the first byte of TLS
	if _, err := in.Read(first); err != nil || first[0] == handshake {
		return
	}
	out, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	if _, err := out.Write(first); err != nil {
		return
	}
	go func() { _, _ = io.Copy(in, out) }()
	_, _ = io.Copy(out, in)
}

func clusterID(t *testing.T, c *kafka.Client) error {
	t.Helper()
	_, err := c.ClusterID(t.Context())
	return err
}

// startUsers runs a cluster without TLS that takes plain passwords only.
func startUsers(t *testing.T) string {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := kmsg.NewPtrSASLHandshakeResponse()
		resp.SetVersion(req.GetVersion())
		resp.ErrorCode, resp.SupportedMechanisms = kerr.UnsupportedSaslMechanism.Code, []string{"PLAIN"}
		return resp, nil, true
	})
	return cluster.ListenAddrs()[0]
}

// newServer starts a cluster whose certificate is as change makes it.
func newServer(t *testing.T, change func(*x509.Certificate)) secured {
	t.Helper()
	ca := newAuthority(t)
	s := newSecured(t, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.pair(t, change)}})
	s.good.CAFile = ca.file(t)
	return s
}

// newMutual starts a cluster that wants certificates of its clients.
func newMutual(t *testing.T) secured {
	t.Helper()
	ca := newAuthority(t)
	s := newSecured(t, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.pair(t, validFor("127.0.0.1"))},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(),
	})
	s.good.CAFile = ca.file(t)
	s.good.CertFile, s.good.KeyFile = ca.client(t)
	return s
}

func TestAClientCertificateGetsIn(t *testing.T) {
	s := newMutual(t)
	if err := newClient(t, kafka.Config{Addresses: []string{s.address}, Security: s.good}).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFilesAreReadForEveryConnection renews a password and an authority under a client that runs.
func TestFilesAreReadForEveryConnection(t *testing.T) {
	s := newSecured(t, nil)
	right, err := os.ReadFile(s.good.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	sec := s.good
	sec.PasswordFile, sec.CAFile = writeFile(t, "old"), newAuthority(t).file(t)
	c := newClient(t, kafka.Config{Addresses: []string{s.address}, Security: sec})
	if err := c.Check(t.Context()); !kafka.IsRefused(err) || !strings.Contains(err.Error(), "authority") {
		t.Errorf("with the old authority: %v", err)
	}
	if err := os.WriteFile(sec.CAFile, right, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t.Context()); !kafka.IsRefused(err) || !strings.Contains(err.Error(), "password") {
		t.Errorf("with the old password: %v", err)
	}
	if err := os.WriteFile(sec.PasswordFile, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	write := kafka.Right{Kind: kafka.KindTopic, Name: topic, Operations: []string{kafka.Write}}
	s := newSecured(t, nil, kfake.User("SCRAM-SHA-512", "writer", "secret", acls(write)...), kfake.SeedTopics(1, topic, "weir.progress"))
	sec := s.good
	sec.User = "writer"
	c := newClient(t, kafka.Config{Addresses: []string{s.address}, Security: sec, Topics: []string{topic, "weir.progress"}})
	if err := c.Check(t.Context(), write); err != nil {
		t.Errorf("with all rights: %v", err)
	}
	err := c.Check(t.Context(), write, kafka.Right{Kind: kafka.KindTopic, Name: "weir.progress", Operations: []string{kafka.Write}},
		kafka.Right{Kind: kafka.KindTopic, Name: topic, Operations: []string{kafka.Read}},
		kafka.Right{Kind: kafka.KindGroup, Name: group, Operations: []string{kafka.Read}})
	want := "the Kafka user writer lacks rights: Write on topic weir.progress, Read on topic weir.calls, Read on group weir-features"
	if !kafka.IsRefused(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	for what, err := range map[string]error{
		"topic weir.progress": c.Produce(t.Context(), ingest.Record{Topic: "weir.progress", Value: []byte("x")}),
		"group " + group:      errOf(c.Direct(group, topic).Session(t.Context())),
	} {
		if !kafka.IsRefused(err) || ingest.IsPermanent(err) || !strings.Contains(err.Error(), "writer may not use "+what) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func errOf(_ ingest.Session, err error) error { return err }

func TestTheGroupSaysWhyItCannotBeJoined(t *testing.T) {
	s := newSecured(t, nil)
	sec := s.good
	sec.PasswordFile = writeFile(t, "wrong")
	cfg := kafka.Config{Addresses: []string{s.address}, Security: sec}
	g, err := newClient(t, cfg).Group(cfg, group, quiet, topic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	if _, err = g.Session(t.Context()); !kafka.IsRefused(err) || !strings.Contains(err.Error(), "wrong user or password") {
		t.Errorf("error %v", err)
	}
}

func TestSecurityThatCannotWorkIsRefusedBeforeConnecting(t *testing.T) {
	password := writeFile(t, "secret")
	for says, security := range map[string]kafka.Security{
		"needs TLS":                           {CertFile: "a", KeyFile: "b"},
		"belong together":                     {TLS: true, CertFile: "a"},
		"no such file":                        {TLS: true, CAFile: "missing.pem"},
		"no PEM certificate":                  {TLS: true, CAFile: password},
		"without a user":                      {PasswordFile: password},
		"has no password":                     {User: "u"},
		"is empty":                            {User: "u", PasswordFile: writeFile(t, "\n"), Mechanism: kafka.Plain},
		`mechanism "gssapi" is not one`:       {User: "u", PasswordFile: password, Mechanism: "gssapi"},
		"would go to 192.0.2.1:9092 in plain": {User: "u", PasswordFile: password, Mechanism: kafka.Plain},
	} {
		if _, err := kafka.New(kafka.Config{Addresses: []string{"192.0.2.1:9092"}, Security: security}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want %q in it", err, says)
		}
	}
	newClient(t, kafka.Config{Addresses: []string{"192.0.2.1:9092"}, Security: kafka.Security{User: "u", PasswordFile: password, Mechanism: kafka.Plain, Insecure: true}})
}
