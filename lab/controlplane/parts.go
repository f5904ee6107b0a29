package controlplane

import (
	_ "embed"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/toolbox"
)

//go:embed stages.yaml
var stages string

//go:embed mesh.yaml
var mesh []byte

// nodeAddress is what nodes and the API server say their address is; nothing listens there. Kubernetes refuses loopback addresses.
const nodeAddress = "10.0.0.1"

// plan is what the parts are started with.
type plan struct {
	Config
	ports ports
	pki   pki
}

// Names of parts, and of their logs, that are not those of their programs or are needed elsewhere.
const (
	apiServer = toolbox.APIServer
	istiod    = "istiod"
)

func (p plan) spec(name, program string, env []string, args ...string) process.Spec {
	return process.Spec{
		Name: name, Path: p.Tools.Path(program), Args: args, Env: env, Dir: p.Run, Log: filepath.Join(p.Run, "logs", name+".log"),
	}
}

func (p plan) url(port int) string { return "http://" + at(port) }

// etcd keeps its data without waiting for the disk: the data is as safe as the machine is up, which is as long as a lab lives.
func (p plan) etcd() process.Spec {
	return p.spec(toolbox.Etcd, toolbox.Etcd, nil,
		"--data-dir", filepath.Join(p.Run, "etcd"), "--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", p.url(p.ports.Etcd), "--advertise-client-urls", p.url(p.ports.Etcd),
		"--listen-peer-urls", p.url(p.ports.EtcdPeer), "--initial-advertise-peer-urls", p.url(p.ports.EtcdPeer),
		"--initial-cluster", "default="+p.url(p.ports.EtcdPeer),
	)
}

// apiServer runs one alone, so it needs no lease that says that it lives; nodes are as Ready as kwok says, so a new one needs no taint until
// the node lifecycle controller has looked at it.
func (p plan) apiServer() process.Spec {
	return p.spec(apiServer, toolbox.APIServer, nil,
		"--etcd-servers", p.url(p.ports.Etcd), "--bind-address", host, "--secure-port", strconv.Itoa(p.ports.APIServer),
		"--advertise-address", nodeAddress, "--endpoint-reconciler-type", "none",
		"--feature-gates", "APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false",
		"--tls-cert-file", p.pki.certificate(), "--tls-private-key-file", p.pki.key(),
		"--token-auth-file", p.pki.tokens(), "--anonymous-auth=false", "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", p.pki.accounts(),
		"--service-account-signing-key-file", p.pki.accounts(), "--service-cluster-ip-range", p.Network.Services.String(),
		"--disable-admission-plugins", "TaintNodesByCondition", "--enable-priority-and-fairness=false", "--profiling=false",
		"--etcd-count-metric-poll-period", "0", "--etcd-db-metric-poll-interval", "0", "--event-ttl", "30m",
	)
}

// controllers are those that a mesh of Deployments needs, and those that people try on one. What is left out looks after nodes, volumes,
// certificates, quotas and clouds; the node lifecycle controller would evict pods, since nobody sends heartbeats.
func controllers() []string {
	return []string{
		"deployment-controller", "replicaset-controller", "statefulset-controller", "endpointslice-controller", "disruption-controller",
		"horizontal-pod-autoscaler-controller", "namespace-controller", "garbage-collector-controller", "serviceaccount-controller",
		"root-ca-certificate-publisher-controller", "clusterrole-aggregation-controller", "pod-garbage-collector-controller",
	}
}

func (p plan) controllerManager() process.Spec {
	return p.spec(toolbox.ControllerManager, toolbox.ControllerManager, nil,
		"--kubeconfig", p.pki.kubeconfig(toolbox.ControllerManager), "--bind-address", host,
		"--secure-port", strconv.Itoa(p.ports.ControllerManager), "--tls-cert-file", p.pki.certificate(), "--tls-private-key-file", p.pki.key(),
		"--leader-elect=false", "--use-service-account-credentials=false", "--service-account-private-key-file", p.pki.accounts(),
		"--root-ca-file", p.pki.authority(), "--controllers", strings.Join(controllers(), ","),
		"--kube-api-qps", "300", "--kube-api-burst", "600", "--concurrent-gc-syncs", "4", "--profiling=false",
	)
}

func (p plan) scheduler() process.Spec {
	return p.spec(toolbox.Scheduler, toolbox.Scheduler, nil,
		"--kubeconfig", p.pki.kubeconfig(toolbox.Scheduler), "--bind-address", host, "--secure-port", strconv.Itoa(p.ports.Scheduler),
		"--tls-cert-file", p.pki.certificate(), "--tls-private-key-file", p.pki.key(), "--leader-elect=false",
		"--kube-api-qps", "300", "--kube-api-burst", "600", "--profiling=false",
	)
}

func (p plan) stages() string { return filepath.Join(p.Run, "stages.yaml") }

func (p plan) kwok() process.Spec {
	return p.spec(toolbox.Kwok, toolbox.Kwok, nil,
		"--kubeconfig", p.pki.kubeconfig(toolbox.Kwok), "--config", p.stages(), "--manage-all-nodes", "--node-ip", nodeAddress,
		"--node-lease-duration-seconds", "0", "--server-address", at(p.ports.Kwok),
	)
}

func (p plan) mesh() string { return filepath.Join(p.Run, "mesh.yaml") }

// istiod sends stock Envoys nothing but what they know: no filters of Istio's own. Certificates come from elsewhere (package xds), and
// nobody injects proxies.
func (p plan) istiod() process.Spec {
	env := []string{
		"POD_NAME=istiod", "POD_NAMESPACE=" + istioNamespace, "CLUSTER_ID=" + p.Cluster, "ENABLE_LEADER_ELECTION=false",
		"PILOT_ENABLE_ALPN_FILTER=false", "PILOT_ENABLE_METADATA_EXCHANGE=false", "ENABLE_CA_SERVER=false", "PILOT_CERT_PROVIDER=none",
		"INJECT_ENABLED=false", "VALIDATION_WEBHOOK_CONFIG_NAME=", "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER=false",
	}
	return p.spec(istiod, toolbox.Istiod, env,
		"discovery", "--kubeconfig", p.pki.kubeconfig(istiod), "--meshConfig", p.mesh(), "--clusterID", p.Cluster,
		"--httpAddr", at(p.ports.IstiodHTTP), "--grpcAddr", at(p.ports.IstiodXDS), "--monitoringAddr", at(p.ports.IstiodMonitoring),
		"--httpsAddr", "", "--secureGRPCAddr", "", "--ctrlz_port", "0", "--profile=false", "--shutdownDuration", "1s",
	)
}

// files writes what the parts read besides the folder of keys.
func (p plan) files() error {
	lag := strconv.FormatInt(p.StartLag.Milliseconds(), 10)
	if err := os.WriteFile(p.stages(), []byte(strings.ReplaceAll(stages, "$START_LAG", lag)), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(p.mesh(), mesh, 0o600); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(p.Run, "logs"), 0o700)
}

// apiAddress is the first address of the network of services: the API server gives it to the Service kubernetes.
func apiAddress(services netip.Prefix) (netip.Addr, error) {
	a := services.Masked().Addr().Next()
	if !services.Contains(a) {
		return a, fmt.Errorf("the network of services %s has no room", services)
	}
	return a, nil
}
