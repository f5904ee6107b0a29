package agent_test

import (
	"bytes"
	"flag"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/identity"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/lab/toolbox"
)

var update = flag.Bool("update", false, "write golden files anew") //nolint:gochecknoglobals // a flag of the test

type object = map[string]any

func config(t *testing.T) agent.Config {
	t.Helper()
	secrets, err := identity.New("cluster.local", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	api, err := dynamic.NewForConfig(&rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	return agent.Config{
		API: api, Lab: spec.Default(), Run: t.TempDir(), Network: loopback.Default(),
		XDS: "127.0.0.1:1", Secrets: secrets, Telemetry: netip.MustParseAddrPort("127.0.15.1:4317"),
		Internet: netip.MustParseAddrPort("127.0.0.1:1"), Envoy: "/envoy", Service: "/weir-lab", Mark: "test",
		Logger: slog.New(slog.DiscardHandler),
	}
}

func node(name, region string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{"apiVersion": "v1", "kind": "Node", "metadata": object{
		"name": name, "uid": name, "labels": object{"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": name},
	}}}
}

func pod(name, service, version, address string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{
			"name": name, "namespace": "shop", "uid": name, "labels": object{
				"app": service, "version": version, "pod-template-hash": "6d4b75cb6d", "security.istio.io/tlsMode": "istio",
			},
			"ownerReferences": []any{object{"kind": "ReplicaSet", "name": service + "-" + version + "-6d4b75cb6d"}},
		},
		"spec":   object{"serviceAccountName": service, "nodeName": "north-1"},
		"status": object{"podIP": address, "phase": "Pending"},
	}}
}

func gateway() *unstructured.Unstructured {
	p := pod("istio-ingressgateway-6d4b75cb6d-abcde", "istio-ingressgateway", "", "10.244.0.9")
	p.SetNamespace("istio-system")
	p.SetLabels(map[string]string{"app": "istio-ingressgateway", "istio": "ingressgateway", "pod-template-hash": "6d4b75cb6d"})
	_ = unstructured.SetNestedField(p.Object, []any{object{"kind": "ReplicaSet", "name": "istio-ingressgateway-6d4b75cb6d"}},
		"metadata", "ownerReferences")
	return p
}

func entry() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{
		"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
		"metadata": object{
			"name": "legacy-stock-v1", "namespace": "shop", "uid": "vm-1", "labels": object{"lab.weir.dev/vm": "true"},
		},
		"spec": object{
			"address": "10.244.3.200", "serviceAccount": "legacy-stock", "locality": "north/north-1",
			"labels": object{"app": "legacy-stock", "version": "v1"},
		},
	}}
}

func TestBootstrap(t *testing.T) {
	for name, o := range map[string]*unstructured.Unstructured{
		"sidecar": pod("catalog-v1-6d4b75cb6d-x7k2p", "catalog", "v1", "10.244.0.7"), "gateway": gateway(), "vm": entry(),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := agent.New(config(t))
			if err != nil {
				t.Fatal(err)
			}
			text, attributes, err := a.Bootstrap(o, node("north-1", "north"), netip.MustParseAddrPort("127.0.0.1:15111"))
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, "# OTEL_RESOURCE_ATTRIBUTES="+attributes+"\n"...)
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, want) {
				t.Errorf("%s is not what is made; run the test with -update and look at the difference", path)
			}
			validate(t, path)
		})
	}
}

// validate asks Envoy what it thinks of a configuration.
func validate(t *testing.T, path string) {
	t.Helper()
	envoy := os.Getenv("WEIR_LAB_ENVOY")
	if envoy == "" {
		base, err := toolbox.Base()
		if err != nil {
			t.Skip(err)
		}
		tools, err := toolbox.Open(base)
		if err != nil {
			t.Skip(err)
		}
		envoy = tools.Path(toolbox.Envoy)
	}
	out, err := exec.CommandContext(t.Context(), envoy, "--mode", "validate", "-l", "warning", "-c", path).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("deprecated")) {
		t.Errorf("Envoy refuses it: %v\n%s", err, out)
	}
}
