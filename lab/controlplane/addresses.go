package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// addresses gives each pod that has a node an address of the node's network and reports what a kubelet would: that its containers are
// being made. One goroutine does all of the work, so nothing is guarded.
type addresses struct {
	api    rest.Interface // of the core objects
	pods   cache.SharedInformer
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]
	pools  map[netip.Prefix]*pool
	given  map[cache.ObjectName]lease
	logger *slog.Logger
}

// lease is who has an address.
type lease struct {
	pod  types.UID
	pool *pool
	addr netip.Addr
}

func newAddresses(config *rest.Config, logger *slog.Logger) (*addresses, error) {
	api, err := coreClient(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for pods: %w", err)
	}
	a := &addresses{
		api: api, logger: logger, pools: map[netip.Prefix]*pool{}, given: map[cache.ObjectName]lease{},
		pods: cache.NewSharedInformer(cache.NewListWatchFromClient(api, "pods", metav1.NamespaceAll, fields.Everything()), &corev1.Pod{}, 0),
		// Soon, and soon again: a node may be told its network a moment after its first pods.
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](50*time.Millisecond, 5*time.Second)),
	}
	_, err = a.pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: a.changed, UpdateFunc: func(_, now any) { a.changed(now) }, DeleteFunc: a.changed,
	})
	return a, err
}

// coreClient knows the core objects alone; client-go's set of all clients would double the program.
func coreClient(config *rest.Config) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.ContentType = runtime.ContentTypeProtobuf
	return rest.RESTClientFor(config)
}

func (a *addresses) changed(o any) {
	if name, err := cache.DeletionHandlingObjectToName(o); err == nil {
		a.queue.Add(name)
	}
}

// run works until ctx ends.
func (a *addresses) run(ctx context.Context) {
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		a.pods.RunWithContext(ctx)
	}()
	defer func() { <-watched }()
	defer context.AfterFunc(ctx, a.queue.ShutDown)()
	if !cache.WaitForCacheSync(ctx.Done(), a.pods.HasSynced) {
		return
	}
	a.remember(ctx)
	for {
		name, stopped := a.queue.Get()
		if stopped {
			return
		}
		if err := a.look(ctx, name, time.Now()); err != nil && ctx.Err() == nil {
			a.logger.Warn("Gave a pod no address yet", "pod", name.String(), "err", err)
			a.queue.AddRateLimited(name)
		} else {
			a.queue.Forget(name)
		}
		a.queue.Done(name)
	}
}

// remember marks the addresses of pods that were there before as taken, before the first is given.
func (a *addresses) remember(ctx context.Context) {
	for _, o := range a.pods.GetStore().List() {
		pod, ok := o.(*corev1.Pod)
		if !ok {
			continue
		}
		addr, err := netip.ParseAddr(pod.Status.PodIP)
		if err != nil {
			continue
		}
		if p, err := a.pool(ctx, pod.Spec.NodeName); err == nil {
			p.hold(addr)
			a.given[cache.MetaObjectToName(pod)] = lease{pod: pod.UID, pool: p, addr: addr}
		}
	}
}

// pod returns nil for one that is not there.
func (a *addresses) pod(name cache.ObjectName) (*corev1.Pod, error) {
	o, there, err := a.pods.GetStore().GetByKey(name.String())
	if !there || err != nil {
		return nil, err
	}
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("the cache of pods holds a %T", o)
	}
	return pod, nil
}

// look does what a pod needs now.
func (a *addresses) look(ctx context.Context, name cache.ObjectName, now time.Time) error {
	pod, err := a.pod(name)
	if err != nil {
		return err
	}
	if l, held := a.given[name]; held && (pod == nil || pod.UID != l.pod) {
		l.pool.put(l.addr, now)
		delete(a.given, name)
	}
	if pod == nil || pod.Spec.NodeName == "" || pod.Status.PodIP != "" || pod.DeletionTimestamp != nil {
		return nil
	}
	l, held := a.given[name] // the cache may not show yet what was given
	if !held {
		if l, err = a.give(ctx, pod, now); err != nil {
			return err
		}
		a.given[name] = l
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": creating(pod, l.addr, now)})
	if err != nil {
		return err
	}
	err = a.api.Patch(types.StrategicMergePatchType).Namespace(name.Namespace).Resource("pods").Name(name.Name).SubResource("status").
		Param("fieldManager", owner).Body(patch).Do(ctx).Error()
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it was deleted meanwhile, and perhaps made again: the next event tells
	}
	return err
}

func (a *addresses) give(ctx context.Context, pod *corev1.Pod, now time.Time) (lease, error) {
	p, err := a.pool(ctx, pod.Spec.NodeName)
	if err != nil {
		return lease{}, err
	}
	addr, err := p.take(now)
	return lease{pod: pod.UID, pool: p, addr: addr}, err
}

// pool returns the addresses of a node's pods.
func (a *addresses) pool(ctx context.Context, node string) (*pool, error) {
	var n corev1.Node
	if err := a.api.Get().Resource("nodes").Name(node).Do(ctx).Into(&n); err != nil {
		return nil, err
	}
	prefix, err := netip.ParsePrefix(n.Spec.PodCIDR)
	if err != nil {
		return nil, fmt.Errorf("node %s needs a network for its pods, spec.podCIDR: %w", node, err)
	}
	if a.pools[prefix] == nil {
		a.pools[prefix] = newPool(prefix)
	}
	return a.pools[prefix], nil
}

// creating is the status of a pod whose containers are being made.
func creating(pod *corev1.Pod, addr netip.Addr, now time.Time) corev1.PodStatus {
	at := metav1.NewTime(now)
	condition := func(kind corev1.PodConditionType, status corev1.ConditionStatus, reason string) corev1.PodCondition {
		return corev1.PodCondition{Type: kind, Status: status, Reason: reason, LastTransitionTime: at}
	}
	s := corev1.PodStatus{
		Phase: corev1.PodPending, StartTime: &at,
		HostIP: nodeAddress, HostIPs: []corev1.HostIP{{IP: nodeAddress}},
		PodIP: addr.String(), PodIPs: []corev1.PodIP{{IP: addr.String()}},
		Conditions: []corev1.PodCondition{
			condition(corev1.PodInitialized, corev1.ConditionTrue, ""),
			condition(corev1.PodReady, corev1.ConditionFalse, "ContainersNotReady"),
			condition(corev1.ContainersReady, corev1.ConditionFalse, "ContainersNotReady"),
		},
	}
	for _, c := range pod.Spec.Containers {
		s.ContainerStatuses = append(s.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
		})
	}
	return s
}
