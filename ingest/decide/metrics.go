package decide

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what decision services count. Make one for each process.
type Metrics struct {
	said     *prometheus.CounterVec
	position *prometheus.GaugeVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		said: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_decide_said_total", Help: "Forecasts, findings and decisions made durable, those repeated after a restart included.",
		}, []string{"stage", "what"}),
		position: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weir_decide_position_seconds", Help: "Event time up to which windows are decided, seconds since the Unix epoch.",
		}, []string{"stage"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_decide_step_seconds", Help: "Time from the start of a step until its decisions are durable and published.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"stage"}),
	}
	r.MustRegister(m.said, m.position, m.seconds)
	return m
}

func (m *Metrics) observe(stage string, out Output, at time.Time, took time.Duration) {
	for what, n := range map[string]int{"forecast": len(out.Forecasts), "finding": len(out.Findings), "decision": len(out.Decisions)} {
		m.said.WithLabelValues(stage, what).Add(float64(n))
	}
	m.position.WithLabelValues(stage).Set(float64(at.Unix()))
	m.seconds.WithLabelValues(stage).Observe(took.Seconds())
}
