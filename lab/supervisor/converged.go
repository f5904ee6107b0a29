package supervisor

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/weirmesh/weir/lab/agent"
)

// untilConverged waits until every proxy knows every endpoint: pods are Ready, their endpoints are in the API, and istiod has told all.
func (s *Supervisor) untilConverged(ctx context.Context) error {
	wanted := map[string]int{} // cluster -> endpoints
	for _, sv := range s.cfg.Lab.Mesh.Services {
		for _, v := range sv.Versions {
			wanted[fmt.Sprintf("outbound|%d||%s.%s.svc.cluster.local", sv.Port, sv.Name, s.cfg.Lab.Mesh.Namespace)] += v.Replicas
		}
	}
	return poll(ctx, "not every proxy knows every endpoint", func() (bool, error) {
		for _, i := range s.agent.Instances() {
			known, err := endpoints(ctx, i)
			if err != nil {
				return false, err
			}
			for cluster, n := range wanted {
				if known[cluster] < n {
					return false, fmt.Errorf("the proxy of %s knows %d of %d endpoints of %s", i.Pod, known[cluster], n, cluster)
				}
			}
		}
		return true, nil
	})
}

// endpoints counts what a proxy knows, by cluster. Its answer has lines like
//
//	outbound|8080||catalog.shop.svc.cluster.local::127.65.64.1:8080::health_flags::healthy
func endpoints(ctx context.Context, i agent.Instance) (map[string]int, error) {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.Envoy.String()+"/clusters", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the proxy of %s: %w", i.Pod, err)
	}
	defer answer.Body.Close()
	known := map[string]int{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if parts := strings.Split(lines.Text(), "::"); len(parts) == 4 && parts[2] == "health_flags" && parts[3] == "healthy" { // pods that are not Ready are known as unhealthy
			known[parts[0]]++
		}
	}
	return known, lines.Err()
}
