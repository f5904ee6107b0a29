package recording

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The parts of an OTLP JSON line that are counted.
type (
	otlpRequest struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes otlpAttributes }
			ScopeSpans []struct{ Spans []otlpReadSpan }
		}
	}
	otlpReadSpan struct {
		TraceID, SpanID, ParentSpanID      string
		Kind                               json.RawMessage
		StartTimeUnixNano, EndTimeUnixNano flexible
		Attributes                         otlpAttributes
		Status                             struct{ Code json.RawMessage }
	}
	otlpAttributes []struct {
		Key   string
		Value struct {
			StringValue *string
			IntValue    flexible
		}
	}
)

// flexible is an integer that JSON holds as a number or a string.
type flexible string

func (f *flexible) UnmarshalJSON(b []byte) error {
	*f = flexible(strings.Trim(string(b), `"`))
	return nil
}

// CountOTLP counts the traces of an OTLP JSON file, or of the *.json and *.jsonl files of a folder: one object a line,
// gzipped or not. Lines of metrics and logs count as nothing.
func CountOTLP(path string) (Truth, error) {
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.json*")); err != nil || len(files) == 0 {
			return Truth{}, fmt.Errorf("count %s: no *.json or *.jsonl files: %w", path, cmp.Or(err, os.ErrNotExist))
		}
	}
	c := newCounter()
	for _, f := range files {
		if err := readLines(f, func(_ int, line string) bool { return otlpLineCounts(c, line) }, &c.truth.Bad); err != nil {
			return Truth{}, fmt.Errorf("count %s: %w", f, err)
		}
	}
	return c.result(), nil
}

// otlpLineCounts adds a line's spans and says whether it could be read.
func otlpLineCounts(c *counter, line string) bool {
	if strings.TrimSpace(line) == "" {
		return true
	}
	var req otlpRequest
	if json.Unmarshal([]byte(line), &req) != nil {
		return false
	}
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.add(otlpObserved(rs.Resource.Attributes, s))
			}
		}
	}
	return true
}

func otlpObserved(resource otlpAttributes, s otlpReadSpan) observed {
	o := observed{
		trace: strings.ToLower(s.TraceID), id: strings.ToLower(s.SpanID), parent: strings.ToLower(s.ParentSpanID),
		workload: resource.text("service.name"),
		kind:     kindOf(string(s.Kind)), failed: failedOTLP(s), peer: s.Attributes.text("service.peer.name"),
	}
	if strings.Trim(o.parent, "0") == "" {
		o.parent = ""
	}
	for _, key := range []string{"service.instance.id", "k8s.pod.uid", "k8s.pod.name", "container.id", "host.name"} {
		o.instance = cmp.Or(o.instance, resource.text(key))
	}
	o.instance = cmp.Or(o.instance, o.workload)
	if o.peer == "" {
		o.peer = s.Attributes.text("peer.service")
	}
	// A time that is missing or out of range is 0, as it would be in protobuf.
	o.start, _ = strconv.ParseInt(string(s.StartTimeUnixNano), 10, 64)
	o.end, _ = strconv.ParseInt(string(s.EndTimeUnixNano), 10, 64)
	return o
}

func kindOf(s string) int {
	switch strings.Trim(s, `"`) {
	case "1", "SPAN_KIND_INTERNAL":
		return internal
	case "2", "SPAN_KIND_SERVER":
		return server
	case "3", "SPAN_KIND_CLIENT":
		return client
	case "4", "SPAN_KIND_PRODUCER":
		return producer
	case "5", "SPAN_KIND_CONSUMER":
		return consumer
	}
	return unspecified
}

// failedOTLP: HTTP 5xx, the gRPC codes that OTel calls a server's error, and the span's status only where neither
// protocol has spoken.
func failedOTLP(s otlpReadSpan) bool {
	for _, key := range []string{"http.response.status_code", "http.status_code"} {
		if code := s.Attributes.text(key); code != "" {
			n, _ := strconv.Atoi(code)
			return n >= 500
		}
	}
	for _, key := range []string{"rpc.grpc.status_code", "rpc.response.status_code"} {
		switch s.Attributes.text(key) {
		case "":
		case "2", "4", "12", "13", "14", "15",
			"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS":
			return true
		default:
			return false
		}
	}
	code := strings.Trim(string(s.Status.Code), `"`)
	return code == "2" || code == "STATUS_CODE_ERROR"
}

// text is a string or integer attribute, or "" when there is none.
func (a otlpAttributes) text(key string) string {
	for _, kv := range a {
		switch {
		case kv.Key != key:
		case kv.Value.StringValue != nil:
			return *kv.Value.StringValue
		default:
			return string(kv.Value.IntValue)
		}
	}
	return ""
}
