// Package identity is the certificate authority of the lab's mesh. It issues SPIFFE X.509 certificates
// (https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md) as Istio's would, to whoever the lab asks them for.
package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	domain string
	from   time.Time
	root   *x509.Certificate
	key    *ecdsa.PrivateKey
	pem    []byte

	mu     sync.Mutex
	issued map[string]pair
}

type pair struct{ chain, key []byte }

// lifetime is longer than any lab lives: certificates are not renewed.
const lifetime = 10 * 365 * 24 * time.Hour

// New makes an authority for a trust domain. Certificates are valid from an hour before now, so that a wrong clock does no harm.
func New(domain string, now time.Time) (*Authority, error) {
	a := &Authority{domain: domain, from: now.Add(-time.Hour), issued: map[string]pair{}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the root's key: %w", err)
	}
	template := a.template("lab root of " + domain)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make the root certificate: %w", err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read the root certificate: %w", err)
	}
	a.pem = encode("CERTIFICATE", der)
	return a, nil
}

// Root returns the root certificate as PEM.
func (a *Authority) Root() []byte { return a.pem }

// Workload returns the certificate chain and the key, as PEM, of a Kubernetes service account.
func (a *Authority) Workload(namespace, serviceAccount string) (chain, key []byte, err error) {
	if namespace == "" || serviceAccount == "" {
		return nil, nil, fmt.Errorf("an identity needs a namespace and a service account, got %q and %q", namespace, serviceAccount)
	}
	id := url.URL{Scheme: "spiffe", Host: a.domain, Path: "/ns/" + namespace + "/sa/" + serviceAccount}
	a.mu.Lock()
	defer a.mu.Unlock()
	if p, ok := a.issued[id.Path]; ok {
		return p.chain, p.key, nil
	}
	p, err := a.issue(&id)
	if err != nil {
		return nil, nil, fmt.Errorf("issue %s: %w", id.String(), err)
	}
	a.issued[id.Path] = p
	return p.chain, p.key, nil
}

func (a *Authority) issue(id *url.URL) (pair, error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	template := a.template("")
	template.URIs = []*url.URL{id}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, own.Public(), a.key)
	if err != nil {
		return pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return pair{}, err
	}
	return pair{chain: append(encode("CERTIFICATE", der), a.pem...), key: encode("PRIVATE KEY", private)}, nil
}

func (a *Authority) template(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: a.from, NotAfter: a.from.Add(lifetime), // each gets a serial number of its own
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
