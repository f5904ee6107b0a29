package recording

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// spansPerLine is the size of a request of a Collector with a small batch.
const spansPerLine = 200

// attr is an attribute of OTLP JSON, where 64-bit integers are strings.
type attr map[string]any

func str(key, value string) attr {
	return attr{"key": key, "value": attr{"stringValue": value}}
}

func num(key string, value int) attr {
	return attr{"key": key, "value": attr{"intValue": strconv.Itoa(value)}}
}

// WriteOTLP writes the day as the Collector's file exporter would: one JSON object a line, spans grouped by pod.
func (d *Day) WriteOTLP(path string) error {
	return writeFile(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, spans := range d.files {
			for len(spans) > 0 {
				n := min(spansPerLine, len(spans))
				if err := enc.Encode(otlpLine(spans[:n])); err != nil {
					return err
				}
				spans = spans[n:]
			}
		}
		return nil
	})
}

func otlpLine(spans []*span) attr {
	var pods []*pod
	byPod := map[*pod][]attr{}
	for _, s := range spans {
		if byPod[s.pod] == nil {
			pods = append(pods, s.pod)
		}
		byPod[s.pod] = append(byPod[s.pod], otlpSpan(s))
	}
	var resources []attr
	for _, p := range pods {
		resources = append(resources, attr{
			"resource": attr{"attributes": []attr{
				str("service.name", p.service), str("service.version", p.version), str("k8s.pod.name", p.name),
			}},
			"scopeSpans": []attr{{"scope": attr{"name": "sim"}, "spans": byPod[p]}},
		})
	}
	return attr{"resourceSpans": resources}
}

func otlpSpan(s *span) attr {
	out := attr{
		"traceId": fmt.Sprintf("%016x%016x", s.trace[0], s.trace[1]), "spanId": fmt.Sprintf("%016x", s.id),
		"name": s.name, "kind": s.kind,
		"startTimeUnixNano": strconv.FormatInt(s.start+s.pod.skew, 10),
		"endTimeUnixNano":   strconv.FormatInt(s.end+s.pod.skew, 10),
	}
	if s.parent != 0 {
		out["parentSpanId"] = fmt.Sprintf("%016x", s.parent)
	}
	if s.failed {
		out["status"] = attr{"code": 2}
	}
	var attrs []attr
	switch s.protocol {
	case "http":
		attrs = append(attrs, num("http.response.status_code", s.code))
	case "grpc":
		attrs = append(attrs, str("rpc.system", "grpc"), num("rpc.grpc.status_code", s.code))
	}
	if s.peer != "" {
		// Both spellings occur in the wild; the older one is on the messages.
		key := "service.peer.name"
		if s.kind == producer {
			key = "peer.service"
		}
		attrs = append(attrs, str(key, s.peer))
	}
	if len(attrs) > 0 {
		out["attributes"] = attrs
	}
	return out
}
