package actuator

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the stage's own counters. Make one for each process.
type Metrics struct {
	messages, duplicates, unreadable prometheus.Counter
	outcomes                         *prometheus.CounterVec
	waiting, live, lag               *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"partition"})
		r.MustRegister(g)
		return g
	}
	m := &Metrics{
		messages:   counter("weir_actuator_messages_total", "Messages read from weir.decisions; those read again after a restart included."),
		duplicates: counter("weir_actuator_duplicates_total", "Decisions that came again and had no effect."),
		unreadable: counter("weir_actuator_unreadable_total", "Messages that were no decision of a trusted sender."),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_actuator_outcomes_total", Help: "Outcomes that became durable, by stage.",
		}, []string{"stage"}),
		waiting: gauge("weir_actuator_waiting_decisions", "Decisions about the past that wait for the deciding stages to come that far."),
		live:    gauge("weir_actuator_live_decisions", "Decisions that are valid and count."),
		lag:     gauge("weir_actuator_lag_messages", "Messages in the log that were not read yet."),
	}
	r.MustRegister(m.outcomes)
	return m
}
