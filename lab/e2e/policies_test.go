package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/loopback"
)

// as asks a service of the mesh in the name of a pod: through the pod's own proxy, as its application would.
func (l *running) as(t *testing.T, pod control.Instance, service string, port int, path string, headers ...string) (int, http.Header) {
	t.Helper()
	at, err := loopback.Default().Place(netip.MustParseAddr(pod.Address), loopback.Outbound)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s:%d%s", at, port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = service + ".shop"
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode, answer.Header
}

// policies: objects that people apply act on real requests as Istio documents.
func (l *running) policies(t *testing.T) {
	web, checkout := l.pod(t, "web"), l.pod(t, "checkout")
	reviews := func(pod control.Instance, headers ...string) int {
		code, _ := l.as(t, pod, "reviews", 8080, "/reviews/7", headers...)
		return code
	}
	for what, pod := range map[string]control.Instance{"web": web, "checkout": checkout} {
		if got := reviews(pod); got != http.StatusOK {
			t.Fatalf("before any policy, %s got %d", what, got)
		}
	}
	t.Run("AuthorizationPolicy by principal", func(t *testing.T) {
		l.apply(t, `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reviews, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: ALLOW
  rules: [{from: [{source: {principals: ["cluster.local/ns/shop/sa/web"]}}]}]
`)
		l.becomes(t, http.StatusForbidden, func() int { return reviews(checkout) })
		l.becomes(t, http.StatusOK, func() int { return reviews(web) })
	})
	t.Run("AuthorizationPolicy by address and path", func(t *testing.T) {
		l.apply(t, fmt.Sprintf(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reviews-deny, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: DENY
  rules: [{from: [{source: {ipBlocks: ["%s/32"]}}], to: [{operation: {paths: ["/reviews/*"]}}]}]
`, checkout.Address))
		l.becomes(t, http.StatusForbidden, func() int { return reviews(checkout) })
		l.becomes(t, http.StatusOK, func() int { return reviews(web) })
	})
	t.Run("PeerAuthentication", func(t *testing.T) {
		pod := l.pod(t, "reviews")
		plain := func() error {
			conn, err := net.DialTimeout("tcp", pod.Inbound+":8080", time.Second)
			if err != nil {
				return err
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
			if _, err := fmt.Fprintf(conn, "GET /reviews/7 HTTP/1.1\r\nHost: reviews\r\n\r\n"); err != nil {
				return err
			}
			_, err = conn.Read(make([]byte, 1))
			return err
		}
		if err := plain(); err != nil {
			t.Fatalf("plain text was refused before the policy: %v", err)
		}
		l.apply(t, `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: shop}
spec: {mtls: {mode: STRICT}}
`)
		await(t, "plain text refused", 10*time.Second, func() (bool, string) { return plain() != nil, "it was answered" })
		l.becomes(t, http.StatusOK, func() int { return reviews(web) })
	})
	t.Run("VirtualService", func(t *testing.T) {
		l.apply(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pages, namespace: shop}
spec:
  hosts: [legacy-stock]
  http:
  - match: [{headers: {x-test: {exact: abort}}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: legacy-stock}}]
  - match: [{headers: {x-test: {exact: hurry}}}]
    timeout: 0.02s
    route: [{destination: {host: legacy-stock}}]
  - match: [{headers: {x-test: {exact: elsewhere}}}]
    route: [{destination: {host: reviews.shop.svc.cluster.local}}]
  - route: [{destination: {host: legacy-stock}}]
`)
		stock := func(test string) int {
			code, _ := l.as(t, web, "legacy-stock", 8080, "/stock/7", "x-test", test)
			return code
		}
		l.becomes(t, http.StatusTeapot, func() int { return stock("abort") })
		l.becomes(t, http.StatusGatewayTimeout, func() int { return stock("hurry") })
		await(t, "a request going elsewhere", 10*time.Second, func() (bool, string) {
			_, header := l.as(t, web, "legacy-stock", 8080, "/reviews/7", "x-test", "elsewhere")
			return strings.HasPrefix(header.Get("x-lab-answered"), "reviews-"), header.Get("x-lab-answered")
		})
	})
	t.Run("DestinationRule", func(t *testing.T) {
		l.apply(t, `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: legacy-stock-pool, namespace: shop}
spec:
  host: legacy-stock
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}}}
`)
		await(t, "the pool to overflow", 15*time.Second, func() (bool, string) {
			var wg sync.WaitGroup
			refused := make(chan int, 20)
			for range cap(refused) {
				wg.Go(func() {
					if code, _ := l.as(t, web, "legacy-stock", 8080, "/stock/7"); code == http.StatusServiceUnavailable {
						refused <- code
					}
				})
			}
			wg.Wait()
			return len(refused) > 5, fmt.Sprintf("%d of 20 requests at once were refused", len(refused))
		})
	})
}

// becomes waits until requests are answered so: proxies learn of a policy within seconds.
func (l *running) becomes(t *testing.T, want int, ask func() int) {
	t.Helper()
	got := 0
	await(t, fmt.Sprintf("answer %d", want), 10*time.Second, func() (bool, string) {
		got = ask()
		return got == want, fmt.Sprintf("the answer is %d", got)
	})
}

// kubectlCleanup applies objects when the test, and its context, have ended.
func (l *running) kubectlCleanup(objects string) {
	cmd := exec.Command(filepath.Join(l.bin, "weir-lab"), "kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-")
	cmd.Stdin = strings.NewReader(objects)
	_ = cmd.Run()
}
