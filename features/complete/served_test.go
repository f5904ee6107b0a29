package complete_test

import (
	"testing"

	"github.com/weirmesh/weir/features/complete"
	"github.com/weirmesh/weir/schemas"
)

const inbound = "http.downstream_rq_total{envoy.http_conn_manager_prefix=inbound_0.0.0.0_8080}"

// minutes is what is known of proxies that push their totals every ten seconds, three seconds into each window of six minutes.
type minutes struct{ in complete.Served }

// proxy adds the totals of an instance that serves so many requests a window, and reports them by some name.
func (m *minutes) proxy(s schemas.Origin, metric string, every int64, perWindow float64) {
	for at := int64(3); at < 360; at += every {
		m.in.Totals = append(m.in.Totals, total(s, metric, at, 1000+perWindow*float64(at)/10))
	}
}

// calls adds what was counted in the windows [from, to).
func (m *minutes) calls(s schemas.Origin, from, to int, calls float64, records uint64) {
	for i := from; i < to; i++ {
		m.in.Calls = append(m.in.Calls, schemas.InstanceCalls{From: s, Window: base + int64(i)*window, Calls: calls, Observed: records, InFlight: 0.5})
	}
}

// judged judges the five whole minutes, long after: base is 20 s into a minute.
func (m *minutes) judged() complete.Served {
	m.in.Now, m.in.From, m.in.To = base+600*second, base, base+36*window
	return m.in
}

// TestWhatProxiesServedMustBeTold: three of four calls of one of two instances are missing from the third minute on.
func TestWhatProxiesServedMustBeTold(t *testing.T) {
	m := &minutes{}
	m.proxy(sender("cart", 0), inbound, 10, 50)
	m.calls(sender("cart", 0), 0, 36, 50, 50)
	m.proxy(sender("cart", 1), inbound, 10, 50)
	m.calls(sender("cart", 1), 0, 16, 50, 50)
	m.calls(sender("cart", 1), 16, 22, 12.5, 13)
	m.calls(sender("cart", 1), 22, 36, 50, 50)
	found := complete.Untold(m.judged())
	if len(found) != 6 {
		t.Fatalf("found %d windows: %v", len(found), found)
	}
	for i, g := range found {
		// 70 s are compared, and in those before and after the minute everything was told.
		if g.From != base+int64(16+i)*window || g.Kind != schemas.GapProxyCountedMore || g.Hop != complete.HopProxy || g.Share < 0.3 || g.Share > 0.375 {
			t.Errorf("found %s", said(g))
		}
	}
	m.in.Known = found
	check(t, complete.Untold(m.judged())) // said already
	for i := range m.in.Calls {
		m.in.Calls[i].Calls = 50
	}
	if back := complete.Untold(m.judged()); len(back) != 6 || back[0].Share != 0 {
		t.Errorf("what has come is taken back by %v", back)
	}
	m.in.Totals = nil
	check(t, complete.Untold(m.judged())) // that proxies say nothing any more is no proof
}

// TestHeadSamplingIsMissing: one of ten is told of, and nobody says that it stands for ten.
func TestHeadSamplingIsMissing(t *testing.T) {
	for name, metric := range map[string]string{
		"Envoy": inbound, "Envoy's answers": "envoy_http_downstream_rq_completed{http_conn_manager_prefix=inbound_0.0.0.0_8080;}",
		"Istio": "istio_requests_total{reporter=destination,response_code=200}",
	} {
		m := &minutes{}
		m.proxy(sender("cart", 0), metric, 15, 50)
		m.calls(sender("cart", 0), 0, 36, 5, 5)
		found := complete.Untold(m.judged())
		if len(found) != 30 {
			t.Fatalf("%s: found %d windows", name, len(found))
		}
		for _, g := range found {
			if g.Share < 0.89 || g.Share > 0.91 {
				t.Errorf("%s: found %s", name, said(g))
			}
		}
	}
}

