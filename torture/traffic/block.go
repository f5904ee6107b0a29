package traffic

import (
	"iter"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Generator makes the requests of one Config. It is safe for concurrent use.
type Generator struct {
	cfg   Config
	mesh  *mesh
	calls int // of a block
}

// New returns a generator, or an error that wraps ErrConfig.
func New(cfg Config) (*Generator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Generator{cfg: cfg, mesh: newMesh(cfg), calls: cfg.CallsPerRequest * BlockRequests}, nil
}

// Len is the number of blocks.
func (g *Generator) Len() int { return (g.cfg.Calls + g.calls - 1) / g.calls }

// Request is one OTLP request.
type Request struct {
	Index  int // rises; block n has those from n*BlockRequests on. A request without spans is left out
	Sender int
	Traces ptrace.Traces
}

// Block is some traces, spread over requests, and the truth about them.
type Block struct {
	Index int
	Truth *Truth

	g        *Generator
	spans    []span
	requests [BlockRequests][]int32 // places in spans
}

// Requests yields the requests of all blocks in order.
func (g *Generator) Requests() iter.Seq[Request] {
	return func(yield func(Request) bool) {
		for n := range g.Len() {
			for r := range g.Block(n).Requests() {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Truth is about all blocks. It makes all of them; who goes through the blocks anyway adds up theirs.
func (g *Generator) Truth() *Truth {
	t := g.Nothing()
	for n := range g.Len() {
		t.Add(g.Block(n).Truth)
	}
	return t
}

// Nothing is the truth about no block.
func (g *Generator) Nothing() *Truth { return newTruth(g.mesh) }

// Block makes block n, 0 <= n < Len.
func (g *Generator) Block(n int) *Block {
	b := &builder{
		cfg: &g.cfg, mesh: g.mesh, rng: rand.New(rand.NewPCG(g.cfg.Seed, uint64(n))), truth: newTruth(g.mesh),
		left: min(g.calls, g.cfg.Calls-n*g.calls), spans: make([]span, 0, 3*g.calls),
	}
	start, length := g.cfg.Start.UnixNano(), int64(g.cfg.Span)/int64(g.Len())
	start += int64(n) * length
	for all := b.left; b.left > 0; {
		done := all - b.left // traces come in the order of time, evenly
		b.step = uint8(done * steps / all)
		b.root(start + int64(float64(length)*float64(done)/float64(all)))
	}
	block := &Block{Index: n, Truth: b.truth, g: g, spans: b.spans}
	block.deal(b)
	return block
}

// deal puts the spans into requests and counts them.
func (k *Block) deal(b *builder) {
	for i, s := range k.spans {
		if s.lost {
			continue
		}
		p := &k.g.mesh.places[s.place]
		b.truth.span(s.place, s.end+p.shift)
		at := int(s.step)*nodes + p.node
		if b.rng.Float64() < b.cfg.Scattered {
			at = b.rng.IntN(BlockRequests)
		}
		k.requests[at] = append(k.requests[at], int32(i))
		if b.rng.Float64() < b.cfg.Duplicates && at < BlockRequests-1 {
			again := at + 1 + b.rng.IntN(BlockRequests-1-at)
			k.requests[again] = append(k.requests[again], int32(i))
		}
	}
}

// Requests yields the block's requests in order. What is yielded is the caller's.
func (k *Block) Requests() iter.Seq[Request] {
	return func(yield func(Request) bool) {
		for i, spans := range k.requests {
			index := k.Index*BlockRequests + i
			if len(spans) > 0 && !yield(Request{Index: index, Sender: index % k.g.cfg.Senders, Traces: k.traces(spans)}) {
				return
			}
		}
	}
}
