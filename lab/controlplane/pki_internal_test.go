package controlplane

import (
	"crypto/tls"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestKubeconfigReachesServer: what a kubeconfig says is enough to trust a server with the certificate, and to be known there.
func TestKubeconfigReachesServer(t *testing.T) {
	run := t.TempDir()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("Authorization")))
	}))
	p, err := newPKI(filepath.Join(run, "pki"), time.Now(), netip.MustParseAddr("10.96.0.1"), "https://"+server.Listener.Addr().String(),
		administrator, istiod)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(p.certificate(), p.key())
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()

	tokens, err := os.ReadFile(p.tokens())
	if err != nil {
		t.Fatal(err)
	}
	for i, user := range []string{administrator, istiod} {
		config, err := clientcmd.BuildConfigFromFlags("", p.kubeconfig(user))
		if err != nil {
			t.Fatal(err)
		}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := answers(client, config.Host)(t.Context()); err != nil {
			t.Errorf("%s: %v", user, err)
		}
		if line := strings.Split(string(tokens), "\n")[i]; line != config.BearerToken+","+user+","+user+",system:masters" {
			t.Errorf("the API server knows %s as %q", user, line)
		}
		client.CloseIdleConnections()
	}
	if p.kubeconfig(administrator) != filepath.Join(run, "kubeconfig") {
		t.Errorf("the administrator's kubeconfig is %s", p.kubeconfig(administrator))
	}
	private(t, run)
}

// private fails for files that others may read.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
