package agent

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/weirmesh/weir/lab/spec"
)

// Hits reports whether a fault's service, version, instance and region select an instance. A gateway is no service: nothing hits it.
func Hits(f spec.Fault, i Instance) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return i.Service != "" && is(f.Service, i.Service) && is(f.Version, i.Version) && is(f.Instance, i.Pod) && is(f.Region, i.Region)
}

// held returns those faults that an instance itself carries out. A brownout that names no instance has one of those that it selects.
func held(faults []spec.Fault, i Instance, all []Instance, seed uint64) []spec.Fault {
	out := []spec.Fault{}
	for _, f := range faults {
		info, ok := f.Kind.Info()
		if !ok || info.Where != spec.AtInstances || !Hits(f, i) {
			continue
		}
		if f.Kind == spec.Brownout && f.Instance == "" && chosen(f, all, seed) != i.Pod {
			continue
		}
		out = append(out, f)
	}
	return out
}

// chosen returns the selected pod whose name hashes highest with the seed: another pod that comes or goes rarely changes it.
func chosen(f spec.Fault, all []Instance, seed uint64) string {
	best, highest := "", uint64(0)
	for _, i := range all {
		if !Hits(f, i) || i.State == Leaving {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, seed)) // a hash takes everything
		_, _ = h.Write([]byte(i.Pod))
		if sum := h.Sum64(); best == "" || sum > highest || sum == highest && i.Pod < best {
			best, highest = i.Pod, sum
		}
	}
	return best
}
