package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// pki is a folder with what the parts prove who they are with. It is made anew at each start.
type pki struct {
	dir string
	ca  []byte // PEM
}

// Files of the folder.
func (p pki) authority() string   { return filepath.Join(p.dir, "ca.crt") }
func (p pki) certificate() string { return filepath.Join(p.dir, "server.crt") }
func (p pki) key() string         { return filepath.Join(p.dir, "server.key") }
func (p pki) accounts() string    { return filepath.Join(p.dir, "accounts.key") } // signs tokens of service accounts
func (p pki) tokens() string      { return filepath.Join(p.dir, "tokens.csv") }

// kubeconfig is a file for a user; people look for the administrator's one folder up.
func (p pki) kubeconfig(user string) string {
	if user == administrator {
		return filepath.Join(filepath.Dir(p.dir), "kubeconfig")
	}
	return filepath.Join(p.dir, user+".kubeconfig")
}

// Users that are no parts of their own.
const (
	administrator = "admin"
	addressesUser = "addresses"
)

// lifetime of certificates is longer than any lab's: nothing is renewed.
const lifetime = 10 * 365 * 24 * time.Hour

// newPKI makes an authority, a server certificate for every part that is spoken to over TLS, and for each user a random token, a member of
// system:masters, with a kubeconfig for server. api is the address of the API server in the network of services.
func newPKI(dir string, now time.Time, api netip.Addr, server string, users ...string) (pki, error) {
	p := pki{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return p, err
	}
	if err := p.certify(now, api); err != nil {
		return p, fmt.Errorf("make certificates: %w", err)
	}
	var tokens strings.Builder
	for _, user := range users {
		token := rand.Text()
		fmt.Fprintf(&tokens, "%s,%s,%s,system:masters\n", token, user, user)
		if err := writeKubeconfig(p.kubeconfig(user), user, token, server, p.ca); err != nil {
			return p, err
		}
	}
	return p, os.WriteFile(p.tokens(), []byte(tokens.String()), 0o600)
}

func (p *pki) certify(now time.Time, api netip.Addr) error {
	root, rootKey, err := p.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "lab cluster"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil, nil, p.authority(), "")
	if err != nil {
		return err
	}
	p.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
	_, _, err = p.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "lab server"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.ParseIP(host), api.AsSlice()},
	}, root, rootKey, p.certificate(), p.key())
	if err != nil {
		return err
	}
	accounts, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	return writeKey(p.accounts(), accounts)
}

// issue makes a key and a certificate, signed by parent or, if that is nil, by itself. An empty keyFile keeps the key out of the folder.
func (p *pki) issue(
	template, parent *x509.Certificate, by *ecdsa.PrivateKey, file, keyFile string,
) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, by = template, key
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		return nil, nil, err
	}
	if keyFile != "" {
		if err := writeKey(keyFile, key); err != nil {
			return nil, nil, err
		}
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, nil, err
	}
	made, err := x509.ParseCertificate(der)
	return made, key, err
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// writeKubeconfig writes a file that needs no other.
func writeKubeconfig(file, user, token, server string, ca []byte) error {
	c := clientcmdapi.NewConfig()
	c.Clusters["lab"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	c.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	c.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: user}
	c.CurrentContext = "lab"
	text, err := clientcmd.Write(*c)
	if err != nil {
		return fmt.Errorf("write a kubeconfig for %s: %w", user, err)
	}
	return os.WriteFile(file, text, 0o600)
}
