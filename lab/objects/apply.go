package objects

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Manager is the field manager of what the lab applies.
const Manager = "weir-lab"

// pause is between attempts at an object that the API server does not take yet.
const pause = 200 * time.Millisecond

// Apply hands objects to the API server, in their order. It goes on trying while the server is not there, or does not know a kind yet
// because its definition is new; ctx bounds that. An object that the server refuses is an error at once. Fields that others own are
// taken over.
func Apply(ctx context.Context, config *rest.Config, objects []*unstructured.Unstructured) error {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 200, 200 // the lab is the only user that is in a hurry
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("apply objects: %w", err)
	}
	for _, o := range objects {
		if err := applyOne(ctx, client, o); err != nil {
			return fmt.Errorf("apply %s %s/%s: %w", o.GetKind(), o.GetNamespace(), o.GetName(), err)
		}
	}
	return nil
}

func applyOne(ctx context.Context, client dynamic.Interface, o *unstructured.Unstructured) error {
	resource, err := Resource(o.GroupVersionKind())
	if err != nil {
		return err
	}
	var to dynamic.ResourceInterface = client.Resource(resource)
	if ns := o.GetNamespace(); ns != "" {
		to = client.Resource(resource).Namespace(ns)
	}
	again := time.NewTicker(pause)
	defer again.Stop()
	for {
		_, err := to.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: Manager, Force: true})
		if err == nil || refused(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-again.C:
		}
	}
}

// refused reports whether trying again cannot help.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsUnauthorized(err)
}

// Resource returns the resource of a kind that the lab uses, as the API server calls it.
func Resource(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	plural, ok := map[string]string{
		"Namespace": "namespaces", "Node": "nodes", "Pod": "pods", "ServiceAccount": "serviceaccounts", "Service": "services",
		"Deployment": "deployments", "EndpointSlice": "endpointslices", "Telemetry": "telemetries", "Gateway": "gateways",
		"VirtualService": "virtualservices", "DestinationRule": "destinationrules", "WorkloadEntry": "workloadentries",
	}[kind.Kind]
	if !ok {
		return schema.GroupVersionResource{}, fmt.Errorf("the lab has no objects of kind %s", kind)
	}
	return kind.GroupVersion().WithResource(plural), nil
}
