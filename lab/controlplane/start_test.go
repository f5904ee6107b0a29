package controlplane_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/weirmesh/weir/lab/controlplane"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/toolbox"
)

const objects = `
apiVersion: v1
kind: Node
metadata: {name: north-1}
spec: {podCIDR: 10.244.1.0/24}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: default}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: web, containers: [{name: app, image: lab}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: default}
spec: {hosts: [web], http: [{route: [{destination: {host: web}}]}]}
`

func tools(t *testing.T) toolbox.Tools {
	t.Helper()
	if testing.Short() || os.Getenv("WEIR_LAB_TEST") == "" {
		t.Skip("starts a whole control plane: set WEIR_LAB_TEST=1")
	}
	base, err := toolbox.Base()
	if err != nil {
		t.Skip(err)
	}
	tools, err := toolbox.Open(base)
	if err != nil {
		t.Skip(err)
	}
	return tools
}

// cluster is a control plane that a test uses as a person and a node's agent would.
type cluster struct {
	*controlplane.ControlPlane
	t   *testing.T
	api dynamic.Interface
}

func start(t *testing.T, run string) cluster {
	t.Helper()
	config := controlplane.Config{
		Tools: tools(t), Run: run, Mark: run, Network: loopback.Default(), Cluster: "lab", StartLag: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	began := time.Now()
	c, err := controlplane.Start(t.Context(), config, func(step string) { t.Logf("%6.2f s: %s", time.Since(began).Seconds(), step) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop(context.WithoutCancel(t.Context())) })
	api, err := dynamic.NewForConfig(c.Rest)
	if err != nil {
		t.Fatal(err)
	}
	return cluster{ControlPlane: c, t: t, api: api}
}

func TestControlPlane(t *testing.T) {
	run, before := t.TempDir(), goleak.IgnoreCurrent()
	c := start(t, run)
	for _, p := range c.Processes() {
		memory, err := process.RSS(p.Pid())
		cpu, errCPU := process.CPU(p.Pid())
		if err != nil || errCPU != nil || p.Starts() != 1 {
			t.Errorf("%s: %d starts, %v, %v", p.Name(), p.Starts(), err, errCPU)
		}
		t.Logf("%-24s %5.2f s %4d MiB", p.Name(), cpu.Seconds(), memory>>20)
	}
	c.apply(objects)

	pod := c.pod("has an address", func(p *corev1.Pod) bool { return p.Status.PodIP != "" })
	if pod.Status.PodIP != "10.244.1.1" || pod.Status.Phase != corev1.PodPending || ready(pod) {
		t.Errorf("a pod whose processes do not run has %s, is %s, ready %v", pod.Status.PodIP, pod.Status.Phase, ready(pod))
	}
	c.serving(pod, "true")
	pod = c.pod("is Ready", ready)
	c.serving(pod, "false")
	pod = c.pod("is not Ready", func(p *corev1.Pod) bool { return !ready(p) })
	c.serving(pod, "true")
	pod = c.pod("is Ready again", ready)
	c.endpoint("10.244.1.1")

	// A deleted pod goes, and another comes, with an address that was not in use a moment ago.
	c.remove(pod)
	next := c.pod("replaces the deleted one", func(p *corev1.Pod) bool { return p.UID != pod.UID && p.Status.PodIP != "" })
	if next.Status.PodIP != "10.244.1.2" {
		t.Errorf("its address is %s", next.Status.PodIP)
	}

	// Everything is killed, and everything goes on, at the same places.
	for _, p := range c.Processes() {
		if err := syscall.Kill(p.Pid(), syscall.SIGKILL); err != nil {
			t.Errorf("kill %s: %v", p.Name(), err)
		}
	}
	began := time.Now()
	c.serving(next, "true")
	next = c.pod("is Ready after all parts were killed", ready)
	c.remove(next)
	last := c.pod("replaces that one", func(p *corev1.Pod) bool { return p.UID != next.UID && p.Status.PodIP != "" })
	if last.Status.PodIP != "10.244.1.3" {
		t.Errorf("its address is %s", last.Status.PodIP)
	}
	c.eventually("every part runs again", func() bool {
		for _, p := range c.Processes() {
			if p.Pid() == 0 || p.Starts() < 2 {
				return false
			}
		}
		return true
	})
	t.Logf("healed after %.2f s", time.Since(began).Seconds())

	c.stop(run)

	// A later start in the same folder finds everything as it was, and gives nobody's address to somebody else.
	c = start(t, run)
	deployments, scale := c.resource("apps", "v1", "deployments"), []byte(`{"spec":{"replicas":2}}`)
	if _, err := deployments.Patch(t.Context(), "web", types.MergePatchType, scale, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	second := c.pod("is added", func(p *corev1.Pod) bool { return p.UID != last.UID && p.Status.PodIP != "" })
	same := c.pod("was there", func(p *corev1.Pod) bool { return p.UID == last.UID })
	if same.Status.PodIP != last.Status.PodIP || second.Status.PodIP == last.Status.PodIP {
		t.Errorf("%s has become %s, and another pod got %s", last.Status.PodIP, same.Status.PodIP, second.Status.PodIP)
	}
	c.stop(run)
	goleak.VerifyNone(t, before)
}

func (c cluster) stop(mark string) {
	c.t.Helper()
	began := time.Now()
	c.Stop(c.t.Context())
	c.t.Logf("stopped in %.2f s", time.Since(began).Seconds())
	if left, err := process.Find(mark); err != nil || len(left) > 0 {
		c.t.Errorf("left over: %v (%v)", left, err)
	}
}

func (c cluster) resource(group, version, name string) dynamic.ResourceInterface {
	r := c.api.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: name})
	if name == "nodes" {
		return r
	}
	return r.Namespace("default")
}

