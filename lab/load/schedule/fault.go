package schedule

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// How many clients carry out a fault that has several.
const (
	guessers = 3
	flooders = 3
)

// check says whether a fault can be carried out here, and fills in what it leaves out.
func (p *Plan) check(f spec.Fault) (spec.Fault, error) {
	info, ok := f.Kind.Info()
	if !ok || info.Where != spec.AtLoad {
		return f, fmt.Errorf("fault %s: the load generator does no such thing", f.Kind)
	}
	if f.Size == 0 {
		f.Size = info.Default
	}
	f.From, f.Length = 0, 0 // who turns faults on and off keeps the time
	switch {
	case !(f.Size > 0 && f.Size <= maxSize):
		return f, fmt.Errorf("fault %s: size is %g: it has to be more than 0 and at most %d", f.Kind, f.Size, maxSize)
	case relative(f.Kind) && f.Size < 1:
		return f, fmt.Errorf("fault %s: size is %g: it has to be a factor of 1 or more", f.Kind, f.Size)
	case f.Kind == spec.NewEndpoint && f.Size > 1:
		return f, fmt.Errorf("fault %s: size is %g: it has to be a share, at most 1", f.Kind, f.Size)
	case f.Kind == spec.NewEndpoint && p.mix.fresh == nil:
		return f, fmt.Errorf("fault %s: the entry service has no endpoint with weight 0 that could be new", f.Kind)
	}
	return f, nil
}

// maxSize bounds what a fault sends, in requests a second or as a factor.
const maxSize = 10_000

// relative reports whether a kind's size is a factor on the rate of the load.
func relative(k spec.FaultKind) bool { return k == spec.Flood || k == spec.FlashCrowd }

// fault returns the stream of a fault that begins at now. The fault must have been checked.
func (p *Plan) fault(f name, now time.Duration) *stream {
	curve, factor := Flat(f.Size), 1.0
	if relative(f.Kind) {
		curve, factor = p.curve.times(f.Size-1), p.factor
	}
	ask := p.asks(f.Kind)
	return newStream(curve, factor, now, p.chance(fmt.Sprint(f.Kind, f.n)), func(rng *rand.Rand, n int) Request {
		r := ask(rng, n)
		r.Kind = f.Kind
		return r
	})
}

// asks is what the requests of a kind of fault ask for.
func (p *Plan) asks(kind spec.FaultKind) func(rng *rand.Rand, n int) Request {
	switch kind {
	case spec.CredentialGuessing:
		return p.mix.guess
	case spec.Scan:
		return probe
	case spec.BotCrawl:
		return p.mix.crawl
	case spec.Flood:
		return p.mix.flood
	}
	return func(rng *rand.Rand, _ int) Request { return p.mix.ordinary(rng) }
}

// guess tries a wrong password.
func (m *mix) guess(rng *rand.Rand, n int) Request {
	r := Request{Method: http.MethodPost, Path: "/login"}
	if m.logins != nil {
		r = ask(*m.logins, 0, 1)
	}
	r.Client = attacker(spec.CredentialGuessing, n%guessers)
	r.Body, r.Password = fmt.Sprintf(`{"user":"user-%d"}`, rng.IntN(ids)), fmt.Sprintf("wrong-%d", n)
	return r
}

// probe asks for something that is not there.
func probe(rng *rand.Rand, _ int) Request {
	names := []string{"/admin-%d.php", "/backup-%d.zip", "/old/config-%d.bak", "/.hidden-%d", "/cgi-bin/test-%d"}
	path := fmt.Sprintf(names[rng.IntN(len(names))], rng.IntN(ids))
	return Request{Method: http.MethodGet, Path: path, Client: attacker(spec.Scan, 0)}
}

// crawl asks for every page in turn, with rising ids.
func (m *mix) crawl(_ *rand.Rand, n int) Request {
	return ask(m.pages[n%len(m.pages)], attacker(spec.BotCrawl, 0), 1+n/len(m.pages))
}

// flood asks for one page.
func (m *mix) flood(_ *rand.Rand, n int) Request {
	return ask(m.busiest(), attacker(spec.Flood, n%flooders), 1)
}
