package render

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/schemas"
)

// Split is an http route of a VirtualService that leads to a workload's service, to one version or to several.
type Split struct {
	Index        int // in spec.http
	destinations []destination
}

// destination is one destination of a route.
type destination struct {
	weight  int
	said    bool // the object has a weight; a single destination without one gets everything
	odd     bool // its weight is none that can be
	version bool // it is the version in question
}

// maxWeight bounds weights, far above what makes sense, so that sums of them cannot overflow.
const maxWeight = 1_000_000

// Splits lists the http routes of a VirtualService that send a version of the workload's service some share, or could: those that have it
// among their destinations. rules are the DestinationRules that say which subset is which version. Routes for tcp and tls are left alone.
func Splits(vs cluster.Object, rules []cluster.Object, w schemas.Workload) []Split {
	versions := cluster.Versions(rules, w)
	routes, _ := vs.At("spec", "http").([]any)
	var out []Split
	for i, route := range routes {
		s := Split{Index: i}
		m, _ := route.(map[string]any)
		for _, d := range cluster.Object(m).List("route") {
			s.destinations = append(s.destinations, read(d, versions, vs.Namespace(), w))
		}
		if slices.ContainsFunc(s.destinations, func(d destination) bool { return d.version }) {
			out = append(out, s)
		}
	}
	return out
}

func read(d cluster.Object, versions map[string]string, namespace string, w schemas.Workload) destination {
	var out destination
	if _, out.said = d["weight"]; out.said {
		weight, whole := d.Int("weight")
		out.odd = !whole || weight < 0 || weight > maxWeight
		out.weight = min(max(weight, 0), maxWeight)
	}
	subset := d.Text("destination", "subset")
	version, known := versions[subset]
	if !known {
		version = subset
	}
	out.version = subset != "" && version == w.Version && cluster.Serves(d.Text("destination", "host"), namespace, w)
	return out
}

// Share is the percent of the route's traffic that the version gets.
func (s Split) Share() float64 {
	ours, all := 0, 0
	for _, d := range s.destinations {
		all += d.weight
		if d.version {
			ours += d.weight
		}
	}
	if all == 0 { // one destination without a weight gets everything, several get nothing
		if len(s.destinations) == 1 {
			return 100
		}
		return 0
	}
	return 100 * float64(ours) / float64(all)
}

// fixed says why the version's share cannot be changed; "" if it can.
func (s Split) fixed() string {
	others, all := 0, 0
	for i, d := range s.destinations {
		if d.odd {
			return fmt.Sprintf("the weight of destination %d of http route %d is no share", i, s.Index)
		}
		if all += d.weight; !d.version {
			others++
		}
	}
	if all == 0 && len(s.destinations) > 1 {
		return fmt.Sprintf("http route %d gives none of its destinations a weight", s.Index)
	}
	if others == 0 {
		return fmt.Sprintf("http route %d has no destination but this version", s.Index)
	}
	if s.Share() >= 100 && others > 1 {
		return fmt.Sprintf("http route %d gives all of its %d other destinations 0 percent, so nobody has said who should take over",
			s.Index, others)
	}
	return ""
}

// Movable are the splits whose share the decision would change in its own direction; a route that is already there is left as it is.
// If there is none, the error is a cluster.Refusal.
func Movable(vs cluster.Object, rules []cluster.Object, d schemas.Decision) ([]Split, error) {
	splits := Splits(vs, rules, d.Target)
	if len(splits) == 0 {
		return nil, cluster.Refusal{Rule: "no_subset", Reason: fmt.Sprintf("%s routes no subset of version %s.", vs, d.Target.Version)}
	}
	var out []Split
	var why error
	for _, s := range splits {
		fixed, share := s.fixed(), s.Share()
		switch {
		case fixed != "" && why == nil:
			why = cluster.Refusal{Rule: "fixed", Reason: fmt.Sprintf("%s cannot be shifted: %s.", vs, fixed)}
		case fixed != "":
		case d.Proposed < d.Current && share > d.Proposed, d.Proposed > d.Current && share < d.Proposed:
			out = append(out, s)
		default:
			says := fmt.Sprintf("%s gives version %s %.4g percent already.", vs, d.Target.Version, share)
			why = cluster.Refusal{Rule: "already_there", Reason: says}
		}
	}
	if len(out) == 0 {
		return nil, why
	}
	return out, nil
}

