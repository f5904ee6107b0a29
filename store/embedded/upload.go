package embedded

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
)

// insertSettings make one body one block and one block one part per partition, whatever its size (the body's
// limit bounds it): an insert is there or it is not. ClickHouse's defaults split at a million rows and collect
// small inserts in the background (async_insert).
func insertSettings(asked []Setting) []Setting {
	const all = "1000000000000"
	return append([]Setting{
		{"async_insert", "0"},
		{"max_threads", "1"},
		{"max_insert_threads", "1"},
		{"max_insert_block_size", all},
		{"min_insert_block_size_rows", all},
		{"min_insert_block_size_bytes", "0"},
		{"input_format_parallel_parsing", "0"},
	}, asked...)
}

// insert stores the data behind an INSERT. The body has to be complete before the engine sees any of it: a
// format such as CSV has no end mark, and half of a body would be inserted without an error.
func (s *Server) insert(ctx context.Context, req *request, ins insert, head []byte, a *answer) error {
	if err := s.mayWrite(req); err != nil {
		return err
	}
	release, err := s.uploads.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	path, err := s.receive(io.MultiReader(bytes.NewReader(head), req.text))
	if err != nil {
		return err
	}
	defer s.remove(path)

	done, err := s.writers.acquire(ctx)
	if err != nil {
		return err
	}
	defer done()
	session, err := s.session(req, insertSettings(req.settings))
	if err != nil {
		return err
	}
	defer session.Close()
	return runWhole(ctx, session, ins.readingFrom(path), req, a)
}

// receive writes a body into a scratch file, which the caller removes.
func (s *Server) receive(body io.Reader) (path string, err error) {
	f, err := os.CreateTemp(s.cfg.Scratch, "insert-*")
	if err != nil {
		return "", fmt.Errorf("receive body: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(body, s.cfg.MaxBody+1))
	closeErr := f.Close()
	switch {
	case err != nil:
		err = bodyError(err)
	case closeErr != nil:
		err = fmt.Errorf("receive body: %w", closeErr)
	case n > s.cfg.MaxBody:
		err = refuse(codeTooManyBytes, "TOO_MANY_BYTES", "Body is longer than %d bytes", s.cfg.MaxBody)
	}
	if err != nil {
		s.remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func (s *Server) remove(path string) {
	if err := os.Remove(path); err != nil {
		s.log.Warn("scratch file stays until the next start", "error", err)
	}
}
