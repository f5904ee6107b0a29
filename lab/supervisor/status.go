package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirmesh/weir/lab/control"
	"github.com/weirmesh/weir/lab/loopback"
	"github.com/weirmesh/weir/lab/process"
)

// Status returns what the lab is doing.
func (s *Supervisor) Status() (control.Status, error) {
	load := 0
	if s.is(control.Ready) {
		load = s.load.Pid()
	}
	parts, err := s.parts(load)
	if err != nil {
		return control.Status{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := control.Status{
		Phase: s.phase, Name: s.cfg.Lab.Name, Started: s.started, Ready: s.ready, Steps: slices.Clone(s.steps), Parts: parts,
		Faults: s.dial.Held(), Addresses: map[string]string{},
	}
	if s.failure != nil {
		out.Error = s.failure.Error()
	}
	if s.recording != nil {
		out.Recording = s.recordingDir
	}
	if s.phase != control.Ready {
		return out, nil
	}
	out.Instances = s.instances()
	out.Addresses["kubeconfig"] = s.plane.Kubeconfig
	out.Addresses["clickhouse"] = s.ports.ClickHouse
	out.Addresses["kafka"] = s.ports.Broker
	out.Addresses["weir data"] = filepath.Join(s.cfg.Run, "weir")
	if at, ok := s.gateway(); ok {
		out.Addresses["gateway"] = at.String()
	}
	return out, nil
}

func (s *Supervisor) instances() []control.Instance {
	var out []control.Instance
	for _, i := range s.agent.Instances() {
		one := control.Instance{
			Pod: i.Pod, Namespace: i.Namespace, Service: i.Service, Version: i.Version, Region: i.Region, Address: i.IP.String(), State: string(i.State),
		}
		if at, err := s.network.Place(i.IP, loopback.Inbound); err == nil {
			one.Inbound = at.String()
		}
		out = append(out, one)
	}
	return out
}

// parts returns every process of the lab with what it has used. The kernel is asked, so nothing can be forgotten. load is the process of
// the load generator, which is the same program as the services.
func (s *Supervisor) parts(load int) ([]control.Part, error) {
	found, err := process.Find(s.cfg.Run)
	if err != nil {
		return nil, err
	}
	found = append(found, process.Found{Pid: os.Getpid(), Name: "supervisor"})
	parts := make([]control.Part, 0, len(found))
	for _, f := range found {
		cpu, err1 := process.CPU(f.Pid)
		memory, err2 := process.RSS(f.Pid)
		if err1 != nil || err2 != nil {
			continue // it has ended meanwhile
		}
		name, role := s.nameOf(f, load)
		parts = append(parts, control.Part{Name: name, Role: role, PID: f.Pid, CPU: cpu, Memory: memory})
	}
	slices.SortFunc(parts, func(a, b control.Part) int {
		return strings.Compare(string(a.Role)+a.Name, string(b.Role)+b.Name)
	})
	return parts, nil
}

func (s *Supervisor) nameOf(f process.Found, load int) (string, control.Role) {
	switch f.Name {
	case "supervisor":
		return f.Name, control.ControlPlane
	case "envoy":
		return f.Name, control.Proxy
	case filepath.Base(s.cfg.Weir):
		return f.Name, control.Weir
	case filepath.Base(s.cfg.Self):
		if f.Pid == load {
			return loadName, control.Load
		}
		return "service", control.Service
	}
	return f.Name, control.ControlPlane
}
