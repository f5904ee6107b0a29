package identity_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/identity"
)

func authority(t *testing.T) *identity.Authority {
	t.Helper()
	a, err := identity.New("cluster.local", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What is issued is a pair, verifies against the root for both sides of a connection, and names the service account as Istio does.
func TestWorkload(t *testing.T) {
	a := authority(t)
	chain, key, err := a.Workload("shop", "cart")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.Root()) {
		t.Fatal("the root is no PEM")
	}
	own := pair.Leaf
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := own.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			t.Error(err)
		}
	}
	if len(own.URIs) != 1 || own.URIs[0].String() != "spiffe://cluster.local/ns/shop/sa/cart" || own.IsCA {
		t.Errorf("it names %v, CA %t", own.URIs, own.IsCA)
	}
	if len(pair.Certificate) != 2 {
		t.Errorf("the chain has %d certificates", len(pair.Certificate))
	}
}

func TestOthersDoNotVerify(t *testing.T) {
	chain, _, err := authority(t).Workload("shop", "cart")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority(t).Root())
	if _, err := leaf(t, chain).Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("another authority's certificate verifies")
	}
}

// An identity gets the same certificate whenever it asks, from wherever; two identities get two.
func TestIssuedOnce(t *testing.T) {
	a := authority(t)
	var all sync.WaitGroup
	chains := make([][]byte, 8)
	for i := range chains {
		all.Go(func() { chains[i], _, _ = a.Workload("shop", "cart") })
	}
	all.Wait()
	for _, c := range chains {
		if len(c) == 0 || !bytes.Equal(c, chains[0]) {
			t.Fatal("it was issued again")
		}
	}
	other, _, err := a.Workload("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	if one, two := leaf(t, chains[0]), leaf(t, other); one.SerialNumber.Cmp(two.SerialNumber) == 0 {
		t.Error("two certificates of one authority have the same serial number")
	}
}

func TestNobody(t *testing.T) {
	a := authority(t)
	for _, who := range [][2]string{{"", "cart"}, {"shop", ""}} {
		if _, _, err := a.Workload(who[0], who[1]); err == nil {
			t.Errorf("%q got a certificate", who)
		}
	}
}

func leaf(t *testing.T, chain []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(chain)
	if block == nil {
		t.Fatal("no PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
