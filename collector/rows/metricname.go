package rows

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// KeptAttributes are the attribute keys of gauges and counters that every collector keeps: those without which two gauges of one instance
// would be taken for one. Envoy names its own with a prefix, Istio's configuration of Envoy without.
func KeptAttributes() []string {
	return []string{
		"cluster_name", "cpu.mode", "db.client.connection.pool.name", "db.client.connection.state",
		"envoy.cluster_name", "envoy.http_conn_manager_prefix", "envoy.response_code", "envoy.response_code_class",
		"error.type", "http_conn_manager_prefix", "jvm.buffer.pool.name", "jvm.memory.pool.name",
		"jvm.memory.type", "jvm.thread.state", "k8s.container.name", "messaging.consumer.group.name", "messaging.destination.name",
		"messaging.destination.partition.id", "pool.name", "reporter", "response_code", "response_code_class",
		"state", "system.memory.state",
	}
}

// Limits of a metric's name with its attributes.
const (
	maxMetricValue = 128
	maxMetricName  = 1024
)

// metricName appends the kept attributes, sorted by key: jvm.memory.used{jvm.memory.pool.name=G1,jvm.memory.type=heap}. A
// container's name may stand at the resource, so keys are looked up there too. whole says that the point has no other attributes.
func (c *Converter) metricName(s series, point pcommon.Map) (metric string, whole bool) {
	if point.Len() == 0 && s.resource.Len() == 0 {
		return s.name, true
	}
	var b strings.Builder
	kept := 0
	for _, key := range c.kept {
		v, ok := point.Get(key)
		if ok {
			kept++
		} else {
			v, ok = s.resource.Get(key)
		}
		if !ok {
			continue
		}
		if b.Len() == 0 {
			b.WriteString(s.name)
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(key)
		b.WriteByte('=')
		b.WriteString(metricValue(text(v)))
	}
	whole = kept == point.Len()
	if b.Len() == 0 {
		return s.name, whole
	}
	return limit(b.String(), maxMetricName-1) + "}", whole
}

// metricValue keeps the signs that divide a name out of its parts.
func metricValue(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '{', '}', ',', '=':
			return '_'
		}
		return r
	}, identity(s, maxMetricValue))
}
