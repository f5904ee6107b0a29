package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrEmpty is wrapped by Open when a folder holds no file of the format.
var ErrEmpty = errors.New("nothing to read")

// findNezha takes a trace file, the folder that holds them, or the day's folder above a child `trace`. Other
// children (metric, normal_trace) are other recordings: they are read only when pointed at.
func findNezha(path string) ([]file, error) {
	one, isDir, err := single(path)
	if err != nil || !isDir {
		return one, err
	}
	suffixes := []string{"_trace.csv", "_trace.csv.gz"}
	child := filepath.Join(path, "trace")
	for _, dir := range []string{path, child} {
		files, err := matching(dir, suffixes)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if len(files) > 0 {
			return files, nil
		}
	}
	return nil, fmt.Errorf("%w: no *_trace.csv or *_trace.csv.gz file in %s or %s", ErrEmpty, path, child)
}

func findOTLP(path string) ([]file, error) {
	one, isDir, err := single(path)
	if err != nil || !isDir {
		return one, err
	}
	suffixes := []string{".json", ".jsonl", ".json.gz", ".jsonl.gz"}
	files, err := matching(path, suffixes)
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, aboutRecording)
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: no *%s file in %s", ErrEmpty, strings.Join(suffixes, ", *"), path)
	}
	return files, nil
}

// aboutRecording reports whether a file tells about the recording beside it: what was done to the mesh meanwhile, and what it counted.
func aboutRecording(f file) bool {
	switch strings.TrimSuffix(f.base(), ".gz") {
	case "truth.jsonl", "ledger.json":
		return true
	}
	return false
}

func single(path string) (files []file, isDir bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("no such file or folder: %w", fs.ErrNotExist)
	}
	if err != nil {
		return nil, false, err
	}
	if info.IsDir() {
		return nil, true, nil
	}
	return []file{{path: path, size: info.Size()}}, false, nil
}

// matching lists the regular files of a folder whose name ends in one of the suffixes, by name.
func matching(dir string, suffixes []string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, e := range entries {
		if !slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(e.Name(), s) }) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path) // not e.Info(): a link to a file is a file
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			files = append(files, file{path: path, size: info.Size()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.base(), b.base()) })
	return files, nil
}
