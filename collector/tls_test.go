package collector_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/weirmesh/weir/collector"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
)

// certificate writes a self-signed certificate for localhost and returns its files and a pool that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, text := range map[string][]byte{certFile: cert, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return certFile, keyFile, pool
}

func TestTLS(t *testing.T) {
	certFile, keyFile, pool := certificate(t)
	cluster, client := startKafka(t)
	c := start(t, cluster, func(cfg *collector.Config) { cfg.CertFile, cfg.KeyFile = certFile, keyFile })
	export := func(conn *grpc.ClientConn) error {
		_, err := ptraceotlp.NewGRPCClient(conn).Export(t.Context(), ptraceotlp.NewExportRequestFromTraces(spans(1, 3)))
		return err
	}
	if err := export(c.grpc); err == nil {
		t.Error("plain text is taken")
	}
	secure, err := grpc.NewClient(c.grpc.Target(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12,
	})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = secure.Close() }()
	if err := export(secure); err != nil {
		t.Fatal(err)
	}
	if n := len(readSpans(t, cluster, client)); n != 3 {
		t.Errorf("%d spans in Kafka, want 3", n)
	}
}

func TestKafkaOverTLSWithAUser(t *testing.T) {
	certFile, keyFile, _ := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secure := kafka.Security{TLS: true, CAFile: certFile, User: "collector", PasswordFile: password, Mechanism: kafka.ScramSHA256}
	cluster, client := startKafkaWith(t, secure, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "collector", "secret"))
	c := start(t, cluster, func(cfg *collector.Config) { cfg.KafkaSecurity = secure })
	req := ptraceotlp.NewExportRequestFromTraces(spans(1, 30))
	if _, err := ptraceotlp.NewGRPCClient(c.grpc).Export(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	bounds, err := client.Bounds(t.Context(), wire.TopicCalls)
	if err != nil {
		t.Fatal(err)
	}
	for p, b := range bounds {
		if b.End != 1 {
			t.Errorf("partition %d has %d messages, want 1", p, b.End)
		}
	}
}

func TestMissingCertificateIsNamed(t *testing.T) {
	cfg := collector.DefaultConfig()
	cfg.KafkaAddresses = []string{"127.0.0.1:1"}
	cfg.CertFile, cfg.KeyFile = "missing-cert.pem", "missing-key.pem"
	if err := collector.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "missing-cert.pem") {
		t.Errorf("got %v", err)
	}
}
