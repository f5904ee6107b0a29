package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/weirmesh/weir/lab/load/schedule"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/lab/spec"
)

// Factor is what PUT /rate takes.
type Factor struct {
	Factor float64 `json:"factor"` // on the rate of the load; 1 is what the lab file says
}

// maxBody bounds what is read of a request to the admin address.
const maxBody = 1 << 20

// admin serves
//
//	GET /ready                200
//	GET /counts               Counts
//	GET /latency?from=&to=    tally.Latency of the windows that begin in [from, to), RFC 3339; either may be left out
//	GET /windows?by=          []tally.Row by tally.By; without it, by completion
//	PUT /rate                 takes Factor
//	PUT /pause                no request begins any more; answers with Counts when none is under way: they are final
//	PUT /resume               goes on
//	PUT /faults               takes []spec.Fault: exactly these hold from now on
//
// A request that cannot be followed is answered with 400 and the reason.
func (g *generator) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) { reply(w, g.counts()) })
	mux.HandleFunc("GET /latency", g.latency)
	mux.HandleFunc("GET /windows", g.windows)
	mux.HandleFunc("PUT /rate", put(func(f Factor) error {
		return g.change(func(p *schedule.Plan, now time.Duration) error { return p.Scale(now, f.Factor) })
	}))
	mux.HandleFunc("PUT /faults", put(func(faults []spec.Fault) error {
		return g.change(func(p *schedule.Plan, now time.Duration) error { return p.Hold(now, faults) })
	}))
	mux.HandleFunc("PUT /pause", func(w http.ResponseWriter, r *http.Request) {
		if err := g.pause(r.Context()); err == nil { // else nobody waits for an answer
			reply(w, g.counts())
		}
	})
	mux.HandleFunc("PUT /resume", func(w http.ResponseWriter, _ *http.Request) {
		if err := g.resume(); err != nil {
			refuse(w, err)
			return
		}
		reply(w, struct{}{})
	})
	return mux
}

func (g *generator) latency(w http.ResponseWriter, r *http.Request) {
	from, err := when(r, "from")
	if err != nil {
		refuse(w, err)
		return
	}
	to, err := when(r, "to")
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, g.tally.Latency(from, to))
}

func (g *generator) windows(w http.ResponseWriter, r *http.Request) {
	switch by := tally.By(r.URL.Query().Get("by")); by {
	case "", tally.Completed, tally.Scheduled:
		reply(w, g.tally.Rows(by))
	default:
		refuse(w, fmt.Errorf("by is %q: it has to be %s or %s", by, tally.Completed, tally.Scheduled))
	}
}

// when reads a time; zero if it is not there.
func when(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %q is no time such as 2006-01-02T15:04:05Z", name, text)
	}
	return t, nil
}

// put makes a handler that reads a value and does something with it.
func put[T any](do func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var v T
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		if err := dec.Decode(&v); err != nil {
			refuse(w, fmt.Errorf("read what was sent: %w", err))
			return
		}
		if err := do(v); err != nil {
			refuse(w, err)
			return
		}
		reply(w, v)
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client went away; there is nobody to tell
}

func refuse(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusBadRequest) }
