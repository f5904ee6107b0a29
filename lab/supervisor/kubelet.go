package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weirmesh/weir/lab/agent"
)

// kubeletInterval is how often a collector usually asks kubelets for their statistics.
const kubeletInterval = 10 * time.Second

// kubelet stands in for the kubelets' statistics: it asks every instance how busy it is and reports that as the Collector's
// kubeletstats receiver would.
func (s *Supervisor) kubelet(ctx context.Context) error {
	conn, err := grpc.NewClient(s.ports.OTLP[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to the collector: %w", err)
	}
	defer func() { _ = conn.Close() }()
	client := pmetricotlp.NewGRPCClient(conn)
	tick := time.NewTicker(kubeletInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			md := s.pods(ctx, now)
			if md.DataPointCount() == 0 {
				continue
			}
			if _, err := client.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(md)); err != nil && ctx.Err() == nil {
				s.log.Warn("Kubelet statistics were not taken", "error", err)
			}
		}
	}
}

// gauges is what an instance says about itself.
type gauges struct {
	Utilization float64 `json:"utilization"`
	HeapBytes   float64 `json:"heap_bytes"`
}

func (s *Supervisor) pods(ctx context.Context, now time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for _, i := range s.agent.Instances() {
		if i.Service == "" || i.State != agent.Serving {
			continue
		}
		g, err := askGauges(ctx, i.Admin.String())
		if err != nil {
			continue // it is going, or coming
		}
		rm := md.ResourceMetrics().AppendEmpty()
		a := rm.Resource().Attributes()
		for key, value := range map[string]string{
			"service.name": i.Service, "service.version": i.Version, "service.instance.id": i.Pod, "k8s.pod.name": i.Pod,
			"k8s.namespace.name": i.Namespace, "k8s.cluster.name": s.cfg.Lab.Mesh.Cluster, "cloud.region": i.Region,
		} {
			a.PutStr(key, value)
		}
		metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
		at := pcommon.NewTimestampFromTime(now)
		gauge(metrics, "k8s.pod.cpu_limit_utilization", "1", g.Utilization, at)
		gauge(metrics, "k8s.pod.memory.working_set", "By", g.HeapBytes, at)
	}
	return md
}

func gauge(to pmetric.MetricSlice, name, unit string, value float64, at pcommon.Timestamp) {
	m := to.AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(at)
	p.SetDoubleValue(value)
}

func askGauges(ctx context.Context, admin string) (g gauges, err error) {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/gauges", nil)
	if err != nil {
		return g, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return g, err
	}
	defer answer.Body.Close()
	return g, json.NewDecoder(io.LimitReader(answer.Body, maxRequest)).Decode(&g)
}