// Weights gives the version percent of the traffic of each split; the other destinations share the rest in the proportion they have now.
// The weights of each route then are whole and add up to 100.
func Weights(vs cluster.Object, splits []Split, percent int) (Change, error) {
	c := begin(vs)
	var change, undo []Operation
	for _, s := range splits {
		after := s.weights(percent)
		route, err := destinationsOf(c.After, s)
		if err != nil {
			return Change{}, err
		}
		for i, d := range s.destinations {
			at := pointer("spec", "http", s.Index, "route", i)
			c.Patch = expect(c.Patch, held(at, d), heldValue(route[i], d))
			if d.said && d.weight == after[i] {
				continue
			}
			change = append(change, Operation{Op: verb(d.said), Path: at + "/weight", Value: number(after[i])})
			c.Inverse = expect(c.Inverse, at+"/weight", number(after[i]))
			back := Operation{Op: "remove", Path: at + "/weight"}
			if d.said {
				back = Operation{Op: "replace", Path: at + "/weight", Value: number(d.weight)}
			}
			undo = append(undo, back)
			route[i]["weight"] = number(after[i])
		}
	}
	c.Patch, c.Inverse = append(c.Patch, change...), append(c.Inverse, undo...)
	return c, nil
}

// held is what of a destination must not have changed: its weight, or, where it has none, all of it.
func held(at string, d destination) string {
	if d.said {
		return at + "/weight"
	}
	return at
}

func heldValue(route map[string]any, d destination) any {
	if d.said {
		return number(d.weight)
	}
	return map[string]any(cluster.Object(route).Clone())
}

func verb(said bool) string {
	if said {
		return "replace"
	}
	return "add"
}

func destinationsOf(vs cluster.Object, s Split) ([]map[string]any, error) {
	routes, _ := vs.At("spec", "http").([]any)
	var out []map[string]any
	if s.Index < len(routes) {
		if m, ok := routes[s.Index].(map[string]any); ok {
			for _, d := range cluster.Object(m).List("route") {
				out = append(out, d)
			}
		}
	}
	if len(out) != len(s.destinations) {
		return nil, fmt.Errorf("%s is not the object that http route %d was read from", vs, s.Index)
	}
	return out, nil
}

// weights are the new weights of all destinations.
func (s Split) weights(percent int) []int {
	ours, others := make([]int, len(s.destinations)), make([]int, len(s.destinations))
	for i, d := range s.destinations {
		if d.version {
			ours[i] = d.weight
		} else {
			others[i] = d.weight
		}
	}
	even(ours, s.destinations, true)
	even(others, s.destinations, false)
	a, b := apportion(ours, percent), apportion(others, 100-percent)
	for i := range a {
		a[i] += b[i]
	}
	return a
}

// even gives the destinations of one side equal weights where none of them has any.
func even(weights []int, all []destination, version bool) {
	if slices.ContainsFunc(weights, func(w int) bool { return w > 0 }) {
		return
	}
	for i, d := range all {
		if d.version == version {
			weights[i] = 1
		}
	}
}

// apportion divides total in the proportion of the weights into whole parts, by the largest remainder (Hamilton's method). Of equal
// remainders the first wins. Some weight must be positive.
func apportion(weights []int, total int) []int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	out, left := make([]int, len(weights)), total
	order := make([]int, len(weights))
	for i, w := range weights {
		order[i] = i
		out[i] = w * total / sum
		left -= out[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return weights[b]*total%sum - weights[a]*total%sum })
	for _, i := range order[:left] {
		out[i]++
	}
	return out
}
