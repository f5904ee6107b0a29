package run

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weirmesh/weir/torture/proxy"
)

// Kind says what is done.
type Kind string

// What can be done. Those up to Away kill.
const (
	Kill   Kind = "kill"   // kill -9 of one part
	Many   Kind = "many"   // of several at once
	All    Kind = "all"    // of all at once; of Apache Kafka one node
	Rename Kind = "rename" // of ClickHouse's engine, at the rename that ends an insert
	Away   Kind = "away"   // of ClickHouse, and it stays away
	Pause  Kind = "pause"  // SIGSTOP
	Freeze Kind = "freeze" // SIGSTOP of a features worker for longer than its group waits: its partitions get a second owner
	Leave  Kind = "leave"  // SIGTERM, and later a new start: partitions move
	Full   Kind = "full"   // the disk
	Cut    Kind = "cut"    // connections are reset
	Vanish Kind = "vanish" // the target is gone without a word
	Drop   Kind = "drop"   // requests arrive, their answers do not
	Delay  Kind = "delay"  // everything is late
	Slow   Kind = "slow"   // few bytes a second
	Slice  Kind = "slice"  // few bytes at a time
)

// Harm is one thing that is done.
type Harm struct {
	At        float64         `json:"at"` // share of the requests that are acknowledged by then
	Kind      Kind            `json:"kind"`
	Targets   []string        `json:"targets"` // parts, or one link
	For       time.Duration   `json:"for"`     // until what was killed is started, what was stopped goes on, what was cut is healed
	Nth       int             `json:"nth,omitempty"`
	Behaviour proxy.Behaviour `json:"behaviour,omitzero"`
}

// Kills reports whether the harm kills something.
func (h Harm) Kills() bool { return slices.Contains([]Kind{Kill, Many, All, Rename, Away}, h.Kind) }

// planner draws harms.
type planner struct {
	*rand.Rand
	cfg Config
}

// Plan says what is done to a cluster and when, in order. It is a pure function of cfg.
func Plan(cfg Config) []Harm {
	cfg = cfg.withDefaults()
	p := planner{rand.New(rand.NewPCG(cfg.Seed, 0x746f7274)), cfg}
	all := append(p.spread(p.kills()), p.spread(p.others())...)
	slices.SortStableFunc(all, func(a, b Harm) int { return cmp.Compare(a.At, b.At) })
	return all
}

// spread shuffles harms and gives each a moment of its own share of the run.
func (p planner) spread(harms []Harm) []Harm {
	p.Shuffle(len(harms), func(i, j int) { harms[i], harms[j] = harms[j], harms[i] })
	for i := range harms {
		harms[i].At = 0.98 * (float64(i) + p.Float64()) / float64(len(harms))
	}
	return harms
}

// kills has a tenth of each special kind.
func (p planner) kills() (out []Harm) {
	for i := range p.cfg.Kills {
		h := Harm{Kind: Kill, Targets: []string{p.part()}, For: p.between(0, 2*time.Second)}
		switch {
		case i == 0:
			h = p.rename(12)
		case i == 1 && p.cfg.Away > 0:
			h.Kind, h.Targets, h.For = Away, []string{storePart}, p.cfg.Away
		case i%10 == 2:
			h.Kind, h.Targets = All, p.everything()
		case i%10 == 3:
			h.Kind, h.Targets = Many, p.several()
		case i%10 == 4:
			h = p.rename(12)
		}
		out = append(out, h)
	}
	return out
}

// rename kills at one of the next parts that inserts make.
func (p planner) rename(within int) Harm {
	return Harm{Kind: Rename, Targets: []string{storePart}, For: p.between(0, time.Second), Nth: 1 + p.IntN(within)}
}

// others goes round the kinds that do not kill.
func (p planner) others() (out []Harm) {
	kinds := []func() Harm{
		p.pauseCollector, p.pauseStore, p.leave, p.dropAnswers, p.cut, p.pauseFeatures, p.dropInserts, p.vanish, p.slow,
		p.dropWrites, p.delay, p.slice,
	}
	if p.cfg.Disks {
		kinds = slices.Insert(kinds, 3, p.full)
	}
	if !p.cfg.Short {
		kinds = slices.Insert(kinds, 5, p.freeze)
	}
	for i := range p.cfg.Kills {
		out = append(out, kinds[i%len(kinds)]())
	}
	return out
}

func (p planner) pauseCollector() Harm { return p.pause(p.collector(), 2*time.Second) }

func (p planner) pauseFeatures() Harm { return p.pause(p.worker(), 4*time.Second) }

func (p planner) pauseStore() Harm {
	return p.pause([]string{storePart, p.broker()}[p.IntN(2)], 3*time.Second)
}

