package tap

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// file is the recording of one signal.
type file struct {
	out *os.File
	gz  *gzip.Writer
}

func create(dir string) (map[Signal]*file, error) {
	files := map[Signal]*file{}
	for _, signal := range []Signal{Traces, Metrics, Logs} {
		out, err := os.OpenFile(filepath.Join(dir, string(signal)+".jsonl.gz"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			for _, f := range files {
				_ = f.out.Close()
				_ = os.Remove(f.out.Name())
			}
			return nil, err
		}
		gz, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
		if err != nil {
			return nil, err
		}
		files[signal] = &file{out: out, gz: gz}
	}
	return files, nil
}

// add writes a request as a line. One that is not what its method says is no telemetry, and left out: its collector refused it.
func (f *file) add(e entry) error {
	line, err := toJSON(e.signal, e.body)
	if err != nil || bytes.Equal(line, []byte("{}")) {
		return nil //nolint:nilerr // nothing that could be replayed
	}
	if e.failed != nil {
		mark, err := json.Marshal(how(e.failed))
		if err != nil {
			return fmt.Errorf("record %s: %w", e.signal, err)
		}
		line = bytes.Join([][]byte{[]byte(`{"failed":`), mark, []byte(","), line[1:]}, nil)
	}
	if _, err := f.gz.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("record %s: %w", e.signal, err)
	}
	return nil
}

// close makes sure that what was written is on the disk.
func (f *file) close() error {
	if err := errors.Join(f.gz.Close(), f.out.Sync(), f.out.Close()); err != nil {
		return fmt.Errorf("finish %s: %w", f.out.Name(), err)
	}
	return nil
}

func toJSON(signal Signal, body []byte) ([]byte, error) {
	switch signal {
	case Metrics:
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(body)
		if err != nil {
			return nil, err
		}
		return (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	case Logs:
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(body)
		if err != nil {
			return nil, err
		}
		return (&plog.JSONMarshaler{}).MarshalLogs(ld)
	default:
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
		if err != nil {
			return nil, err
		}
		return (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	}
}
