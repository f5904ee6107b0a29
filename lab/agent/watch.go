package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/weirmesh/weir/lab/objects"
	"github.com/weirmesh/weir/lab/spec"
)

// How the cluster is followed.
const (
	relist = time.Second      // after a list or a watch failed
	fresh  = 10 * time.Minute // a watch ends after this, so that nothing that was missed stays missed
)

func podResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "pods"}
}

func nodeResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
}

func entryResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "workloadentries"}
}

// mirror holds the objects of one kind as the API server listed and changed them. While the server is away it keeps what it has.
type mirror struct {
	api      dynamic.ResourceInterface
	kind     string // for people
	selector string
	changed  chan<- struct{}
	log      *slog.Logger

	mu      sync.Mutex
	listed  bool                                     // guarded by mu
	objects map[types.UID]*unstructured.Unstructured // guarded by mu
}

// follow keeps the mirror like the cluster until ctx ends.
func (m *mirror) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := m.once(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		m.log.Warn("Cluster could not be watched", "objects", m.kind, "error", err)
		timer := time.NewTimer(relist)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// once lists all objects and follows their changes until the watch ends.
func (m *mirror) once(ctx context.Context) error {
	list, err := m.api.List(ctx, metav1.ListOptions{LabelSelector: m.selector})
	if err != nil {
		return fmt.Errorf("list %s: %w", m.kind, err)
	}
	m.replace(list)
	ctx, stop := context.WithTimeout(ctx, fresh)
	defer stop()
	changes, err := m.api.Watch(ctx, metav1.ListOptions{LabelSelector: m.selector, ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return fmt.Errorf("watch %s: %w", m.kind, err)
	}
	defer changes.Stop()
	defer context.AfterFunc(ctx, changes.Stop)()
	for change := range changes.ResultChan() {
		if change.Type == watch.Error {
			return fmt.Errorf("watch %s: %w", m.kind, apierrors.FromObject(change.Object))
		}
		if o, ok := change.Object.(*unstructured.Unstructured); ok {
			m.change(o, change.Type == watch.Deleted)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("watch %s: it ended", m.kind)
}

func (m *mirror) replace(list *unstructured.UnstructuredList) {
	all := make(map[types.UID]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		all[list.Items[i].GetUID()] = &list.Items[i]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects, m.listed = all, true
	m.poke()
}

func (m *mirror) change(o *unstructured.Unstructured, gone bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if gone {
		delete(m.objects, o.GetUID())
	} else {
		m.objects[o.GetUID()] = o
	}
	m.poke()
}

func (m *mirror) poke() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// all returns the objects, which must not be changed; false if they have never been listed.
func (m *mirror) all() ([]*unstructured.Unstructured, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.objects)), m.listed
}

// cluster is what the API server said last.
type cluster struct {
	pods, nodes, entries *mirror
	changed              chan struct{}
}

func newCluster(api dynamic.Interface, log *slog.Logger) *cluster {
	changed := make(chan struct{}, 1)
	of := func(r schema.GroupVersionResource, selector string) *mirror {
		return &mirror{api: api.Resource(r), kind: r.Resource, selector: selector, changed: changed, log: log}
	}
	return &cluster{
		pods: of(podResource(), ""), nodes: of(nodeResource(), ""), entries: of(entryResource(), objects.LabelVM+"=true"), changed: changed,
	}
}

// follow keeps the cluster up to date until ctx ends. There is a value in changed whenever something may be different.
func (c *cluster) follow(ctx context.Context) {
	var all sync.WaitGroup
	for _, m := range []*mirror{c.pods, c.nodes, c.entries} {
		all.Go(func() { m.follow(ctx) })
	}
	all.Wait()
}

// workloads returns what must run; false as long as not everything has been listed, when nobody knows.
func (c *cluster) workloads(m spec.Mesh) (map[key]workload, bool) {
	nodes, ok := c.nodes.all()
	pods, podsOK := c.pods.all()
	entries, entriesOK := c.entries.all()
	labels := map[string]map[string]string{}
	for _, n := range nodes {
		labels[n.GetName()] = n.GetLabels()
	}
	all := map[key]workload{}
	for _, pod := range pods {
		if w, ok := fromPod(pod, labels, m); ok {
			all[w.key] = w
		}
	}
	for _, entry := range entries {
		if w, ok := fromEntry(entry, m); ok {
			all[w.key] = w
		}
	}
	return all, ok && podsOK && entriesOK
}
