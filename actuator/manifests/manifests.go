// Package manifests reads the current state from a folder of Kubernetes manifests: what a repository says instead of what a cluster says.
package manifests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/weirmesh/weir/actuator/cluster"
)

// maxFile is the largest file that is read, in bytes.
const maxFile = 16 << 20

// Folder is a folder of .yaml, .yml and .json files with all its subfolders; hidden ones are left out. It is read again each time somebody
// asks, so a change is seen at once. It is safe for concurrent use.
type Folder struct {
	dir string

	mu   sync.Mutex // guards read
	read map[string]file
}

// file is a file as it was when it was parsed.
type file struct {
	text    []byte
	objects []cluster.Object
}

var _ cluster.Source = (*Folder)(nil)

// Open reads a folder once, so that what cannot be read is known from the start. An error names file and document.
func Open(dir string) (*Folder, error) {
	f := &Folder{dir: dir, read: map[string]file{}}
	if _, err := f.objects(); err != nil {
		return nil, err
	}
	return f, nil
}

// From names the folder.
func (f *Folder) From() string { return f.dir }

// List returns the objects of a kind in a namespace. An object that names no namespace is in any: the manifest leaves it to whoever
// applies it.
func (f *Folder) List(ctx context.Context, kind cluster.Kind, namespace string) ([]cluster.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := f.objects()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(o cluster.Object) bool {
		return o.Kind() != kind || namespace != "" && o.Namespace() != "" && o.Namespace() != namespace
	}), nil
}

// objects are all objects of the folder, in the order of their files' names.
func (f *Folder) objects() ([]cluster.Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []cluster.Object
	now := map[string]file{}
	err := filepath.WalkDir(f.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != f.dir && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !isManifest(path):
			return nil
		}
		one, err := f.parse(path)
		if err != nil {
			return err
		}
		now[path] = one
		out = append(out, one.objects...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	f.read = now
	return out, nil
}

// parse reads a file, and parses it unless it is as it was.
func (f *Folder) parse(path string) (file, error) {
	text, err := load(path)
	if err != nil {
		return file{}, err
	}
	if before, ok := f.read[path]; ok && bytes.Equal(before.text, text) {
		return before, nil
	}
	objects, err := cluster.ParseYAML(text)
	if err != nil {
		return file{}, fmt.Errorf("%s: %w", path, err)
	}
	return file{text: text, objects: objects}, nil
}

func load(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MB", path, maxFile>>20)
	}
	return text, nil
}

// isManifest goes by the name. A kustomization says how to put manifests together and is none itself.
func isManifest(path string) bool {
	name := filepath.Base(path)
	ext := filepath.Ext(name)
	return slices.Contains([]string{".yaml", ".yml", ".json"}, ext) && strings.TrimSuffix(strings.ToLower(name), ext) != "kustomization"
}
