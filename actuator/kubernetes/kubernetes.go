// Package kubernetes reads the current state from an API server. It only ever lists; it needs the verb list on the kinds of package
// cluster, and nothing else.
package kubernetes

import (
	"context"
	"fmt"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/weirmesh/weir/actuator/cluster"
)

// Config says which cluster is read.
type Config struct {
	Kubeconfig string        // file; "" = as kubectl finds it, or the cluster that this process runs in
	Context    string        // of the kubeconfig; "" = its current one
	Timeout    time.Duration // for one answer; 0 = 10 s
}

// defaultTimeout is how long an answer may take if nobody says.
const defaultTimeout = 10 * time.Second

// rate bounds how many questions are asked in a second.
const rate = 20

// page is how many objects are asked for at once.
const page = 500

// Server is an API server. It is safe for concurrent use.
type Server struct {
	client  dynamic.Interface
	timeout time.Duration
	from    string
}

var _ cluster.Source = (*Server)(nil)

// New reads the kubeconfig. It does not ask the server anything yet.
func New(cfg Config) (*Server, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = cfg.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: cfg.Context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", cfg.Kubeconfig, err)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	config.UserAgent = "weir-actuator"
	config.WarningHandler = rest.NoWarnings{}
	config.QPS, config.Burst = rate, rate
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("use kubeconfig %s: %w", cfg.Kubeconfig, err)
	}
	s := &Server{client: client, timeout: cfg.Timeout, from: bare(config.Host)}
	if cfg.Context != "" {
		s.from += " (context " + cfg.Context + ")"
	}
	return s, nil
}

// bare is an address without credentials.
func bare(host string) string {
	u, err := url.Parse(host)
	if err != nil {
		return host
	}
	u.User = nil
	return u.String()
}

// From names the API server.
func (s *Server) From() string { return s.from }

// resources are where a kind is found, the best version first.
func resources(kind cluster.Kind) []schema.GroupVersionResource {
	of := func(group, resource string, versions ...string) (out []schema.GroupVersionResource) {
		for _, v := range versions {
			out = append(out, schema.GroupVersionResource{Group: group, Version: v, Resource: resource})
		}
		return out
	}
	switch kind {
	case cluster.Deployment:
		return of("apps", "deployments", "v1")
	case cluster.HorizontalPodAutoscaler:
		return of("autoscaling", "horizontalpodautoscalers", "v2", "v1")
	case cluster.ScaledObject:
		return of("keda.sh", "scaledobjects", "v1alpha1")
	case cluster.Canary:
		return of("flagger.app", "canaries", "v1beta1")
	case cluster.Rollout:
		return of("argoproj.io", "rollouts", "v1alpha1")
	case cluster.VirtualService:
		return of("networking.istio.io", "virtualservices", "v1", "v1beta1", "v1alpha3")
	case cluster.DestinationRule:
		return of("networking.istio.io", "destinationrules", "v1", "v1beta1", "v1alpha3")
	}
	return nil
}

// List returns the objects of a kind in a namespace. A kind that the server does not know has none.
func (s *Server) List(ctx context.Context, kind cluster.Kind, namespace string) ([]cluster.Object, error) {
	for _, resource := range resources(kind) {
		objects, err := s.list(ctx, resource, kind, namespace)
		if apierrors.IsNotFound(err) {
			continue
		}
		return objects, err
	}
	return nil, nil
}

func (s *Server) list(
	ctx context.Context, resource schema.GroupVersionResource, kind cluster.Kind, namespace string,
) (out []cluster.Object, err error) {
	options := metav1.ListOptions{Limit: page}
	for {
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		list, err := s.client.Resource(resource).Namespace(namespace).List(ctx, options)
		cancel()
		if err != nil {
			return nil, s.explain(err, resource, namespace)
		}
		for _, item := range list.Items {
			text, err := item.MarshalJSON()
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", resource.Resource, err)
			}
			o, err := cluster.Decode(text)
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", resource.Resource, err)
			}
			o["apiVersion"], o["kind"] = resource.GroupVersion().String(), string(kind)
			out = append(out, o)
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return out, nil
		}
	}
}

// explain says what to do about an error of the server.
func (s *Server) explain(err error, resource schema.GroupVersionResource, namespace string) error {
	where := "in namespace " + namespace
	if namespace == "" {
		where = "in all namespaces"
	}
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("list %s %s at %s: give this user the verb list on them: %w", resource.GroupResource(), where, s.from, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("list %s at %s: the kubeconfig's credentials are not accepted: %w", resource.GroupResource(), s.from, err)
	}
	return fmt.Errorf("list %s %s at %s: %w", resource.GroupResource(), where, s.from, err)
}
