package mesh

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// SetReplicas asks for n instances of a version from now on, as an operator does: new ones become ready after the service's StartLag; of
// those that are too many, the youngest get no more calls and go when they are done. It may be called before Run and while Run yields.
func (m *Mesh) SetReplicas(service, version string, n int) error {
	v := m.find(service, version)
	if v == nil || n < 0 {
		return fmt.Errorf("set %d replicas of %s@%s: there is no such version, or number", n, service, version)
	}
	v.want = n
	m.reconcile(v, m.cfg.lag(v))
	return nil
}

// SetWeights changes how the calls of a service are shared among its versions from now on. Versions it does not name get nothing.
func (m *Mesh) SetWeights(service string, weights map[string]float64) error {
	for _, s := range m.services {
		if s.cfg.Name != service {
			continue
		}
		next, sum := make([]float64, len(s.versions)), 0.0
		for i, v := range s.versions {
			next[i] = max(0, weights[v.cfg.Name])
			sum += next[i]
		}
		if !(sum > 0) {
			return fmt.Errorf("set weights of %s: no version would get anything", service)
		}
		s.weights = next
		return nil
	}
	return fmt.Errorf("set weights of %s: there is no such service", service)
}

// Replicas is how many instances of a version are asked for, and how many are ready.
func (m *Mesh) Replicas(service, version string) (want, ready int) {
	if v := m.find(service, version); v != nil {
		return v.want, len(v.ready)
	}
	return 0, 0
}

func (m *Mesh) find(service, name string) *version {
	for _, v := range m.all {
		if v.service.cfg.Name == service && v.cfg.Name == name {
			return v
		}
	}
	return nil
}

// reconcile starts or drains instances until as many are there as should be.
func (m *Mesh) reconcile(v *version, lag int64) {
	alive := 0
	for _, i := range v.all {
		if i.state != draining {
			alive++
		}
	}
	for ; alive < v.want-v.down; alive++ {
		m.startInstance(v, lag)
	}
	for _, i := range slices.Backward(slices.Clone(v.all)) {
		if alive > v.want && i.state != draining {
			m.drain(i)
			alive--
		}
	}
}

func (m *Mesh) startInstance(v *version, lag int64) {
	i := &instance{version: v, since: m.now, origin: m.origin(v, v.service.cfg.Name+"-"+v.cfg.Name+"-"+v.hash+"-"+m.letters(5))}
	v.all = append(v.all, i)
	m.afflict(i)
	if lag == 0 {
		m.becomeReady(i)
		return
	}
	m.calendar.plan(event{at: m.now + lag, what: onReady, instance: i})
}

// becomeReady lets an instance have calls, unless it went before it had any.
func (m *Mesh) becomeReady(i *instance) {
	if i.state == starting {
		i.state, i.since = ready, m.now
		i.version.ready = append(i.version.ready, i)
	}
}

func (m *Mesh) drain(i *instance) {
	i.settle(m.now)
	was := i.state
	i.state = draining
	i.version.ready = without(i.version.ready, i)
	if was == starting || len(i.inside) == 0 {
		m.remove(i)
	}
}

func (m *Mesh) remove(i *instance) {
	i.settle(m.now)
	i.state = gone
	i.version.ready = without(i.version.ready, i)
	i.version.all = without(i.version.all, i)
}

// origin makes the identity of an instance; the collectors take turns.
func (m *Mesh) origin(v *version, instance string) *Origin {
	o := &Origin{
		Index: m.origins, Cluster: m.cfg.Cluster, Namespace: m.cfg.Namespace, Service: v.service.cfg.Name, Version: v.cfg.Name,
		Instance: instance, Deployment: Deployment(v.service.cfg.Name, v.cfg.Name), Route: v.service.cfg.Route,
		Collector: 1 + m.origins%Collectors,
	}
	if o.Route == "" {
		o.Route = "/" + o.Service
	}
	m.origins++
	return o
}

// Deployment is the name of the Deployment that runs a version of a service.
func Deployment(service, version string) string { return service + "-" + version }

// letters draws a part of a pod's name, of the letters that Kubernetes uses.
func (m *Mesh) letters(n int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[m.names.IntN(len(alphabet))])
	}
	return b.String()
}

// ReplicasAtEnd is how many instances of a version are asked for when the run ends, as far as the configuration says.
func (c Config) ReplicasAtEnd(service, name string) int {
	n, last := 0, -time.Duration(math.MaxInt64)
	for _, s := range c.Services {
		for _, v := range s.Versions {
			if s.Name == service && v.Name == name {
				n = v.Replicas
			}
		}
	}
	for _, e := range c.Events {
		if from, _ := c.span(e.From, e.To); e.Kind == Scale && e.Service == service && e.Version == name && from >= last {
			n, last = e.Replicas, from
		}
	}
	return n
}
