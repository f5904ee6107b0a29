// Package signing keeps the keys that sign and check events on disk: ed25519, a private key as PKCS#8 PEM in signing.key, its public key
// as PKIX PEM in signing.pub, both as openssl writes and reads them.
//
// A private key is for its owner alone: a file that others can read is refused. Whoever checks signatures needs only public keys.
package signing

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of the files in a key folder.
const (
	PrivateFile = "signing.key"
	PublicFile  = "signing.pub"
)

// maxFile is the most bytes that are read of a key file.
const maxFile = 64 << 10

// LoadOrCreate returns the key in dir/signing.key, and makes dir and the key where there is none. Processes that do this at the same time
// end with the same key. dir/signing.pub is written again where it is missing or belongs to another key.
func LoadOrCreate(dir string) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, PrivateFile)
	key, err := LoadPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("create signing key %s: %w", path, err)
		}
		key, err = LoadPrivate(path) // which may be the one of another process that was faster
	}
	if err != nil {
		return nil, err
	}
	if err := publish(filepath.Join(dir, PublicFile), key); err != nil {
		return nil, fmt.Errorf("write public key of %s: %w", path, err)
	}
	return key, nil
}

// LoadPrivate reads a private key. Its error is fs.ErrNotExist where there is no file, and says what to do where others can read it.
func LoadPrivate(path string) (ed25519.PrivateKey, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
		return nil, fmt.Errorf("read signing key %s: want one PEM block PRIVATE KEY (PKCS#8); without the file a new key is made", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read signing key %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read signing key %s: it is for another algorithm than ed25519", path)
	}
	return key, nil
}

// readPrivate asks the open file for its mode, so that it cannot be another one than is read.
func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&0o037 != 0: // a secret that Kubernetes mounts with fsGroup can be read by that group
		return nil, fmt.Errorf("others may use %s (mode %04o): run chmod 600 %s", path, info.Mode().Perm(), path)
	}
	return io.ReadAll(io.LimitReader(file, maxFile))
}

// create makes a key and puts it at path, unless there is one.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	beside, err := writeBeside(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(beside) //nolint:errcheck // it is only a second name by then
	// A link, because a rename would replace the key of a process that was faster and already signs with it.
	if err := os.Link(beside, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// publish writes the public key of key to path, unless it is there.
func publish(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if there, err := os.ReadFile(path); err == nil && string(there) == string(text) {
		return nil
	}
	beside, err := writeBeside(path, text, 0o644)
	if err != nil {
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		return errors.Join(err, os.Remove(beside))
	}
	return syncDir(filepath.Dir(path))
}

// writeBeside writes a new file in the folder of path, and returns its name once its content is on disk.
func writeBeside(path string, text []byte, mode fs.FileMode) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Chmod(mode)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
