package complete

import (
	"fmt"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// counter is a running total of spans that somebody did not pass on.
type counter struct {
	name   string // see normal
	failed bool   // only where an attribute error.type says that it failed
	agent  bool   // whoever counts passes on what others send
	hop    string
}

// counters that are known:
//   - the OpenTelemetry SDKs' own metrics (semantic conventions, "SDK metrics"): spans that a processor did not take (queue_full), or that an
//     exporter gave up;
//   - the OpenTelemetry Collector's: spans that an exporter gave up or had no room for, or that a processor dropped;
//   - Envoy's OpenTelemetry tracer's (statistics of tracing.opentelemetry): spans without room;
//   - Weir's own collector's: spans of requests that failed for good.
func counters() []counter {
	return []counter{
		{name: "otel_sdk_processor_span_processed", failed: true, hop: HopSource},
		{name: "otel_sdk_exporter_span_exported", failed: true, hop: HopSource},
		{name: "tracing_opentelemetry_spans_dropped", hop: HopSource},
		{name: "otelcol_exporter_send_failed_spans", agent: true, hop: HopSource},
		{name: "otelcol_exporter_enqueue_failed_spans", agent: true, hop: HopSource},
		{name: "otelcol_processor_dropped_spans", agent: true, hop: HopSource},
		{name: "weir_collector_dropped", agent: true, hop: HopCollector},
	}
}

// DropMetrics are the names of metrics that count drops, without attributes and with underscores for dots.
func DropMetrics() (names []string) {
	for _, c := range counters() {
		for _, prefix := range []string{"", "envoy_"} {
			names = append(names, prefix+c.name, prefix+c.name+"_total")
		}
	}
	return names
}

// normal is a metric's name without attributes, prefix of Envoy's Prometheus names and suffix of counters, with underscores for dots.
func normal(metric string) string {
	name, _, _ := strings.Cut(metric, "{")
	name = strings.ReplaceAll(name, ".", "_")
	return strings.TrimSuffix(strings.TrimPrefix(name, "envoy_"), "_total")
}

// counterOf says what a metric counts.
func counterOf(metric string) (counter, bool) {
	name := normal(metric)
	for _, c := range counters() {
		if c.name == name {
			return c, !c.failed || strings.Contains(metric, "error.type=")
		}
	}
	return counter{}, false
}

// whose are the drops of a window and hop: a scope's, or those of everybody in a tenant.
type whose struct {
	hop, scope, tenant string
	start              int64
}

// dropped finds what senders and agents say that they dropped.
func (t *tallies) dropped(in Input) (out []schemas.Gap) {
	drops := map[whose]float64{}
	for series, all := range rises(in.Totals) {
		c, ok := counterOf(series.Metric)
		if !ok {
			continue
		}
		at := whose{hop: c.hop, tenant: series.From.Tenant}
		if !c.agent {
			at.scope = series.From.Scope()
		}
		for _, r := range all {
			for at.start = max(in.From, schemas.Shortest().Start(r.from)); at.start < min(r.to, in.To); at.start += window {
				drops[at] += r.within(at.start)
			}
		}
	}
	for at, n := range drops {
		if at.start+window+int64(Settled) > in.Now {
			continue
		}
		for scope, counted := range t.concerned(at) {
			share := n
			if at.scope == "" && scope != schemas.Everyone {
				share = n * counted / t.everyone[at.tenant][at.start] // each workload's part of what an agent dropped
			}
			if g, ok := missing(at.start, scope, share, share+counted); ok {
				g.Hop, g.Kind = at.hop, schemas.GapDropped
				g.Detail = fmt.Sprintf("some %.0f records dropped beside %.0f counted, by the sender's own counters", share, counted)
				out = append(out, g)
			}
		}
	}
	return out
}

// concerned are the scopes that drops concern, with the rows counted in each. Where no tenants are kept apart, an agent's are everybody's.
func (t *tallies) concerned(at whose) map[string]float64 {
	if at.scope != "" {
		return map[string]float64{at.scope: t.scopes[at.scope][at.start]}
	}
	if at.tenant == "" {
		return map[string]float64{schemas.Everyone: t.everyone[""][at.start]}
	}
	out := map[string]float64{}
	for scope, windows := range t.scopes {
		if n := windows[at.start]; n > 0 && strings.HasPrefix(scope, at.tenant+":") {
			out[scope] = n
		}
	}
	return out
}
