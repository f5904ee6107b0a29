package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/cluster/clustertest"
	"github.com/weirmesh/weir/actuator/kubernetes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api plays an API server: it serves lists of what it holds, two objects a page, and knows only the versions it is told.
type api struct {
	objects []cluster.Object
	serves  map[string]string // resource -> group/version
	status  int               // what it answers instead, if not 0

	mu    sync.Mutex // guards asked
	asked []string
}

func newAPI(t *testing.T) *api {
	t.Helper()
	objects, err := cluster.ParseYAML([]byte(clustertest.State))
	if err != nil {
		t.Fatal(err)
	}
	return &api{objects: objects, serves: map[string]string{
		"deployments": "apps/v1", "horizontalpodautoscalers": "autoscaling/v2",
		"virtualservices": "networking.istio.io/v1", "destinationrules": "networking.istio.io/v1",
	}}
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, r.Method+" "+r.URL.Path)
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/apis/"), "/")
	resource, namespace := parts[len(parts)-1], ""
	if len(parts) == 5 {
		namespace = parts[3]
	}
	if a.status != 0 || a.serves[resource] != parts[0]+"/"+parts[1] {
		a.fail(w)
		return
	}
	var items []cluster.Object
	for _, o := range a.objects {
		if strings.ToLower(string(o.Kind()))+"s" == resource && (namespace == "" || o.Namespace() == namespace) {
			items = append(items, o)
		}
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	next, to := "", min(len(items), from+2)
	if to < len(items) {
		next = strconv.Itoa(to)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": a.serves[resource], "kind": "AnyList", "metadata": map[string]any{"continue": next}, "items": items[from:to],
	})
}

func (a *api) fail(w http.ResponseWriter) {
	code, reason := http.StatusNotFound, "NotFound"
	switch a.status {
	case http.StatusForbidden:
		code, reason = a.status, "Forbidden"
	case http.StatusUnauthorized:
		code, reason = a.status, "Unauthorized"
	}
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": reason,
	})
}

// kubeconfig has two contexts: one leads to the server, the other nowhere.
func kubeconfig(t *testing.T, address string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: here
clusters:
- {name: here, cluster: {server: %q}}
- {name: gone, cluster: {server: "http://user:secret@127.0.0.1:1"}}
users: [{name: me, user: {token: t}}]
contexts:
- {name: here, context: {cluster: here, user: me}}
- {name: gone, context: {cluster: gone, user: me}}
`, address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func open(t *testing.T, a http.Handler) *kubernetes.Server {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	s, err := kubernetes.New(kubernetes.Config{Kubeconfig: kubeconfig(t, server.URL)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	clustertest.Run(t, func(t *testing.T) cluster.Source { return open(t, newAPI(t)) })
}

func TestOnlyReads(t *testing.T) {
	a := newAPI(t)
	s := open(t, a)
	for _, kind := range cluster.Kinds() {
		if _, err := s.List(t.Context(), kind, "shop"); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if len(a.asked) < len(cluster.Kinds()) || slices.ContainsFunc(a.asked, func(q string) bool { return !strings.HasPrefix(q, "GET ") }) {
		t.Errorf("asked %q", a.asked)
	}
}

func TestOlderIstio(t *testing.T) {
	a := newAPI(t)
	a.serves["virtualservices"] = "networking.istio.io/v1beta1"
	found, err := open(t, a).List(t.Context(), cluster.VirtualService, "shop")
	if err != nil || len(found) != 1 || found[0].Text("apiVersion") != "networking.istio.io/v1beta1" {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		status int
		want   string
	}{
		{http.StatusForbidden, "give this user the verb list"},
		{http.StatusUnauthorized, "credentials are not accepted"},
	} {
		a := newAPI(t)
		a.status = tt.status
		if _, err := open(t, a).List(t.Context(), cluster.Deployment, "shop"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d: got %v, want %q in it", tt.status, err, tt.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	file := kubeconfig(t, "http://127.0.0.1:1")
	s, err := kubernetes.New(kubernetes.Config{Kubeconfig: file, Context: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.From(), "http://127.0.0.1:1 (context gone)"; got != want {
		t.Errorf("from %q, want %q", got, want)
	}
	_, err = s.List(t.Context(), cluster.Deployment, "shop")
	if err == nil || !strings.Contains(err.Error(), "list deployments.apps in namespace shop at http://127.0.0.1:1") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestSilentServer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s, err := kubernetes.New(kubernetes.Config{Kubeconfig: kubeconfig(t, "http://"+silent.Addr().String()), Timeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.List(t.Context(), cluster.Deployment, "shop"); err == nil {
		t.Error("a server that never answers gave a list")
	}
}

func TestKubeconfig(t *testing.T) {
	if _, err := kubernetes.New(kubernetes.Config{Kubeconfig: "/missing/config"}); err == nil || !strings.Contains(err.Error(), "/missing/config") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := kubernetes.New(kubernetes.Config{Kubeconfig: kubeconfig(t, "http://h"), Context: "other"}); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("a missing context: %v", err)
	}
}
