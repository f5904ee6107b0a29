package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// storePart is the folder of a data directory that holds windows and decisions.
const storePart = "clickhouse"

// otherParts are the folders beside it that a backup has; run/ belongs to a process.
func otherParts() []string { return []string{"broker", "replay", "keys", "sim"} }

// copyTree copies a folder with its modes and symbolic links, and adds to the manifest what it copied. A folder that is not there is none.
func copyTree(ctx context.Context, from, to string, m *manifest) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, name), info, m)
	})
}

func copyEntry(from, to string, info fs.FileInfo, m *manifest) error {
	switch {
	case info.IsDir():
		return os.MkdirAll(to, info.Mode().Perm()|0o700)
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		m.Files++
		return os.Symlink(target, to)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", from)
	}
	n, err := copyFile(from, to, info.Mode().Perm())
	m.Files++
	m.Bytes += n
	return err
}

// copyFile copies one file and puts it on disk.
func copyFile(from, to string, mode fs.FileMode) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Sync(), out.Close())
}
