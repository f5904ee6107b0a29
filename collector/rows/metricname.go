package rows

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// KeptAttributes are the attribute keys of gauges that every collector keeps: those without which two gauges of one instance would
// be taken for one.
func KeptAttributes() []string {
	return []string{
		"cpu.mode", "db.client.connection.pool.name", "db.client.connection.state", "jvm.buffer.pool.name", "jvm.memory.pool.name",
		"jvm.memory.type", "jvm.thread.state", "k8s.container.name", "messaging.consumer.group.name", "messaging.destination.name",
		"messaging.destination.partition.id", "pool.name", "state", "system.memory.state",
	}
}

// Limits of a metric's name with its attributes.
const (
	maxMetricValue = 128
	maxMetricName  = 1024
)

// metricName appends the kept attributes, sorted by key: jvm.memory.used{jvm.memory.pool.name=G1,jvm.memory.type=heap}. A
// container's name may stand at the resource, so keys are looked up there too.
func (c *Converter) metricName(s series, point pcommon.Map) string {
	if point.Len() == 0 && s.resource.Len() == 0 {
		return s.name
	}
	var b strings.Builder
	for _, key := range c.kept {
		v, ok := point.Get(key)
		if !ok {
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
	if b.Len() == 0 {
		return s.name
	}
	return limit(b.String(), maxMetricName-1) + "}"
}

// metricValue keeps the signs that divide a name out of its parts.
func metricValue(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '{', '}', ',', '=':
			return '_'
		}
		return r
	}, limit(s, maxMetricValue))
}
