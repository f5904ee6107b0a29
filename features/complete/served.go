package complete

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// HopProxy is between a proxy that serves requests and whoever tells of them.
const HopProxy = "proxy"

const (
	// ServedMinute is the stretch over which proxies' totals are compared with calls: totals come every ten seconds or more seldom.
	ServedMinute = 6 * window
	// seldom is how far apart the samples around a minute may lie.
	seldom = 3 * ServedMinute
	// fewUntold is how many requests a minute of one workload nobody has to tell of: probes of load balancers, for example, are often
	// left out of traces.
	fewUntold = 30
	// sigmas is how far chance alone may take what sampled calls stand for; each minute of each workload is one throw.
	sigmas = 5
)

// servedTotals are running totals of the requests that a proxy has served, with underscores for dots and without Envoy's prefix, the best
// first: Istio counts when a request ends, as calls are counted; Envoy completed ones at the answer, and all when they begin.
func servedTotals() []string {
	return []string{"istio_requests_total", "http_downstream_rq_completed", "http_downstream_rq_total"}
}

// ServedMetrics are the names of these totals, without attributes and with underscores for dots.
func ServedMetrics() (names []string) {
	for _, name := range servedTotals() {
		names = append(names, name, "envoy_"+name)
	}
	return names
}

// Inbound are what the attributes of a total hold one of: Istio names the listeners of requests that come in, and so leaves those for
// health, metrics and administration out; its own total says who counted, the caller's proxy or the callee's.
func Inbound() []string { return []string{"conn_manager_prefix=inbound", "reporter=destination"} }

// servedFamily says which of the totals a metric is.
func servedFamily(metric string) (int, bool) {
	name, attributes, _ := strings.Cut(metric, "{")
	if !slices.ContainsFunc(Inbound(), func(s string) bool { return strings.Contains(attributes, s) }) {
		return 0, false
	}
	family := slices.Index(servedTotals(), strings.TrimPrefix(strings.ReplaceAll(name, ".", "_"), "envoy_"))
	return family, family >= 0
}

// Served is what is known about requests that proxies served, at some time.
type Served struct {
	Now      int64 // Unix ns
	From, To int64 // the minutes with From <= start and end <= To are judged
	Totals   []schemas.RunningTotal
	Calls    []schemas.InstanceCalls
	Known    []schemas.Gap // found before, of all kinds, that begin in [From, To)
}

// Untold returns gaps, as Find does, of what proxies served and nobody told of. Minutes are judged where their end is long enough ago, and
// only instances whose totals rose steadily: a total that fell began anew, or was not whole. Whatever is uncertain is to the favour of
// those who tell:
//
//   - the calls of every window that the samples around a minute touch may have been counted by the proxy between these samples;
//   - calls under way were begun and not ended (Little's law says how many);
//   - calls of instances without totals may be of the same pods under other names;
//   - what other gaps explain is not said twice.
func Untold(in Served) []schemas.Gap {
	u := untoldOf(in)
	var found []schemas.Gap
	judged := map[key]bool{}
	for minute := ceil(in.From); minute+ServedMinute <= in.To && minute+ServedMinute+window+int64(Arrived) <= in.Now; minute += ServedMinute {
		for scope, w := range u.workloads {
			m, ok := w.minute(minute)
			if !ok {
				continue
			}
			for start := minute; start < minute+ServedMinute; start += window {
				judged[key{from: start, scope: scope}] = true
				if g, ok := u.gap(scope, start, m); ok {
					found = append(found, g)
				}
			}
		}
	}
	return changed(found, u.before, func(g schemas.Gap) bool { return judged[key{from: g.From, scope: g.Scope}] })
}

func ceil(t int64) int64 { return (t + ServedMinute - 1) / ServedMinute * ServedMinute }

// untold is an input by what it is about.
type untold struct {
	workloads map[string]*servedWorkload // by scope
	before    []schemas.Gap              // found before, of this kind
	explained map[key]float64            // what other gaps take, by start and scope
}

func untoldOf(in Served) *untold {
	u := &untold{workloads: map[string]*servedWorkload{}, explained: map[key]float64{}}
	for k, samples := range series(in.Totals) {
		family, ok := servedFamily(k.Metric)
		if !ok {
			continue
		}
		i := u.instance(k.From)
		for len(i.totals) <= family {
			i.totals = append(i.totals, nil)
		}
		i.totals[family] = append(i.totals[family], samples)
	}
	for _, c := range in.Calls {
		i := u.instance(c.From)
		i.calls[c.Window] = c
	}
	for _, g := range in.Known {
		if g.Kind == schemas.GapProxyCountedMore {
			u.before = append(u.before, g)
			if w := u.workloads[g.Scope]; w != nil && g.Share > 0 {
				w.told = true
			}
			continue
		}
		for start := max(in.From, schemas.Shortest().Start(g.From)); start < min(in.To, g.To); start += window {
			u.explained[key{from: start, scope: g.Scope}] += g.Share
		}
	}
	return u
}

func (u *untold) instance(o schemas.Origin) *servedInstance {
	w := u.workloads[o.Scope()]
	if w == nil {
		w = &servedWorkload{instances: map[string]*servedInstance{}}
		u.workloads[o.Scope()] = w
	}
	i := w.instances[o.Instance]
	if i == nil {
		i = &servedInstance{calls: map[int64]schemas.InstanceCalls{}}
		w.instances[o.Instance] = i
	}
	return i
}

// gap is the part of a minute's missing calls that no other gap explains in one of its windows.
func (u *untold) gap(scope string, start int64, m servedMinute) (schemas.Gap, bool) {
	if m.missing <= 0 {
		return schemas.Gap{}, false
	}
	share := min(1, m.missing/m.all)
	share -= u.explained[key{from: start, scope: scope}] + u.explained[key{from: start, scope: schemas.Everyone}]
	each := m.all * float64(window) / float64(m.over)
	g, ok := missing(start, scope, share*each, each)
	g.Hop, g.Kind = HopProxy, schemas.GapProxyCountedMore
	g.Detail = fmt.Sprintf("in this minute its proxies served %.0f requests, and some %.0f of them are not counted: "+
		"nobody told of them, or they were sampled without a word of how many they stand for", m.served, m.missing)
	return g, ok && share > 0
}
