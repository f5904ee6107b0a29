package signing_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weirmesh/weir/internal/signing"
	"github.com/weirmesh/weir/schemas/wire"
)

// childDir tells a test binary that was started by a test to load the key of a folder, print it and end.
const childDir = "WEIR_TEST_SIGNING_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	key, err := signing.LoadOrCreate(dir)
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(hex.EncodeToString(key.Seed()))
}

func load(t *testing.T, dir string) ed25519.PrivateKey {
	t.Helper()
	key, err := signing.LoadOrCreate(dir)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAKeyIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "keys")
	key := load(t, dir)
	if again := load(t, dir); !again.Equal(key) {
		t.Error("the second call made another key")
	}
	if other := load(t, t.TempDir()); other.Equal(key) {
		t.Error("two folders have the same key")
	}
	for name, mode := range map[string]fs.FileMode{signing.PrivateFile: 0o600, signing.PublicFile: 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, error %v, want mode %v", name, info.Mode(), err, mode)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, error %v", entries, err)
	}
	trusted, err := signing.LoadTrusted(dir)
	if err != nil || len(trusted) != 1 {
		t.Fatalf("trusted %v, error %v", trusted, err)
	}
	e := wire.Event{ID: "1", DataSchema: wire.SchemaDecision, Data: []byte("{}")}
	if err := wire.Sign(&e, key); err != nil {
		t.Fatal(err)
	}
	if err := wire.Verify(e, trusted); err != nil {
		t.Error(err)
	}
}

func TestThePublicKeyFollowsThePrivateOne(t *testing.T) {
	dir := t.TempDir()
	load(t, dir)
	path := filepath.Join(dir, signing.PublicFile)
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"missing":       func() error { return os.Remove(path) },
		"another one's": func() error { return os.WriteFile(path, []byte("x"), 0o644) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		load(t, dir)
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: it is %q, error %v", name, got, err)
		}
	}
}

// TestRacersEndWithTheSameKey lets goroutines and processes make the key of the same folder at once.
func TestRacersEndWithTheSameKey(t *testing.T) {
	dir := t.TempDir()
	var wait sync.WaitGroup
	seeds := make([]string, 12)
	for i := range seeds {
		wait.Go(func() {
			if i%4 != 0 {
				key, err := signing.LoadOrCreate(dir)
				if err != nil {
					t.Error(err)
					return
				}
				seeds[i] = hex.EncodeToString(key.Seed())
				return
			}
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childDir+"="+dir)
			out, err := child.Output()
			if err != nil {
				t.Error(err)
			}
			seeds[i] = string(out)
		})
	}
	wait.Wait()
	want := hex.EncodeToString(load(t, dir).Seed())
	for i, seed := range seeds {
		if seed != want {
			t.Errorf("racer %d has key %q, the folder has another", i, seed)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, error %v", entries, err)
	}
}

