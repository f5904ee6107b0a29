package agent_test

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
)

// TestMain is the program `service` as well, so that TestMesh has one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "service" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		c, err := service.ReadConfig(os.Args[2])
		if err == nil {
			err = service.Run(ctx, c)
		}
		if err != nil {
			slog.Error("Service ended", "error", err)
			os.Exit(1) //nolint:gocritic // stop has nothing left to do
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// lab is an agent that runs stand-ins for an API server's pods.
type lab struct {
	*agent.Agent
	api      *apiServer
	programs *programs
}

func start(t *testing.T) lab {
	t.Helper()
	l := lab{programs: newPrograms(t), api: newAPIServer(t)}
	l.api.put("nodes", node("north-1", "north"))
	c := config(t)
	c.API, c.Keep = l.api.client(), l.programs.keep
	a, err := agent.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l.Agent = a
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for !so() {
		select {
		case <-late.C:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func TestPodComesAndGoes(t *testing.T) {
	l := start(t)
	p := pod("web-v1-a", "web", "v1", "10.244.0.2")
	l.api.put("pods", p)
	eventually(t, "the pod is told that it serves", func() bool { return l.api.serving("shop/web-v1-a") == "true" })
	all := l.Instances()
	if len(all) != 1 || all[0].State != agent.Serving || all[0].Service != "web" || all[0].Region != "north" || len(all[0].Processes) != 2 {
		t.Errorf("instances: %+v", all)
	}
	l.api.remove("pods", p)
	eventually(t, "the instance is gone", func() bool { return len(l.Instances()) == 0 })
	if got := l.programs.ended(); !slices.Equal(got, []string{"web-v1-a", "web-v1-a.envoy"}) {
		t.Errorf("ended in the order %v: a service calls through its proxy to the end", got)
	}
}

func TestProcessEnds(t *testing.T) {
	l := start(t)
	l.SetFaults([]spec.Fault{{Kind: spec.Delay, Service: "web", Size: 5}, {Kind: spec.Delay, Service: "cart", Size: 6}})
	l.api.put("pods", pod("web-v1-a", "web", "v1", "10.244.0.2"))
	eventually(t, "the pod serves", func() bool { return l.api.serving("shop/web-v1-a") == "true" })
	one := l.programs.get("web-v1-a")
	one.end()
	eventually(t, "the pod is told that it does not serve", func() bool { return l.api.serving("shop/web-v1-a") == "false" })
	one.start()
	eventually(t, "the pod serves again", func() bool { return l.api.serving("shop/web-v1-a") == "true" })
	eventually(t, "its new process has the faults", func() bool { return len(one.holds()) == 1 && one.holds()[0].Size == 5 })
	l.SetFaults(nil)
	eventually(t, "no fault holds", func() bool { return len(one.holds()) == 0 })
}

func TestAPIServerGoesAway(t *testing.T) {
	l := start(t)
	l.api.put("pods", pod("web-v1-a", "web", "v1", "10.244.0.2"))
	eventually(t, "the pod serves", func() bool { return l.api.serving("shop/web-v1-a") == "true" })
	l.api.down()
	one := l.programs.get("web-v1-a")
	l.SetFaults([]spec.Fault{{Kind: spec.Delay, Service: "web", Size: 5}})
	eventually(t, "faults are set without it", func() bool { return len(one.holds()) == 1 })
	one.end()
	eventually(t, "the instance knows that it does not serve", func() bool { return l.Instances()[0].State == agent.Starting })
	l.api.up()
	eventually(t, "the pod is told when it is back", func() bool { return l.api.serving("shop/web-v1-a") == "false" })
	l.api.put("pods", pod("web-v1-b", "web", "v1", "10.244.0.3"))
	eventually(t, "new pods are seen", func() bool { return l.api.serving("shop/web-v1-b") == "true" })
	if got := l.programs.ended(); len(got) != 0 {
		t.Errorf("%v were ended", got)
	}
}

// An address that is given to a new pod is free as soon as that needs it.
func TestAddressIsUsedAgain(t *testing.T) {
	l := start(t)
	old := pod("web-v1-a", "web", "v1", "10.244.0.2")
	l.api.put("pods", old)
	eventually(t, "the pod serves", func() bool { return l.api.serving("shop/web-v1-a") == "true" })
	l.api.remove("pods", old)
	l.api.put("pods", pod("cart-v1-a", "cart", "v1", "10.244.0.2"))
	eventually(t, "its successor serves", func() bool { return l.api.serving("shop/cart-v1-a") == "true" })
	if all := l.Instances(); len(all) != 1 || all[0].Pod != "cart-v1-a" {
		t.Errorf("instances: %+v", all)
	}
}

// Of two that want one address, the first keeps it for as long as it is there.
func TestAddressIsTaken(t *testing.T) {
	l := start(t)
	first := pod("web-v1-a", "web", "v1", "10.244.0.2")
	l.api.put("pods", first)
	eventually(t, "the first one serves", func() bool { return l.api.serving("shop/web-v1-a") == "true" })
	l.api.put("pods", pod("cart-v1-a", "cart", "v1", "10.244.0.2"))
	l.api.put("pods", pod("cart-v1-b", "cart", "v1", "10.244.0.3"))
	eventually(t, "another one serves", func() bool { return l.api.serving("shop/cart-v1-b") == "true" })
	if got := l.programs.ended(); len(got) != 0 || l.api.serving("shop/web-v1-a") != "true" || l.api.serving("shop/cart-v1-a") != "" {
		t.Errorf("%v were ended", got)
	}
	l.api.remove("pods", first)
	eventually(t, "the second one has its turn", func() bool { return l.api.serving("shop/cart-v1-a") == "true" })
}

func TestOneSickPodHoldsUpNobody(t *testing.T) {
	l := start(t)
	l.programs.mu.Lock()
	l.programs.sick["web-v1-a"] = true
	l.programs.mu.Unlock()
	l.api.put("pods", pod("web-v1-a", "web", "v1", "10.244.0.2"))
	eventually(t, "the sick one runs", func() bool { return l.programs.get("web-v1-a") != nil })
	l.api.put("pods", pod("cart-v1-a", "cart", "v1", "10.244.0.3"))
	l.api.put("pods", pod("cart-v1-b", "cart", "v1", "10.244.0.4"))
	l.api.put("pods", gateway())
	l.api.put("workloadentries", entry())
	l.api.put("pods", pod("stranger", "no-service", "v1", "10.244.0.5"))
	for _, name := range []string{"shop/cart-v1-a", "shop/cart-v1-b", "istio-system/istio-ingressgateway-6d4b75cb6d-abcde"} {
		eventually(t, name+" serves", func() bool { return l.api.serving(name) == "true" })
	}
	eventually(t, "the virtual machine serves", func() bool {
		return slices.ContainsFunc(l.Instances(), func(i agent.Instance) bool { return i.VM && i.State == agent.Serving })
	})
	if all := l.Instances(); len(all) != 5 || l.api.serving("shop/web-v1-a") == "true" || l.api.serving("shop/stranger") != "" {
		t.Errorf("instances: %+v", all)
	}
}

func TestHeld(t *testing.T) {
	web := func(pod, version, region string, s agent.State) agent.Instance {
		return agent.Instance{Pod: pod, Service: "web", Version: version, Region: region, State: s}
	}
	a, b, c := web("a", "v1", "north", agent.Serving), web("b", "v2", "south", agent.Serving), web("c", "v1", "north", agent.Serving)
	gone := web("d", "v1", "north", agent.Leaving)
	gateway := agent.Instance{Pod: "gw", Region: "north", State: agent.Serving}
	all := []agent.Instance{a, b, c, gone, gateway}
	hit := func(f spec.Fault, seed uint64) []string {
		var pods []string
		for _, i := range all {
			if len(agent.Held([]spec.Fault{f}, i, all, seed)) > 0 {
				pods = append(pods, i.Pod)
			}
		}
		return pods
	}
	for name, row := range map[string]struct {
		fault spec.Fault
		want  []string
	}{
		"service":       {spec.Fault{Kind: spec.Delay, Service: "web"}, []string{"a", "b", "c", "d"}},
		"version":       {spec.Fault{Kind: spec.BadRelease, Service: "web", Version: "v2"}, []string{"b"}},
		"instance":      {spec.Fault{Kind: spec.Delay, Service: "web", Instance: "c"}, []string{"c"}},
		"region":        {spec.Fault{Kind: spec.RegionOutage, Region: "north"}, []string{"a", "c", "d"}},
		"other service": {spec.Fault{Kind: spec.Delay, Service: "cart"}, nil},
		"at the load":   {spec.Fault{Kind: spec.Flood}, nil},
		"at the lab":    {spec.Fault{Kind: spec.ProxySilent, Service: "web"}, nil},
		"unknown":       {spec.Fault{Kind: "x", Service: "web"}, nil},
		"named":         {spec.Fault{Kind: spec.Brownout, Service: "web", Instance: "a"}, []string{"a"}},
	} {
		if got := hit(row.fault, 1); !slices.Equal(got, row.want) {
			t.Errorf("%s hits %v, want %v", name, got, row.want)
		}
	}
	seen := map[string]bool{}
	for seed := range uint64(50) {
		got := hit(spec.Fault{Kind: spec.Brownout, Service: "web"}, seed)
		if len(got) != 1 || got[0] == "d" {
			t.Fatalf("a brownout with seed %d hits %v", seed, got)
		}
		seen[got[0]] = true
	}
	if len(seen) != 3 {
		t.Errorf("of three instances seeds only ever choose %v", seen)
	}
}
