package actuator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"sigs.k8s.io/yaml"

	"github.com/weirmesh/weir/actuator"
	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/manifests"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

const shop = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart-v1, namespace: shop, labels: {app: cart, version: v1}}
spec: {replicas: 3, selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart-v2, namespace: shop, labels: {app: cart, version: v2}}
spec: {replicas: 2, selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop, labels: {kustomize.toolkit.fluxcd.io/name: apps}}
spec: {hosts: [cart], http: [{route: [{destination: {host: cart, subset: stable}, weight: 50}, {destination: {host: cart, subset: canary}, weight: 50}]}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec: {host: cart, subsets: [{name: stable, labels: {version: v1}}, {name: canary, labels: {version: v2}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: pay, namespace: shop}
spec: {replicas: 2, selector: {}, template: {}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: pay, namespace: shop}
spec: {minReplicas: 2, scaleTargetRef: {kind: Deployment, name: pay}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: old, namespace: shop}
spec: {replicas: 2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: elastic, namespace: shop}
spec: {selector: {}, template: {}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: odd, namespace: shop}
spec: {hosts: [odd], http: [{timeout: 5, route: [{destination: {host: odd, subset: v1}, weight: 50}, {destination: {host: odd, subset: v2}, weight: 50}]}]}
`

// folder is a folder with one manifest.
func folder(t *testing.T, text string) *manifests.Folder {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := manifests.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// outcome is what becomes of one decision.
func outcome(t *testing.T, d schemas.Decision, change ...func(*actuator.Config, *actuator.Parts)) schemas.DecisionOutcome {
	t.Helper()
	w := newWorld(signed(t, d), watermark("forecast", 60), watermark("detect", 60))
	w.finish(t, 0, change...)
	return w.only(t)
}

func TestOutcomes(t *testing.T) {
	state := folder(t, shop)
	for _, tt := range []struct {
		name   string
		d      schemas.Decision
		stage  schemas.Stage
		rule   string
		reason string
		object string
	}{
		{
			"out", decision(schemas.Scale, "cart@v1", 0, 3, 5), schemas.StageReported, "dry_run",
			"Dry run: Deployment shop/cart-v1 would get 5 replicas instead of 3.", "Deployment shop/cart-v1",
		},
		{
			"out, in a replay", decision(schemas.Scale, "cart@v1", 0, 3, 5, past), schemas.StageReported, "replay",
			"Replay of the past: Deployment shop/cart-v1 would get 5 replicas instead of 3.", "Deployment shop/cart-v1",
		},
		{
			"out, too fast", decision(schemas.Scale, "cart@v1", 0, 3, 9), schemas.StageReported, "max_step_out",
			"Dry run: Deployment shop/cart-v1 would get 6 replicas instead of 3. 9 replicas are asked for; from 3 at most 6 at once (factor 2, or one more).", "Deployment shop/cart-v1",
		},
		{
			"out, already there", decision(schemas.Scale, "cart@v1", 0, 1, 2), schemas.StageRefused, "already_there",
			"Current state says 3 replicas, the decision assumed 1: 2 would not help.", "Deployment shop/cart-v1",
		},
		{
			"in", decision(schemas.Scale, "cart@v1", 0, 3, 2), schemas.StageReported, "dry_run",
			"Dry run: Deployment shop/cart-v1 would get 2 replicas instead of 3.", "Deployment shop/cart-v1",
		},
		{
			"in, half of it seen", decision(schemas.Scale, "cart@v1", 0, 2, 1), schemas.StageRefused, "partial_telemetry",
			"Deployment shop/cart-v1 has 3 replicas, the decision saw only 2 of them: what the others do is not known.", "Deployment shop/cart-v1",
		},
		{
			"an autoscaler's", decision(schemas.Scale, "pay", 0, 2, 3), schemas.StageRefused, "owned",
			"HorizontalPodAutoscaler shop/pay owns it: change its minReplicas (now 2).", "Deployment shop/pay",
		},
		{
			"no number", decision(schemas.Scale, "elastic", 0, 2, 3), schemas.StageRefused, "unknown_now",
			"Deployment shop/elastic does not say how many replicas it has: somebody else keeps the number.", "Deployment shop/elastic",
		},
		{
			"not valid", decision(schemas.Scale, "old", 0, 2, 3), schemas.StageRefused, "invalid",
			"Deployment shop/old would not be valid: spec.selector is missing.", "Deployment shop/old",
		},
		{"nowhere", decision(schemas.Scale, "mail@v1", 0, 2, 3), schemas.StageRefused, "no_object", "No Deployment runs shop/mail@v1.", ""},
		{
			"of which version", decision(schemas.Scale, "cart", 0, 2, 3), schemas.StageRefused, "ambiguous",
			"Deployments shop/cart-v1, shop/cart-v2 run shop/cart, and the decision names no version.", "",
		},
		{
			"shift", decision(schemas.Shift, "cart@v2", 0, 48, 0), schemas.StageReported, "dry_run",
			"Dry run: VirtualService shop/cart would give version v2 0 percent instead of 50. " +
				"Flux Kustomization apps owns it: change it in the repository that it is synchronised with.", "VirtualService shop/cart",
		},
		{
			"shift, already there", decision(schemas.Shift, "cart@v2", 0, 80, 60), schemas.StageRefused, "already_there",
			"VirtualService shop/cart gives version v2 50 percent already.", "VirtualService shop/cart",
		},
		{
			"shift of no version there", decision(schemas.Shift, "cart@v3", 0, 50, 0), schemas.StageRefused, "no_subset",
			"VirtualService shop/cart routes no subset of version v3.", "VirtualService shop/cart",
		},
		{"all names that were too many", decision(schemas.Scale, "cart@~overflow", 0, 2, 3), schemas.StageRefused, "no_object", "~overflow stands for all names that were too many, and is no workload.", ""},
		{"shift of what is not routed", decision(schemas.Shift, "pay@v1", 0, 50, 0), schemas.StageRefused, "no_object", "No VirtualService routes shop/pay@v1.", ""},
		{
			"shift, not valid", decision(schemas.Shift, "odd@v1", 0, 50, 0), schemas.StageRefused, "invalid",
			"VirtualService shop/odd would not be valid: spec/http/0/timeout: got number, want string.", "VirtualService shop/odd",
		},
		{"a decline", decision(schemas.Scale, "cart@v1", 0, 3, 3, func(d *schemas.Decision) {
			d.Verdict, d.Code, d.Reason = schemas.Decline, "poor_fit", "The load does not explain the CPU use."
		}), schemas.StageDeclined, "poor_fit", "The load does not explain the CPU use.", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := outcome(t, tt.d, func(_ *actuator.Config, p *actuator.Parts) { p.State = state })
			if o.Stage != tt.stage || o.Rule != tt.rule || o.Reason != tt.reason || o.Object != tt.object || o.By != "actuator" || o.DecisionID != tt.d.ID ||
				o.Target != tt.d.Target {
				t.Errorf("got %s %s %q about %q", o.Stage, o.Rule, o.Reason, o.Object)
			}
			if want := map[bool]string{true: "valid"}[tt.stage == schemas.StageReported]; tt.rule != "invalid" && o.Validation != want {
				t.Errorf("validation %q, want %q", o.Validation, want)
			}
			if tt.stage != schemas.StageDeclined && o.ReadFrom != state.From() {
				t.Errorf("read from %q", o.ReadFrom)
			}
			if tt.stage == schemas.StageReported {
				leads(t, o)
			} else if tt.rule != "invalid" && o.Before+o.After+o.Patch+o.Inverse+o.Diff != "" {
				t.Errorf("it shows a change: %+v", o)
			}
		})
	}
}

// leads applies the patches of an outcome to its YAML.
func leads(t *testing.T, o schemas.DecisionOutcome) {
	t.Helper()
	for _, p := range []struct{ patch, from, to string }{{o.Patch, o.Before, o.After}, {o.Inverse, o.After, o.Before}} {
		from, err1 := yaml.YAMLToJSON([]byte(p.from))
		patch, err2 := jsonpatch.DecodePatch([]byte(p.patch))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		to, err := patch.Apply(from)
		if err != nil {
			t.Fatalf("apply %s: %v", p.patch, err)
		}
		if got, err := yaml.JSONToYAML(to); err != nil || string(got) != p.to {
			t.Errorf("%s gives %v\n%s\nwant\n%s", p.patch, err, got, p.to)
		}
	}
	if !strings.Contains(o.Diff, "\n-") || !strings.Contains(o.Diff, "\n+") {
		t.Errorf("diff %q", o.Diff)
	}
}

type broken struct{}

func (broken) List(context.Context, cluster.Kind, string) ([]cluster.Object, error) {
	return nil, errors.New("list deployments at https://k: connection refused")
}
func (broken) From() string { return "https://k" }

// TestStateNotRead: without a look at the cluster there is an outcome all the same, and it says so. The limits hold.
func TestStateNotRead(t *testing.T) {
	d := decision(schemas.Scale, "cart@v1", 0, 3, 9)
	const head = "Dry run: c/shop/cart@v1 would get 6 replicas instead of 3. 9 replicas are asked for; from 3 at most 6 at once (factor 2, or one more). Current state not read: "
	for _, tt := range []struct {
		name   string
		change func(*actuator.Config, *actuator.Parts)
		want   string
	}{
		{"nobody looks", func(*actuator.Config, *actuator.Parts) {}, "neither a folder of manifests nor a kubeconfig is configured."},
		{"the server is away", func(_ *actuator.Config, p *actuator.Parts) { p.State = broken{} }, "list deployments at https://k: connection refused."},
		{"another cluster", func(c *actuator.Config, p *actuator.Parts) { c.Cluster, p.State = "other", broken{} }, "the configured state is that of cluster other."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := outcome(t, d, tt.change)
			if o.Stage != schemas.StageReported || o.Reason != head+tt.want || o.Before+o.After+o.Patch+o.Diff+o.ReadFrom+o.Validation != "" {
				t.Errorf("got %s %q", o.Stage, o.Reason)
			}
		})
	}
	o := outcome(t, decision(schemas.Scale, "cart@v1", 0, 3, 2, func(d *schemas.Decision) { d.Evidence = nil }))
	if o.Stage != schemas.StageRefused || o.Rule != "evidence" {
		t.Errorf("a reduction without evidence: %s %s", o.Stage, o.Rule)
	}
}

// TestOutcomesFitIntoEvents: whatever a cluster holds, the outcome can be sent.
func TestOutcomesFitIntoEvents(t *testing.T) {
	big := strings.Replace(shop, "name: cart-v1,", "annotations: {big: "+strings.Repeat("<", 100_000)+"}, name: cart-v1,", 1)
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: ä-%d, namespace: shop, labels: {app: mail}}}\n", i)
	}
	state := folder(t, big+many.String())
	for name, says := range map[string]string{"cart@v1": "too large to be shown", "mail": " ..."} {
		o := outcome(t, decision(schemas.Scale, name, 0, 3, 5), func(_ *actuator.Config, p *actuator.Parts) { p.State = state })
		if !strings.Contains(o.Reason, says) {
			t.Errorf("%s: reason %q", name, o.Reason)
		}
		e, err := wire.EncodeOutcome(o, o.Target, "/weir/actuator")
		if err != nil || len(e.Data) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		if name == "cart@v1" && (o.Patch == "" || o.Stage != schemas.StageReported) {
			t.Errorf("the patch is not shown: %+v", o)
		}
	}
}