func (c cluster) apply(documents string) {
	c.t.Helper()
	names := map[string]string{
		"Node": "nodes", "ServiceAccount": "serviceaccounts", "Service": "services",
		"Deployment": "deployments", "VirtualService": "virtualservices",
	}
	for _, text := range strings.Split(documents, "\n---\n") {
		var o unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			c.t.Fatal(err)
		}
		kind := o.GroupVersionKind()
		_, err := c.resource(kind.Group, kind.Version, names[kind.Kind]).Create(c.t.Context(), &o, metav1.CreateOptions{})
		if err != nil {
			c.t.Fatalf("create %s: %v", kind.Kind, err)
		}
	}
}

// pod waits for a pod.
func (c cluster) pod(what string, ok func(*corev1.Pod) bool) *corev1.Pod {
	c.t.Helper()
	var found corev1.Pod
	c.eventually("a pod "+what, func() bool {
		list, err := c.resource("", "v1", "pods").List(c.t.Context(), metav1.ListOptions{})
		if err != nil {
			return false // the API server has been killed
		}
		for _, o := range list.Items {
			found = corev1.Pod{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &found); err != nil {
				c.t.Fatal(err)
			}
			if found.DeletionTimestamp == nil && ok(&found) {
				return true
			}
		}
		return false
	})
	return &found
}

func ready(p *corev1.Pod) bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (c cluster) serving(p *corev1.Pod, value string) {
	c.t.Helper()
	patch := []byte(`{"metadata":{"annotations":{"lab.weir.dev/serving":"` + value + `"}}}`)
	c.eventually("the annotation is written", func() bool {
		_, err := c.resource("", "v1", "pods").Patch(c.t.Context(), p.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err == nil
	})
}

func (c cluster) remove(p *corev1.Pod) {
	c.t.Helper()
	if err := c.resource("", "v1", "pods").Delete(c.t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
	c.eventually("the pod is gone", func() bool {
		_, err := c.resource("", "v1", "pods").Get(c.t.Context(), p.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

// endpoint waits until the Service leads to an address.
func (c cluster) endpoint(address string) {
	c.t.Helper()
	c.eventually("the service leads to "+address, func() bool {
		list, err := c.resource("discovery.k8s.io", "v1", "endpointslices").List(c.t.Context(),
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=web"})
		if err != nil || len(list.Items) != 1 {
			return false
		}
		endpoints, _, _ := unstructured.NestedSlice(list.Items[0].Object, "endpoints")
		for _, e := range endpoints {
			endpoint, _ := e.(map[string]any)
			addresses, _, _ := unstructured.NestedStringSlice(endpoint, "addresses")
			isReady, _, _ := unstructured.NestedBool(endpoint, "conditions", "ready")
			if len(addresses) == 1 && addresses[0] == address && isReady {
				return true
			}
		}
		return false
	})
}

func (c cluster) eventually(what string, ok func() bool) {
	c.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for began := time.Now(); !ok(); <-ticker.C {
		if time.Since(began) > time.Minute {
			c.t.Fatalf("it never came to be: %s", what)
		}
	}
}
