package recording

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Count counts a Nezha recording: a day's folder, its folder `trace`, or one file.
func Count(path string) (Truth, error) {
	files, err := nezhaFiles(path)
	if err != nil {
		return Truth{}, fmt.Errorf("count %s: %w", path, err)
	}
	c := newCounter()
	names := newNamer()
	for _, f := range files {
		err := readLines(f, func(no int, line string) bool {
			o, ok := nezhaSpan(line, names)
			if ok {
				c.add(o)
			}
			return ok || line == "" || no == 0 && strings.HasPrefix(line, "TraceID,")
		}, &c.truth.Bad)
		if err != nil {
			return Truth{}, fmt.Errorf("count %s: %w", f, err)
		}
	}
	return c.result(), nil
}

// nezhaFiles lists the trace files of a day. Glob gives them in name order.
func nezhaFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	for _, dir := range []string{path, filepath.Join(path, "trace")} {
		files, err := filepath.Glob(filepath.Join(dir, "*_trace.csv*"))
		if err != nil {
			return nil, err
		}
		var kept []string
		for _, f := range files {
			if strings.HasSuffix(f, ".csv") || strings.HasSuffix(f, ".csv.gz") {
				kept = append(kept, f)
			}
		}
		if len(kept) > 0 {
			return kept, nil
		}
	}
	return nil, errors.New("no *_trace.csv or *_trace.csv.gz files")
}

// readLines calls fn with each line, counted from 0; a line that fn refuses, or that a damaged gzip cuts off, is bad.
func readLines(path string, fn func(no int, line string) bool, bad *int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	in := bufio.NewReader(f)
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		zip, err := gzip.NewReader(in)
		if err != nil {
			*bad++
			return nil
		}
		in = bufio.NewReader(zip)
	}
	for no := 0; ; no++ {
		line, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			*bad++ // the torn tail
			return nil
		}
		if !fn(no, strings.TrimRight(line, "\r\n")) {
			*bad++
		}
		if err != nil {
			return nil
		}
	}
}

func nezhaSpan(line string, names *namer) (observed, bool) {
	f := strings.Split(line, ",")
	if strings.Contains(line, `"`) {
		var err error
		if f, err = csv.NewReader(strings.NewReader(line)).Read(); err != nil {
			return observed{}, false
		}
	}
	if len(f) != 8 || f[0] == "" || f[1] == "" || f[3] == "" {
		return observed{}, false
	}
	start, errStart := strconv.ParseUint(f[5], 10, 63)
	end, errEnd := strconv.ParseUint(f[6], 10, 63)
	if errStart != nil || errEnd != nil {
		return observed{}, false
	}
	o := observed{
		trace: strings.ToLower(f[0]), id: strings.ToLower(f[1]), parent: strings.ToLower(f[2]),
		instance: f[3], workload: names.workload(f[3]), start: int64(start), end: int64(end),
	}
	if o.parent == "root" {
		o.parent = ""
	}
	return o, true
}

// namer knows the workloads of pods: the name without its two generated suffixes, where it has both.
type namer struct {
	pattern *regexp.Regexp
	known   map[string]string
}

func newNamer() *namer {
	return &namer{
		pattern: regexp.MustCompile(`^(.+)-(?:[0-9a-f]*[0-9][0-9a-f]*|[bcdf]+)-[a-z0-9]{5}$`),
		known:   map[string]string{},
	}
}

func (n *namer) workload(pod string) string {
	if w, ok := n.known[pod]; ok {
		return w
	}
	pod = strings.Clone(pod)
	w := pod
	if m := n.pattern.FindStringSubmatch(pod); m != nil {
		if hash := len(pod) - len(m[1]) - len("--12345"); hash >= 5 && hash <= 10 {
			w = m[1]
		}
	}
	n.known[pod] = w
	return w
}