// TestNothingIsMissedInDoubt: nothing is said where proxies and windows may both be right.
func TestNothingIsMissedInDoubt(t *testing.T) {
	cart, pod := sender("cart", 0), sender("cart", 1)
	for name, told := range map[string]func(*minutes){
		"all is told": func(m *minutes) { m.proxy(cart, inbound, 10, 50); m.calls(cart, 0, 36, 50, 50) },
		"a burst between two samples": func(m *minutes) {
			m.proxy(cart, inbound, 10, 5)
			m.calls(cart, 0, 36, 5, 5)
			for i := range m.in.Totals {
				if m.in.Totals[i].Time > base+100*second { // after 98 s, and its calls end in the window before or after
					m.in.Totals[i].Value += 1000
				}
			}
			m.in.Calls[9].Calls = 1005
		},
		"what goes out": func(m *minutes) {
			m.proxy(cart, "http.downstream_rq_total{envoy.http_conn_manager_prefix=outbound_0.0.0.0_8080}", 10, 500)
			m.proxy(cart, "http.downstream_rq_total{envoy.http_conn_manager_prefix=admin}", 10, 500)
			m.proxy(cart, "istio_requests_total{reporter=source}", 10, 500)
			m.proxy(cart, "http.downstream_rq{http_conn_manager_prefix=inbound_0.0.0.0_8080,response_code_class=2xx}", 10, 500)
			m.calls(cart, 0, 36, 5, 5)
		},
		"probes that nobody traces": func(m *minutes) { m.proxy(cart, inbound, 10, 5); m.calls(cart, 0, 36, 1, 1) },
		"the pods have other names in spans": func(m *minutes) {
			m.proxy(cart, inbound, 10, 50)
			m.calls(sender("cart", 7), 0, 36, 50, 50)
		},
		"callers tell of the rest": func(m *minutes) {
			m.proxy(cart, inbound, 10, 50)
			m.calls(cart, 0, 36, 10, 10)
			m.calls(schemas.Origin{Workload: cart.Workload}, 0, 36, 40, 40)
		},
		"one proxy has no totals": func(m *minutes) {
			m.proxy(cart, inbound, 10, 50)
			m.calls(cart, 0, 36, 50, 50)
			m.calls(pod, 0, 36, 50, 50)
		},
		"sampled with weights, by chance fewer": func(m *minutes) {
			m.proxy(cart, inbound, 10, 50)
			m.calls(cart, 0, 36, 64, 1)
			for i := 16; i < 20; i++ {
				m.in.Calls[i].Calls = 0
			}
		},
		"requests pile up": func(m *minutes) {
			m.proxy(cart, inbound, 10, 50)
			m.calls(cart, 0, 16, 50, 50)
			m.calls(cart, 16, 36, 20, 20)
			for i := 16; i < 36; i++ {
				m.in.Calls[i].InFlight = 400
			}
		},
		"a total that began anew": func(m *minutes) {
			m.proxy(cart, inbound, 10, 50)
			m.calls(cart, 0, 36, 1, 1)
			for i := range m.in.Totals {
				m.in.Totals[i].Value -= 900 * float64(i%2)
			}
		},
		"totals once in four minutes": func(m *minutes) { m.proxy(cart, inbound, 240, 50); m.calls(cart, 0, 36, 1, 1) },
		"nobody ever told of it":      func(m *minutes) { m.proxy(cart, inbound, 10, 50) },
		"another gap explains it": func(m *minutes) {
			m.proxy(cart, inbound, 10, 50)
			m.calls(cart, 0, 36, 5, 5)
			m.in.Known = []schemas.Gap{
				{From: base - 100*window, To: base + 40*window, Scope: cart.Scope(), Hop: complete.HopSource, Kind: schemas.GapDropped, Share: 0.7},
				{From: base, To: base + 40*window, Scope: schemas.Everyone, Hop: complete.HopKafka, Kind: schemas.GapLost, Share: 0.25},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &minutes{}
			told(m)
			check(t, complete.Untold(m.judged()))
		})
	}
}

// TestARecentMinuteIsNotJudged: what was written for it may be on its way.
func TestARecentMinuteIsNotJudged(t *testing.T) {
	m := &minutes{}
	m.proxy(sender("cart", 0), inbound, 10, 50)
	m.calls(sender("cart", 0), 0, 36, 5, 5)
	in := m.judged()
	in.Now = base + 100*second + window + 60*second // the first minute ends 100 s after base
	if found := complete.Untold(in); len(found) != 6 {
		t.Errorf("%d windows are judged a minute after their end", len(found))
	}
	in.Now -= second
	check(t, complete.Untold(in))
}

// TestSilenceGoesOn: who has told of nothing for longer than is looked back is still missed.
func TestSilenceGoesOn(t *testing.T) {
	m := &minutes{}
	m.proxy(sender("cart", 0), inbound, 10, 50)
	m.in.Known = []schemas.Gap{{
		From: base, To: base + window, Scope: sender("cart", 0).Scope(), Hop: complete.HopProxy, Kind: schemas.GapProxyCountedMore, Share: 1, Records: 50,
	}}
	found := complete.Untold(m.judged())
	if len(found) != 30 || found[0].Share != 1 || found[0].Records != 50 {
		t.Errorf("found %d windows: %+v", len(found), found)
	}
}
