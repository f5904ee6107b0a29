package render_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/actuator/istio"
	"github.com/weirmesh/weir/actuator/render"
	"github.com/weirmesh/weir/schemas"
)

func parse(t testing.TB, text string) cluster.Object {
	t.Helper()
	objects, err := cluster.ParseYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects[0]
}

// leads holds a change to what it promises: the patch leads from before to after, the inverse back, and neither touches an object that
// somebody else has changed meanwhile.
func leads(t *testing.T, c render.Change) {
	t.Helper()
	text, err := c.Text()
	if err != nil {
		t.Fatal(err)
	}
	before, after := encode(t, c.Before), encode(t, c.After)
	if got := apply(t, before, text.Patch); got != after {
		t.Errorf("the patch %s gives\n%s\nwant\n%s", text.Patch, got, after)
	}
	if got := apply(t, after, text.Inverse); got != before {
		t.Errorf("the inverse %s gives\n%s\nwant\n%s", text.Inverse, got, before)
	}
	if before != after {
		if got := try(t, after, text.Patch); got == nil {
			t.Errorf("the patch %s was applied twice", text.Patch)
		}
	}
	if (text.Diff == "") != (before == after) {
		t.Errorf("diff %q", text.Diff)
	}
}

func encode(t *testing.T, o cluster.Object) string {
	t.Helper()
	text, err := o.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func apply(t *testing.T, object, patch string) string {
	t.Helper()
	p, err := jsonpatch.DecodePatch([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply([]byte(object))
	if err != nil {
		t.Fatalf("apply %s: %v", patch, err)
	}
	o, err := cluster.Decode(out)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, o)
}

// try returns the error of applying a patch.
func try(t *testing.T, object, patch string) error {
	t.Helper()
	p, err := jsonpatch.DecodePatch([]byte(patch))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Apply([]byte(object))
	return err
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart-v1
  namespace: shop
  resourceVersion: "41"
spec:
  replicas: 3
status:
  replicas: 3
`

func TestReplicas(t *testing.T) {
	c, err := render.Replicas(parse(t, deployment), 6)
	if err != nil {
		t.Fatal(err)
	}
	leads(t, c)
	text, err := c.Text()
	if err != nil {
		t.Fatal(err)
	}
	want := render.Text{
		Patch:   `[{"op":"test","path":"/metadata/resourceVersion","value":"41"},{"op":"test","path":"/spec/replicas","value":3},{"op":"replace","path":"/spec/replicas","value":6}]`,
		Inverse: `[{"op":"test","path":"/spec/replicas","value":6},{"op":"replace","path":"/spec/replicas","value":3}]`,
		Before:  strings.TrimPrefix(strings.Split(deployment, "status:")[0], "\n"),
		After:   strings.Replace(strings.TrimPrefix(strings.Split(deployment, "status:")[0], "\n"), "replicas: 3", "replicas: 6", 1),
		Diff: "--- Deployment shop/cart-v1 as it is\n+++ Deployment shop/cart-v1 as proposed\n@@ -5,4 +5,4 @@\n   namespace: shop\n" +
			"   resourceVersion: \"41\"\n spec:\n-  replicas: 3\n+  replicas: 6\n",
	}
	if text != want {
		t.Errorf("got\n%+v\nwant\n%+v", text, want)
	}
}

func TestReplicasAreNeeded(t *testing.T) {
	for _, spec := range []string{"{}", "{replicas: many}", "{replicas: 1.5}", "3"} {
		if _, err := render.Replicas(parse(t, "{kind: Deployment, metadata: {name: x}, spec: "+spec+"}"), 3); err == nil {
			t.Errorf("spec %s was changed", spec)
		}
	}
}

var rules = []string{`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec: {host: cart, subsets: [{name: stable, labels: {version: v1}}, {name: canary, labels: {version: v2}}]}
`}

// service is a VirtualService with one http route for each list of "subset weight"; "-" is no weight.
func service(routes ...string) string {
	var b strings.Builder
	b.WriteString("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cart, namespace: shop, resourceVersion: \"9\"}\nspec:\n  hosts: [cart]\n  http:\n")
	for _, route := range routes {
		b.WriteString("  - route:\n")
		for _, d := range strings.Split(route, ",") {
			host, weight, _ := strings.Cut(strings.TrimSpace(d), " ")
			name, subset, versioned := strings.Cut(host, "@")
			fmt.Fprintf(&b, "    - destination: {host: %s", name)
			if versioned {
				fmt.Fprintf(&b, ", subset: %s", subset)
			}
			b.WriteString("}\n")
			if weight != "-" {
				fmt.Fprintf(&b, "      weight: %s\n", weight)
			}
		}
	}
	return b.String()
}

// weights are the weights of a VirtualService, in the notation of service.
func weights(o cluster.Object) string {
	var routes []string
	for _, route := range o.List("spec", "http") {
		var one []string
		for _, d := range route.List("route") {
			if n, ok := d.Int("weight"); ok {
				one = append(one, fmt.Sprint(n))
			} else {
				one = append(one, "-")
			}
		}
		routes = append(routes, strings.Join(one, " "))
	}
	return strings.Join(routes, ", ")
}

func shift(version string, from, to float64) schemas.Decision {
	return schemas.Decision{
		Kind: schemas.Shift, Verdict: schemas.Propose, Current: from, Proposed: to,
		Target: schemas.Workload{Namespace: "shop", Name: "cart", Version: version},
	}
}

func TestWeights(t *testing.T) {
	for _, tt := range []struct {
		name   string
		routes []string
		ask    schemas.Decision
		want   string // weights, or the rule and reason
	}{
		{"off a version", []string{"cart@stable 50, cart@canary 50"}, shift("v2", 50, 0), "100 0"},
		{"onto a version", []string{"cart@stable 90, cart@canary 10"}, shift("v2", 10, 25), "75 25"},
		{"all of it", []string{"cart@stable 90, cart@canary 10"}, shift("v2", 10, 100), "0 100"},
		{"others share the rest in proportion", []string{"cart@a 60, cart@b 20, cart@canary 20"}, shift("v2", 20, 0), "75 25 0"},
		{"the largest remainder", []string{"cart@a 1, cart@b 1, cart@c 1, cart@canary 97"}, shift("v2", 97, 0), "34 33 33 0"},
		{"other services are others", []string{"cart@canary 50, spare 50"}, shift("v2", 50, 10), "10 90"},
		{"the subset's name where no rule tells", []string{"cart@v7 50, cart@v8 50"}, shift("v7", 50, 10), "10 90"},
		{"no weight is none", []string{"cart@canary 100, cart@stable -"}, shift("v2", 100, 40), "40 60"},
		{"sums other than 100", []string{"cart@stable 1, cart@canary 1"}, shift("v2", 50, 20), "80 20"},
		{"all routes", []string{"cart@stable 50, cart@canary 50", "pay 100", "cart@canary 30, cart@stable 70"}, shift("v2", 50, 5), "95 5, 100, 5 95"},
		{"no route back", []string{"cart@stable 50, cart@canary 50", "cart@stable 95, cart@canary 5"}, shift("v2", 50, 20), "80 20, 95 5"},
		{"a route for one version stays", []string{"cart@canary -", "cart@stable 50, cart@canary 50"}, shift("v2", 50, 0), "-, 100 0"},
		{"two destinations of a version", []string{"cart@canary 30, cart@canary 10, cart@stable 60"}, shift("v2", 40, 20), "15 5 80"},
		{"one that got nothing takes over", []string{"cart@canary 100, cart@stable 0"}, shift("v2", 100, 0), "0 100"},
		{
			"nobody said who takes over",
			[]string{"cart@canary 100, cart@a 0, cart@b 0"},
			shift("v2", 100, 0),
			"fixed: VirtualService shop/cart cannot be shifted: http route 0 gives all of its 2 other destinations 0 percent, so nobody has said who should take over.",
		},
		{"no such version", []string{"cart@stable 50, cart@canary 50"}, shift("v3", 50, 0), "no_subset: VirtualService shop/cart routes no subset of version v3."},
		{"the service as a whole", []string{"cart 100"}, shift("v2", 50, 0), "no_subset: VirtualService shop/cart routes no subset of version v2."},
		{"another service's version", []string{"pay@canary 50, pay@stable 50"}, shift("v2", 50, 0), "no_subset: VirtualService shop/cart routes no subset of version v2."},
		{
			"nothing else to go to",
			[]string{"cart@canary -"},
			shift("v2", 100, 0),
			"fixed: VirtualService shop/cart cannot be shifted: http route 0 has no destination but this version.",
		},
		{"less already", []string{"cart@stable 95, cart@canary 5"}, shift("v2", 50, 20), "already_there: VirtualService shop/cart gives version v2 5 percent already."},
		{
			"no weights at all",
			[]string{"cart@canary -, cart@stable -"},
			shift("v2", 50, 20),
			"fixed: VirtualService shop/cart cannot be shifted: http route 0 gives none of its destinations a weight.",
		},
		{
			"a weight that is none",
			[]string{"cart@canary half, cart@stable 50"},
			shift("v2", 50, 20),
			"fixed: VirtualService shop/cart cannot be shifted: the weight of destination 0 of http route 0 is no share.",
		},
		{
			"a weight beyond all bounds",
			[]string{"cart@canary 9223372036854775807, cart@stable 9223372036854775807"},
			shift("v2", 50, 20),
			"fixed: VirtualService shop/cart cannot be shifted: the weight of destination 0 of http route 0 is no share.",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := shifted(t, parse(t, service(tt.routes...)), tt.ask); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func shifted(t *testing.T, vs cluster.Object, d schemas.Decision) string {
	t.Helper()
	splits, err := render.Movable(vs, []cluster.Object{parse(t, rules[0])}, d)
	var r cluster.Refusal
	if errors.As(err, &r) {
		return r.Rule + ": " + r.Reason
	}
	c, err := render.Weights(vs, splits, int(d.Proposed))
	if err != nil {
		return err.Error()
	}
	leads(t, c)
	return weights(c.After)
}

// TestAnyWeights shifts random versions of random routes: the patches lead there and back, every weight is a percentage, they add up to
// 100, the version gets what was asked, and the others keep their order.
func TestAnyWeights(t *testing.T) {
	validator, err := istio.New()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	changed := 0
	for range 600 {
		var routes []string
		for range 1 + r.IntN(3) {
			var one []string
			for i := range 1 + r.IntN(5) {
				weight := fmt.Sprint(r.IntN(101))
				if r.IntN(6) == 0 {
					weight = "-"
				}
				one = append(one, fmt.Sprintf("cart@v%d %s", i, weight))
			}
			routes = append(routes, strings.Join(one, ", "))
		}
		vs := parse(t, service(routes...))
		d := shift(fmt.Sprintf("v%d", r.IntN(5)), 50, float64(r.IntN(101)))
		splits, err := render.Movable(vs, nil, d)
		if err != nil {
			continue
		}
		changed++
		c, err := render.Weights(vs, splits, int(d.Proposed))
		if err != nil {
			t.Fatal(err)
		}
		leads(t, c)
		for _, s := range splits {
			check(t, vs, c.After, s.Index, d)
		}
		for _, s := range render.Splits(c.After, nil, d.Target) {
			if slices.ContainsFunc(splits, func(m render.Split) bool { return m.Index == s.Index }) && s.Share() != d.Proposed {
				t.Fatalf("%q: version %s gets %v, want %v", routes, d.Target.Version, s.Share(), d.Proposed)
			}
		}
		if len(splits) == len(routes) {
			if err := validator.Validate(c.After); err != nil {
				t.Fatalf("%q: %v", routes, err)
			}
		}
	}
	if changed < 150 {
		t.Errorf("only %d of 600 changed anything", changed)
	}
}

func check(t *testing.T, before, after cluster.Object, route int, d schemas.Decision) {
	t.Helper()
	old, now := before.List("spec", "http")[route].List("route"), after.List("spec", "http")[route].List("route")
	total := 0
	for i := range now {
		a, _ := now[i].Int("weight")
		if total += a; a < 0 || a > 100 {
			t.Fatalf("weight %d", a)
		}
		for j := range i {
			if now[i].Text("destination", "subset") == d.Target.Version || now[j].Text("destination", "subset") == d.Target.Version {
				continue
			}
			b, _ := now[j].Int("weight")
			x, _ := old[i].Int("weight")
			y, _ := old[j].Int("weight")
			if x > y && a < b || x < y && a > b {
				t.Fatalf("weights %d and %d became %d and %d", x, y, a, b)
			}
		}
	}
	if total != 100 {
		t.Fatalf("weights add up to %d", total)
	}
}

func TestOperationsKeepZero(t *testing.T) {
	text, err := json.Marshal(render.Operation{Op: "replace", Path: "/a", Value: json.Number("0")})
	if err != nil || string(text) != `{"op":"replace","path":"/a","value":0}` {
		t.Errorf("got %s, %v", text, err)
	}
}
