package recording

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Mutation damages a recording in one way. Mutations come from the functions below and are applied in order.
type Mutation struct {
	name  string
	apply func(*rand.Rand, *nezhaDay) int
}

// Mutate reads any Nezha recording and writes a damaged one to outDir/trace, gzipped. It returns how many rows (or
// hosts, for SkewHosts) each mutation changed, in the order given. Rows it cannot read are kept as they are. The two
// folders must differ.
func Mutate(dir, outDir string, seed uint64, mutations ...Mutation) ([]Change, error) {
	day, err := readDay(dir)
	if err != nil {
		return nil, fmt.Errorf("mutate %s: %w", dir, err)
	}
	var changes []Change
	for i, m := range mutations {
		rng := rand.New(rand.NewPCG(seed, uint64(i))) // of its own: adding a mutation does not change those before
		changes = append(changes, Change{Mutation: m.name, Changed: m.apply(rng, day)})
	}
	if err := day.write(outDir); err != nil {
		return nil, fmt.Errorf("mutate %s: %w", dir, err)
	}
	return changes, nil
}

// Change says what one mutation did.
type Change struct {
	Mutation string `json:"mutation"`
	Changed  int    `json:"changed"`
}

// DropParents takes out a fraction of the spans that are parents of others, every copy of them.
func DropParents(fraction float64) Mutation {
	return Mutation{"drop-parents", func(rng *rand.Rand, d *nezhaDay) int {
		parents := map[spanKey]bool{}
		for _, r := range d.rows() {
			parents[spanKey{r.field(0), r.field(2)}] = false
		}
		for _, r := range d.rows() { // in the file's order, so that the seed decides and not the map
			key := spanKey{r.field(0), r.field(1)}
			if dropped, isParent := parents[key]; isParent && !dropped {
				parents[key] = rng.Float64() < fraction
			}
		}
		return d.rebuild(func(_ int, r *nezhaRowText) []int {
			if parents[spanKey{r.field(0), r.field(1)}] {
				return nil
			}
			return []int{0}
		})
	}}
}

// Double writes a fraction of the rows a second time, into the neighbouring minute.
func Double(fraction float64) Mutation {
	return Mutation{"double", func(rng *rand.Rand, d *nezhaDay) int {
		return d.rebuild(func(_ int, _ *nezhaRowText) []int {
			if rng.Float64() < fraction {
				return []int{0, 1 - 2*rng.IntN(2)}
			}
			return []int{0}
		})
	}}
}

// SkewHosts sets the clocks of a fraction of the pods, at least one, a second to an hour fast or slow.
func SkewHosts(fraction float64) Mutation {
	return Mutation{"skew-hosts", func(rng *rand.Rand, d *nezhaDay) int {
		seen := map[string]bool{}
		for _, r := range d.rows() {
			seen[r.field(3)] = true
		}
		pods := make([]string, 0, len(seen))
		for p := range seen {
			pods = append(pods, p)
		}
		slices.Sort(pods)
		rng.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		n := min(len(pods), max(1, int(math.Round(fraction*float64(len(pods))))))
		skew := map[string]int64{}
		for _, p := range pods[:n] {
			skew[p] = int64(float64(time.Second) * math.Pow(3600, rng.Float64()))
			if rng.IntN(2) == 0 {
				skew[p] = -skew[p]
			}
		}
		for _, r := range d.rows() {
			r.shift(skew[r.field(3)])
		}
		return n
	}}
}

// Late moves a fraction of the rows to the file of an hour later, which is made if need be; 23:59 is the last one.
func Late(fraction float64) Mutation {
	return Mutation{"late", func(rng *rand.Rand, d *nezhaDay) int {
		moved := 0
		late := map[int][]*nezhaRowText{} // put into their files at the end, so that none moves twice
		for i := range d.files {
			var kept []*nezhaRowText
			for _, r := range d.files[i].rows {
				if rng.Float64() >= fraction {
					kept = append(kept, r)
					continue
				}
				to := d.minute(hourLater(d.files[i].name))
				if to == i {
					kept = append(kept, r)
					continue
				}
				late[to] = append(late[to], r)
				moved++
			}
			d.files[i].rows = kept
		}
		for to, rows := range late {
			d.files[to].rows = append(d.files[to].rows, rows...)
		}
		d.sort()
		return moved
	}}
}

// Shuffle moves each row to its own file or a neighbouring one, and mixes the rows of each file.
func Shuffle() Mutation {
	return Mutation{"shuffle", func(rng *rand.Rand, d *nezhaDay) int {
		moved := d.rebuild(func(_ int, _ *nezhaRowText) []int { return []int{rng.IntN(3) - 1} })
		for _, f := range d.files {
			rng.Shuffle(len(f.rows), func(i, j int) { f.rows[i], f.rows[j] = f.rows[j], f.rows[i] })
		}
		return moved
	}}
}
