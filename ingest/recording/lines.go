package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

const (
	maxLine = 64 << 20 // longer lines are bad rows
	maxRaw  = 64 << 10 // what a bad row shows of its line
)

// eachLine calls fn with every line of a file, without its line end and counted from 1; fn returns false to stop and
// must not keep the bytes. Lines that are too long and the torn tail of a damaged gzip go to bad. The error is a file
// that could not be read at all, or the end of ctx.
func eachLine(ctx context.Context, f file, read *atomic.Int64, fn func(no int, line []byte) bool, bad func(no int, reason string, raw []byte)) error {
	in, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { _ = in.Close() }() // only read
	src := &source{ctx: ctx, in: in, read: read}
	lines := &lineReader{}
	if err := lines.open(src); err != nil {
		if src.err == nil {
			bad(1, "damaged gzip: "+err.Error(), nil)
		}
		return src.err
	}
	for {
		line, long, err := lines.next()
		switch {
		case err == nil && long:
			bad(lines.no, fmt.Sprintf("line longer than %d MB", maxLine>>20), line)
		case err == nil:
			if !fn(lines.no, line) {
				return nil
			}
		case errors.Is(err, io.EOF):
			return src.err
		case src.err != nil:
			return src.err
		default:
			// What came before the tear is whole lines and already handed on; the rest of the file is lost.
			bad(lines.no, "damaged gzip: "+err.Error(), line)
			return nil
		}
	}
}

// source counts bytes and tells errors of the disk (kept in err) from errors of the content, which a decompressor
// on top would mix up.
type source struct {
	ctx  context.Context
	in   io.Reader
	read *atomic.Int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.in.Read(p)
	s.read.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = fmt.Errorf("read: %w", err)
	}
	return n, err
}

type lineReader struct {
	br  *bufio.Reader
	buf []byte
	no  int
}

// open tells gzip by its magic bytes: names of recordings are often wrong after a download.
func (l *lineReader) open(src io.Reader) error {
	br := bufio.NewReaderSize(src, 256<<10)
	magic, _ := br.Peek(2) // an error here comes again on the first read
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		gz, err := gzip.NewReader(br)
		if err != nil {
			return err
		}
		br = bufio.NewReaderSize(gz, 256<<10)
	}
	l.br = br
	return nil
}

// next returns the next line, valid until the next call. Of a line that is too long it returns the first maxRaw
// bytes. With a non-EOF error it returns what was read of the line before it.
func (l *lineReader) next() (line []byte, long bool, err error) {
	l.no++
	l.buf = l.buf[:0]
	for {
		part, err := l.br.ReadSlice('\n')
		if err == nil && len(l.buf) == 0 && !long {
			return trimEnd(part), false, nil // the usual case copies nothing
		}
		if !long {
			l.buf = append(l.buf, part...)
			if len(l.buf) > maxLine {
				long = true
				l.buf = bytes.Clone(l.buf[:maxRaw])
			}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil, errors.Is(err, io.EOF) && len(l.buf) > 0:
			return trimEnd(l.buf), long, nil
		default:
			return l.buf, long, err
		}
	}
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}
