package agent

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
)

// Ports of the Admin address.
const (
	envoyAdminPort = 15000
	appAdminPort   = 15001
)

// program is what to start, and where to ask it how it is.
type program struct {
	process.Spec
	role  Role
	admin netip.AddrPort
}

// places is where a pod is on loopback.
type places struct{ inbound, app, outbound, admin netip.Addr }

func (a *Agent) places(pod netip.Addr) (p places, err error) {
	for role, to := range map[loopback.Role]*netip.Addr{
		loopback.Inbound: &p.inbound, loopback.App: &p.app, loopback.Outbound: &p.outbound, loopback.Admin: &p.admin,
	} {
		if *to, err = a.cfg.Network.Place(pod, role); err != nil {
			return p, err
		}
	}
	return p, nil
}

// app writes the configuration of the service process.
func (i *instance) app() (program, error) {
	cfg := i.agent.cfg
	at, err := i.agent.places(i.address)
	if err != nil {
		return program{}, err
	}
	runs, _ := cfg.Lab.Mesh.Service(i.service)
	c := service.Config{
		Service: runs, Version: version(runs, i.version), All: cfg.Lab.Mesh.Services,
		Namespace: i.namespace, Cluster: cfg.Lab.Mesh.Cluster, Region: i.region, Pod: i.name,
		RegionDelay: cfg.Lab.Mesh.RegionDelay, Seed: cfg.Lab.Seed,
		Listen: at.app, Outbound: at.outbound, Admin: i.admin, Telemetry: cfg.Telemetry,
		Ledger: filepath.Join(cfg.Run, "ledger", i.name+ledger.Extension), Internet: cfg.Internet,
		Finish: finish, Faults: i.agent.faultsOf(i.info()),
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return program{}, fmt.Errorf("encode the service's configuration: %w", err)
	}
	file, err := i.write("service.json", text)
	if err != nil {
		return program{}, err
	}
	if err := os.MkdirAll(filepath.Dir(c.Ledger), 0o700); err != nil {
		return program{}, fmt.Errorf("make the ledgers' folder: %w", err)
	}
	s := process.Spec{Name: i.name, Path: cfg.Service, Args: []string{"service", file}, Log: i.log(i.name)}
	return program{Spec: s, role: App, admin: i.admin}, nil
}

// version returns what a pod with a label version runs. A version that the lab file does not name is as its first one.
func version(s spec.Service, name string) spec.Version {
	if v, ok := s.Version(name); ok {
		return v
	}
	v := s.Versions[0]
	v.Name = name
	return v
}

// proxy writes the configuration of the Envoy. Its flags are those that Istio's agent gives.
func (i *instance) proxy() (program, error) {
	text, err := i.bootstrap()
	if err != nil {
		return program{}, err
	}
	file, err := i.write("envoy.yaml", text)
	if err != nil {
		return program{}, err
	}
	s := process.Spec{
		Name: i.name + ".envoy", Path: i.agent.cfg.Envoy, Log: i.log(i.name + ".envoy"),
		Args: []string{
			"-c", file, "--drain-time-s", "5", "--drain-strategy", "immediate", "--concurrency", "1", "--disable-hot-restart",
			"--component-log-level", "misc:error", "-l", "warning",
		},
		// Access logs say who writes them only where Istio's mesh configuration names an environment variable of the proxy's.
		Env: []string{"OTEL_RESOURCE_ATTRIBUTES=" + i.attributes(), "POD_NAME=" + i.name, "POD_NAMESPACE=" + i.namespace},
	}
	return program{Spec: s, role: Proxy, admin: i.envoy}, nil
}

// attributes are what the proxy says about itself in its telemetry; the service process says the same, so both are one instance.
// https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
func (i *instance) attributes() string {
	all := []string{
		"service.name=" + cmp.Or(i.service, i.owner), "service.instance.id=" + i.name, "k8s.pod.name=" + i.name, "k8s.namespace.name=" + i.namespace,
		"k8s.cluster.name=" + i.agent.cfg.Lab.Mesh.Cluster, "cloud.region=" + i.region,
	}
	if i.version != "" {
		all = append(all, "service.version="+i.version)
	}
	return strings.Join(all, ",")
}

func (i *instance) log(name string) string {
	return filepath.Join(i.agent.cfg.Run, "logs", name+".log")
}

// write makes a file of the instance and returns its path.
func (i *instance) write(name string, text []byte) (string, error) {
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("write the pod's files: %w", err)
	}
	return path, nil
}
