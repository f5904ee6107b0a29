// Package recording reads recordings of telemetry (files on disk) as OTLP requests.
//
// It promises:
//   - The same recording gives the same sequence of requests every time, so "N requests acknowledged" is a place
//     to go on from (ReadConfig.Skip). A request holds at most MaxItems spans, data points or log records.
//   - What cannot be read never stops the reading and is never dropped in silence: it is handed to ReadConfig.Bad
//     with its place and reason.
//   - Memory is bounded by one file (nezha) or one line (otlp-json), never by the whole recording.
//
// Times are nanoseconds since the Unix epoch, unchanged from the recording. A Request and its data belong to who
// receives it. A Recording may be asked for its sizes from any goroutine; its requests are read by one at a time.
package recording

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// Format says how a recording is written.
type Format string

const (
	// Nezha is a day's folder of minute files HH_MM_trace.csv(.gz), or one such file.
	Nezha Format = "nezha"
	// OTLPJSON is what the Collector's file exporter writes: one OTLP JSON object a line.
	OTLPJSON Format = "otlp-json"
)

// ErrFormat is wrapped by Open when it does not know the format.
var ErrFormat = errors.New("unknown format")

// Formats lists what Open can read.
func Formats() []Format { return []Format{Nezha, OTLPJSON} }

// Recording is the files of one recording, in reading order.
type Recording struct {
	format Format
	files  []file
	read   atomic.Int64
}

type file struct {
	path string
	size int64
}

func (f file) base() string { return filepath.Base(f.path) }

// Open finds the files of a recording; it reads none of them yet.
func Open(path string, format Format) (*Recording, error) {
	find := findOTLP
	switch format {
	case Nezha:
		find = findNezha
	case OTLPJSON:
	default:
		return nil, fmt.Errorf("open recording %s: %w %q, want one of %q", path, ErrFormat, format, Formats())
	}
	files, err := find(path)
	if err != nil {
		return nil, fmt.Errorf("open recording %s: %w", path, err)
	}
	return &Recording{format: format, files: files}, nil
}

// Format is what the recording was opened as.
func (r *Recording) Format() Format { return r.format }

// Files lists the paths of the files in reading order.
func (r *Recording) Files() []string {
	paths := make([]string, len(r.files))
	for i, f := range r.files {
		paths[i] = f.path
	}
	return paths
}

// Size is the number of bytes on disk, as found by Open.
func (r *Recording) Size() int64 {
	var n int64
	for _, f := range r.files {
		n += f.size
	}
	return n
}

// BytesRead is how many of the Size bytes the current Requests loop has read. Safe from any goroutine.
func (r *Recording) BytesRead() int64 { return r.read.Load() }

// Digest is the SHA-256, in hex, of the files' base names and contents in reading order. The folder's own place and
// name do not matter, so a copied recording keeps its digest.
func (r *Recording) Digest() (string, error) {
	h := sha256.New()
	for _, f := range r.files {
		if err := digestFile(h, f); err != nil {
			return "", fmt.Errorf("digest %s: %w", f.path, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digestFile frames name and content by their lengths, so that moving bytes between files changes the digest.
func digestFile(w io.Writer, f file) error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint64(nil, uint64(len(f.base())))
	head = append(head, f.base()...)
	head = binary.BigEndian.AppendUint64(head, uint64(info.Size()))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}
