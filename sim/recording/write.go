package recording

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const nezhaHeader = "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration"

// WriteNezha writes the day as dir/trace/HH_MM_trace.csv.gz.
func (d *Day) WriteNezha(dir string) error {
	for i, spans := range d.files {
		if len(spans) == 0 {
			continue
		}
		name := d.start.Add(time.Duration(i) * time.Minute).Format("15_04")
		err := writeFile(filepath.Join(dir, "trace", name+"_trace.csv.gz"), func(w io.Writer) error {
			if _, err := io.WriteString(w, nezhaHeader+"\n"); err != nil {
				return err
			}
			for _, s := range spans {
				if _, err := io.WriteString(w, nezhaRow(s)+"\n"); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func nezhaRow(s *span) string {
	parent := "root"
	if s.parent != 0 {
		parent = fmt.Sprintf("%016x", s.parent)
	}
	start, end := s.start+s.pod.skew, s.end+s.pod.skew
	return fmt.Sprintf("%016x%016x,%016x,%s,%s,%s,%d,%d,%d", s.trace[0], s.trace[1], s.id, parent, s.pod.name, s.name, start, end, (end-start)/1000)
}

// writeFile makes a file and the folders above it; a name that ends in .gz is compressed. What fill writes is buffered.
func writeFile(path string, fill func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	disk := bufio.NewWriterSize(f, 1<<20)
	var top io.Writer = disk
	finish := func() error { return errors.Join(disk.Flush(), f.Close()) }
	if strings.HasSuffix(path, ".gz") {
		zip := gzip.NewWriter(disk)
		buf := bufio.NewWriterSize(zip, 64<<10)
		top = buf
		finish = func() error { return errors.Join(buf.Flush(), zip.Close(), disk.Flush(), f.Close()) }
	}
	if err := errors.Join(fill(top), finish()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
