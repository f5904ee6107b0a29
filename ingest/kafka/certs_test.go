package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirmesh/weir/ingest/kafka"
)

// authority signs certificates of tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority " + t.Name()}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = a.sign(t, template, template, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// pair makes a certificate that is valid for an hour, but for what change says.
func (a *authority) pair(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(template)
	key := newKey(t)
	return tls.Certificate{Certificate: [][]byte{a.sign(t, template, a.cert, key).Raw}, PrivateKey: key}
}

// validFor names the host of a certificate.
func validFor(host string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = []net.IP{ip}
		} else {
			c.DNSNames = []string{host}
		}
	}
}

func (a *authority) file(t *testing.T) string {
	t.Helper()
	return writePEM(t, "CERTIFICATE", a.cert.Raw)
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// client writes a client's certificate and key.
func (a *authority) client(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	pair := a.pair(t, func(c *x509.Certificate) { c.Subject.CommonName = "client" })
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", pair.Certificate[0]), writePEM(t, "PRIVATE KEY", der)
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

// acls are rights as the cluster of the tests takes them.
func acls(rights ...kafka.Right) []kfake.ACL {
	code := map[string]kmsg.ACLOperation{
		kafka.Read: kmsg.ACLOperationRead, kafka.Write: kmsg.ACLOperationWrite, kafka.Create: kmsg.ACLOperationCreate,
		kafka.Delete: kmsg.ACLOperationDelete, kafka.Alter: kmsg.ACLOperationAlter, kafka.Describe: kmsg.ACLOperationDescribe,
		kafka.DescribeConfigs: kmsg.ACLOperationDescribeConfigs, kafka.AlterConfigs: kmsg.ACLOperationAlterConfigs,
	}
	var out []kfake.ACL
	for _, r := range rights {
		kind := kmsg.ACLResourceTypeTopic
		if r.Kind == kafka.KindGroup {
			kind = kmsg.ACLResourceTypeGroup
		}
		for _, o := range r.Operations {
			out = append(out, kfake.ACL{Allow: true, Resource: kind, Name: r.Name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: code[o]})
		}
	}
	return out
}
