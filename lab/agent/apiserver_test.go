package agent_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// apiServer is as much of a Kubernetes API server as the agent uses: lists, watches and merge patches of annotations. It can go away and
// come back at the same address.
type apiServer struct {
	t      *testing.T
	server *httptest.Server
	addr   string

	mu      sync.Mutex
	objects map[string]map[string]*unstructured.Unstructured // by resource, by namespace/name
	watches map[chan string]string                           // resource; each gets events as JSON
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{t: t, addr: "127.0.0.1:0", objects: map[string]map[string]*unstructured.Unstructured{
		"pods": {}, "nodes": {}, "workloadentries": {},
	}, watches: map[chan string]string{}}
	s.up()
	t.Cleanup(s.down)
	return s
}

func (s *apiServer) up() {
	l, err := net.Listen("tcp", s.addr) //nolint:noctx // it is there at once
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(s.serve)}} //nolint:gosec // a test's
	s.server.Start()
}

func (s *apiServer) down() {
	s.server.CloseClientConnections()
	s.server.Close()
}

func (s *apiServer) client() dynamic.Interface {
	api, err := dynamic.NewForConfig(&rest.Config{Host: "http://" + s.addr, QPS: 1000, Burst: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	return api
}

// put adds or changes an object.
func (s *apiServer) put(resource string, o *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[resource][o.GetNamespace()+"/"+o.GetName()] = o
	s.tell(resource, "MODIFIED", o)
}

func (s *apiServer) remove(resource string, o *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects[resource], o.GetNamespace()+"/"+o.GetName())
	s.tell(resource, "DELETED", o)
}

func (s *apiServer) tell(resource, kind string, o *unstructured.Unstructured) {
	text, err := json.Marshal(object{"type": kind, "object": o.Object})
	if err != nil {
		s.t.Error(err)
	}
	for w, of := range s.watches {
		if of == resource {
			w <- string(text)
		}
	}
}

// serving is the annotation that the agent writes.
func (s *apiServer) serving(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects["pods"][name]; o != nil {
		return o.GetAnnotations()["lab.weir.dev/serving"]
	}
	return "no pod"
}

func (s *apiServer) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch resource := parts[len(parts)-1]; {
	case r.Method == http.MethodPatch:
		s.patch(w, r, parts[len(parts)-3]+"/"+resource)
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r, resource)
	default:
		s.list(w, resource)
	}
}

func (s *apiServer) list(w http.ResponseWriter, resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []any{}
	for _, o := range s.objects[resource] {
		items = append(items, o.Object)
	}
	_ = json.NewEncoder(w).Encode(object{"apiVersion": "v1", "kind": "List", "metadata": object{"resourceVersion": "1"}, "items": items})
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, resource string) {
	events := make(chan string, 100)
	s.mu.Lock()
	s.watches[events] = resource
	for _, o := range s.objects[resource] { // what changed between list and watch
		text, _ := json.Marshal(object{"type": "MODIFIED", "object": o.Object})
		events <- string(text)
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watches, events)
	}()
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-events:
			_, _ = w.Write([]byte(e + "\n"))
			_ = flush.Flush()
		}
	}
}

func (s *apiServer) patch(w http.ResponseWriter, r *http.Request, name string) {
	var patch struct {
		Metadata struct {
			UID         string
			Annotations map[string]string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	o := s.objects["pods"][name]
	if o == nil || string(o.GetUID()) != patch.Metadata.UID {
		s.mu.Unlock()
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
		return
	}
	o = o.DeepCopy()
	o.SetAnnotations(patch.Metadata.Annotations)
	s.mu.Unlock()
	s.put("pods", o)
	_ = json.NewEncoder(w).Encode(o.Object)
}