func TestACrashBeforeTheLinkLeavesNoKey(t *testing.T) {
	dir := t.TempDir()
	leftover := filepath.Join(dir, signing.PrivateFile+".123.new")
	if err := os.WriteFile(leftover, []byte("-----BEGIN PRIV"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := load(t, dir)
	if again := load(t, dir); !again.Equal(key) {
		t.Error("the second call made another key")
	}
}

func TestPrivateKeysThatAreRefused(t *testing.T) {
	good := t.TempDir()
	load(t, good)
	text, err := os.ReadFile(filepath.Join(good, signing.PrivateFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		text []byte
		mode fs.FileMode
		err  string
	}{
		{"readable by everybody", text, 0o644, "(mode 0644): run chmod 600 "},
		{"writable by the group", text, 0o660, "(mode 0660): run chmod 600 "},
		{"writable by others", text, 0o602, "(mode 0602): run chmod 600 "},
		{"empty", nil, 0o600, "want one PEM block PRIVATE KEY"},
		{"cut short", text[:len(text)/2], 0o600, "want one PEM block PRIVATE KEY"},
		{"two keys", append(bytes.Clone(text), text...), 0o600, "want one PEM block PRIVATE KEY"},
		{"another kind of block", bytes.ReplaceAll(text, []byte("PRIVATE"), []byte("PUBLIC")), 0o600, "want one PEM block PRIVATE KEY"},
		{"no key inside", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), 0o600, "read signing key"},
		{"another algorithm", elliptical(t, true), 0o600, "another algorithm than ed25519"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, signing.PrivateFile)
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if key, err := signing.LoadOrCreate(dir); err == nil || !strings.Contains(err.Error(), c.err) || key != nil {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, c.text) {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	if _, err := signing.LoadPrivate(filepath.Join(good, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
	if _, err := signing.LoadPrivate(good); err == nil {
		t.Error("a folder was read")
	}
}

func elliptical(t *testing.T, private bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kind := "PRIVATE KEY"
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if !private {
		kind = "PUBLIC KEY"
		der, err = x509.MarshalPKIXPublicKey(key.Public())
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestTrustedKeys(t *testing.T) {
	all := t.TempDir()
	var publics [][]byte
	for _, name := range []string{"a.pub", "b.pub"} {
		dir := t.TempDir()
		load(t, dir)
		text, err := os.ReadFile(filepath.Join(dir, signing.PublicFile))
		if err != nil {
			t.Fatal(err)
		}
		publics = append(publics, text)
		write(t, filepath.Join(all, name), text)
	}
	write(t, filepath.Join(all, "README"), []byte("not a key"))
	both := filepath.Join(t.TempDir(), "both.pem")
	write(t, both, bytes.Join(publics, nil))
	private := t.TempDir()
	load(t, private)
	for _, c := range []struct {
		name  string
		paths []string
		want  int
		err   string
	}{
		{"a folder", []string{all}, 2, ""},
		{"a file", []string{filepath.Join(all, "a.pub")}, 1, ""},
		{"a file with two keys", []string{both}, 2, ""},
		{"all of these", []string{all, both, filepath.Join(all, "a.pub"), private}, 3, ""},
		{"nothing", nil, 0, "no file or folder is named"},
		{"a folder without keys", []string{t.TempDir()}, 0, "has no file *.pub"},
		{"no such file", []string{filepath.Join(all, "c.pub")}, 0, "no such file"},
		{"no key", []string{filepath.Join(all, "README")}, 0, "want PEM blocks PUBLIC KEY only"},
		{"a private key", []string{filepath.Join(private, signing.PrivateFile)}, 0, "want PEM blocks PUBLIC KEY only"},
		{"another algorithm", []string{file(t, elliptical(t, false))}, 0, "another algorithm than ed25519"},
		{"no key inside", []string{file(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY"}))}, 0, "read trusted keys of"},
	} {
		keys, err := signing.LoadTrusted(c.paths...)
		if len(keys) != c.want || err == nil && c.err != "" || err != nil && (c.err == "" || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %d keys, error %v, want %d, %q", c.name, len(keys), err, c.want, c.err)
		}
		for id, key := range keys {
			if wire.KeyID(key) != id {
				t.Errorf("%s: key %s is under %s", c.name, wire.KeyID(key), id)
			}
		}
	}
}

func file(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	write(t, path, text)
	return path
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestOpenSSLReadsAndMakesKeys holds the files to those of openssl.
func TestOpenSSLReadsAndMakesKeys(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	load(t, dir)
	public, err := os.ReadFile(filepath.Join(dir, signing.PublicFile))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "pkey", "-in", filepath.Join(dir, signing.PrivateFile), "-pubout").CombinedOutput()
	if err != nil || !bytes.Equal(out, public) {
		t.Errorf("openssl says %s, error %v, the file %s", out, err, public)
	}
	path := filepath.Join(t.TempDir(), signing.PrivateFile)
	if out, err := exec.Command("openssl", "genpkey", "-algorithm", "ed25519", "-out", path).CombinedOutput(); err != nil {
		t.Fatalf("%s, error %v", out, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := signing.LoadPrivate(path); err != nil {
		t.Error(err)
	}
}
