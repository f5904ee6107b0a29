package signing

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirmesh/weir/schemas/wire"
)

// LoadTrusted reads the public keys whose signatures are believed, by wire.KeyID. A path is a file with one or more PEM blocks PUBLIC KEY,
// or a folder, of which all files *.pub are read. A path without a key is an error: whoever trusts nobody has made a mistake.
func LoadTrusted(paths ...string) (map[string]ed25519.PublicKey, error) {
	keys := map[string]ed25519.PublicKey{}
	for _, path := range paths {
		files, err := keyFiles(path)
		if err != nil {
			return nil, fmt.Errorf("read trusted keys: %w", err)
		}
		for _, file := range files {
			if err := addKeys(keys, file); err != nil {
				return nil, fmt.Errorf("read trusted keys of %s: %w", file, err)
			}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("read trusted keys: no file or folder is named")
	}
	return keys, nil
}

func keyFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".pub") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("folder %s has no file *.pub", path)
	}
	return files, nil
}

func addKeys(keys map[string]ed25519.PublicKey, path string) error {
	text, err := readPublic(path)
	if err != nil {
		return err
	}
	block, rest := pem.Decode(text)
	for n := 0; block != nil || n == 0; n++ {
		if block == nil || block.Type != "PUBLIC KEY" {
			return errors.New("want PEM blocks PUBLIC KEY only, as in " + PublicFile)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return err
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return errors.New("a key is for another algorithm than ed25519")
		}
		keys[wire.KeyID(key)] = key
		block, rest = pem.Decode(rest)
	}
	return nil
}

func readPublic(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(file, maxFile))
}
