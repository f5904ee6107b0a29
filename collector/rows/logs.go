package rows

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Logs says what becomes of a request of logs: nothing, under one of two reasons. Access logs of proxies are skipped in silence: a mesh
// sends them to whoever takes its traces, and the same calls are in those.
func (c *Converter) Logs(ld plog.Logs) Batch {
	var b Batch
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				b.Read++
				if accessLog(rl.Resource().Attributes(), record) {
					b.lose(Loss{Reason: "access_logs_ignored", Count: 1, Silent: true})
				} else {
					b.lose(Loss{Reason: "logs_not_supported", Count: 1})
				}
			}
		}
	}
	return b
}

// accessLog tells what envoy.access_loggers.open_telemetry sends from what an SDK does: it has no severity, and one of the attributes by
// which Envoy's format names the end of a request; or it comes from no service, under the name of a log or as a line in Envoy's own format,
// which begins with the time in brackets.
func accessLog(resource pcommon.Map, record plog.LogRecord) bool {
	if record.SeverityNumber() != plog.SeverityNumberUnspecified || record.SeverityText() != "" {
		return false
	}
	if has(record.Attributes(), "response_flags") || has(record.Attributes(), "response_code") {
		return true
	}
	if has(resource, "service.name") {
		return false
	}
	line := text(record.Body())
	return has(resource, "log_name") || len(line) > 1 && line[0] == '[' && '0' <= line[1] && line[1] <= '9'
}

func has(attributes pcommon.Map, key string) bool {
	_, ok := attributes.Get(key)
	return ok
}