func (p planner) pause(part string, longest time.Duration) Harm {
	return Harm{Kind: Pause, Targets: []string{part}, For: p.between(longest/10, longest)}
}

// freeze lasts longer than the 10 s in which a group waits for a member.
func (p planner) freeze() Harm {
	return Harm{Kind: Freeze, Targets: []string{p.worker()}, For: p.between(12*time.Second, 18*time.Second)}
}

func (p planner) leave() Harm {
	part := p.worker()
	if p.IntN(3) == 0 {
		part = p.collector()
	}
	return Harm{Kind: Leave, Targets: []string{part}, For: p.between(0, 3*time.Second)}
}

// full leaves a disk some room, less than what Weir keeps free, or none at all.
func (p planner) full() Harm {
	part := storePart
	if p.cfg.Apache == 0 && p.IntN(2) == 0 {
		part = p.broker()
	}
	return Harm{Kind: Full, Targets: []string{part}, For: p.between(time.Second, 4*time.Second), Nth: []int{1, 64}[p.IntN(2)]}
}

func (p planner) link(kind Kind, link string, b proxy.Behaviour) Harm {
	return Harm{Kind: kind, Targets: []string{link}, For: p.between(200*time.Millisecond, 3*time.Second), Behaviour: b}
}

func (p planner) cut() Harm { return p.link(Cut, p.anyLink(), proxy.Behaviour{Cut: true}) }

func (p planner) vanish() Harm { return p.link(Vanish, p.anyLink(), proxy.Behaviour{HalfOpen: true}) }

func (p planner) delay() Harm {
	return p.link(Delay, p.anyLink(), proxy.Behaviour{Delay: p.between(5*time.Millisecond, 100*time.Millisecond)})
}

func (p planner) slow() Harm {
	return p.link(Slow, p.anyLink(), proxy.Behaviour{Rate: 100_000 + p.IntN(900_000)})
}

func (p planner) slice() Harm {
	return p.link(Slice, p.anyLink(), proxy.Behaviour{Slice: 1 + p.IntN(200)})
}

// dropAnswers loses acknowledgements of requests.
func (p planner) dropAnswers() Harm { return p.drop("senders>" + p.collector()) }

// dropInserts loses ClickHouse's word that an insert is done.
func (p planner) dropInserts() Harm { return p.drop(p.worker() + ">clickhouse") }

// dropWrites loses Kafka's word that a write is done, or what a worker reads.
func (p planner) dropWrites() Harm {
	if p.cfg.Apache == 0 {
		return p.drop("clients>broker")
	}
	return p.drop([]string{"collectors>", "features>"}[p.IntN(2)] + p.broker())
}

func (p planner) drop(link string) Harm {
	h := p.link(Drop, link, proxy.Behaviour{Drop: proxy.Drop{
		Count: 1 + p.IntN(4), Above: 1000, Hold: p.between(10*time.Millisecond, time.Second),
	}})
	h.For = 5 * time.Second // at most
	return h
}

func (p planner) between(from, to time.Duration) time.Duration {
	return (from + time.Duration(p.Int64N(int64(to-from)))).Round(time.Millisecond)
}

// storePart is the name of ClickHouse among the parts.
const storePart = "clickhouse"

func (p planner) collector() string { return fmt.Sprintf("collector-%d", 1+p.IntN(p.cfg.Collectors)) }
func (p planner) worker() string    { return fmt.Sprintf("features-%d", 1+p.IntN(p.cfg.Features)) }

func (p planner) broker() string {
	if p.cfg.Apache == 0 {
		return "broker"
	}
	return fmt.Sprintf("kafka-%d", 1+p.IntN(p.cfg.Apache))
}

func (p planner) part() string {
	return []func() string{p.collector, p.worker, p.broker, func() string { return storePart }}[p.IntN(4)]()
}

// several are two or three kinds of parts, one of each.
func (p planner) several() []string {
	one := []string{p.broker(), storePart, p.collector(), p.worker()}
	p.Shuffle(len(one), func(i, j int) { one[i], one[j] = one[j], one[i] })
	return one[:2+p.IntN(2)]
}

func (p planner) everything() []string {
	out := []string{p.broker(), storePart}
	for i := range p.cfg.Collectors {
		out = append(out, fmt.Sprintf("collector-%d", i+1))
	}
	for i := range p.cfg.Features {
		out = append(out, fmt.Sprintf("features-%d", i+1))
	}
	return out
}

func (p planner) anyLink() string {
	kafka := "clients>broker"
	if p.cfg.Apache > 0 {
		kafka = []string{"collectors>", "features>"}[p.IntN(2)] + p.broker()
	}
	return []string{"senders>" + p.collector(), kafka, p.worker() + ">clickhouse"}[p.IntN(3)]
}
