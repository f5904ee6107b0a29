package features

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the stage's own counters. Make one for each process.
type Metrics struct {
	counters
	lag, watermark, lastData *prometheus.GaugeVec
	lastFlush                prometheus.Gauge
}

type counters struct {
	spans, calls, duplicates, orphans, flushes, unreadable prometheus.Counter
	messages                                               *prometheus.CounterVec
	flushSeconds                                           prometheus.Histogram
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"topic", "partition"})
		r.MustRegister(g)
		return g
	}
	m := &Metrics{
		counters: counters{
			spans:      counter("weir_features_spans_total", "Spans read, duplicates included."),
			calls:      counter("weir_features_calls_total", "Calls counted."),
			duplicates: counter("weir_join_duplicates_total", "Spans that came again and were not counted again."),
			orphans:    counter("weir_join_orphans_total", "Spans whose parent never came."),
			flushes:    counter("weir_features_flushes_total", "Flushes that became durable."),
			unreadable: counter("weir_features_dead_lettered_total", "Messages that could not be read and went to the dead letter."),
			messages: prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "weir_features_messages_total", Help: "Messages read, by topic; messages read again after a restart included.",
			}, []string{"topic"}),
			flushSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
				Name: "weir_features_flush_seconds", Help: "Time from the start of a flush until it is durable.",
				Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
			}),
		},
		lag:       gauge("weir_features_lag_messages", "Messages in the log that are not durable as windows yet."),
		watermark: gauge("weir_features_watermark_seconds", "Event time that the source has passed, seconds since the Unix epoch."),
		lastData:  gauge("weir_features_last_data_timestamp_seconds", "When the newest message with telemetry was written, seconds since the Unix epoch."),
	}
	m.lastFlush = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "weir_features_last_flush_timestamp_seconds", Help: "When a flush became durable last, seconds since the Unix epoch; 0 = none yet.",
	})
	r.MustRegister(m.messages, m.flushSeconds, m.lastFlush)
	return m
}

// observe sets a source's gauges.
func (r *run) observe(s *source, now time.Time) {
	labels := []string{s.assigned.Source.Topic, strconv.Itoa(s.assigned.Source.Partition)}
	m := r.parts.Metrics
	m.lag.WithLabelValues(labels...).Set(float64(max(0, s.end-s.durable)))
	m.watermark.WithLabelValues(labels...).Set(float64(r.sourceWatermark(s, now)) / 1e9)
	if !s.lastData.IsZero() {
		m.lastData.WithLabelValues(labels...).Set(float64(s.lastData.UnixNano()) / 1e9)
	}
}
