package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// cluster changes objects for faults, as a person with kubectl would.
type cluster struct {
	api dynamic.Interface
}

func nodes() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
}

func deployments() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
}

func telemetries() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "telemetry.istio.io", Version: "v1", Resource: "telemetries"}
}

// setPrice writes the price of an instance onto the nodes of a region.
func (c cluster) setPrice(ctx context.Context, region, price string) error {
	list, err := c.api.Resource(nodes()).List(ctx, metav1.ListOptions{LabelSelector: "topology.kubernetes.io/region=" + region})
	if err != nil {
		return fmt.Errorf("list the nodes of %s: %w", region, err)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{"lab.weir.dev/price": price}}})
	if err != nil {
		return err
	}
	for _, n := range list.Items {
		if _, err := c.api.Resource(nodes()).Patch(ctx, n.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("set the price of node %s: %w", n.GetName(), err)
		}
	}
	return nil
}

// restart replaces the pods of a Deployment, as `kubectl rollout restart` does.
func (c cluster) restart(ctx context.Context, namespace, name string, now time.Time) error {
	stamp := map[string]string{"kubectl.kubernetes.io/restartedAt": now.UTC().Format(time.RFC3339)}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": stamp}}}})
	if err != nil {
		return err
	}
	_, err = c.api.Resource(deployments()).Namespace(namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("restart deployment %s/%s: %w", namespace, name, err)
	}
	return nil
}

// setTracing turns tracing and access logs of the mesh on or off.
func (c cluster) setTracing(ctx context.Context, on bool) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{
		"tracing":       []any{map[string]any{"providers": []any{map[string]any{"name": "weir"}}, "disableSpanReporting": !on, "randomSamplingPercentage": 100}},
		"accessLogging": []any{map[string]any{"providers": []any{map[string]any{"name": "weir-logs"}}, "disabled": !on}},
	}})
	if err != nil {
		return err
	}
	api := c.api.Resource(telemetries()).Namespace("istio-system")
	list, err := api.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list telemetries of istio-system: %w", err)
	}
	for _, t := range list.Items {
		if _, err := api.Patch(ctx, t.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("change telemetry %s: %w", t.GetName(), err)
		}
	}
	return nil
}
