package schedule

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/weirmesh/weir/lab/spec"
)

// ids is how many different values a parameter of a path takes.
const ids = 1000

// mix picks what ordinary people ask for.
type mix struct {
	pages  []spec.Endpoint // with a weight
	upTo   []float64       // sums of weights
	fresh  *spec.Endpoint  // the page that was not there before, if there is one
	share  float64         // of the requests that go to it
	logins *spec.Endpoint  // takes passwords; nil = there is none
}

func newMix(entry spec.Service) (*mix, error) {
	if entry.Protocol == spec.GRPC {
		return nil, fmt.Errorf("service %s speaks gRPC: what comes from outside is HTTP", entry.Name)
	}
	m, sum := &mix{}, 0.0
	for _, e := range entry.Endpoints {
		if takesPassword(e) {
			m.logins = &e
		}
		switch {
		case e.Weight > 0:
			sum += e.Weight
			m.pages, m.upTo = append(m.pages, e), append(m.upTo, sum)
		case m.fresh == nil:
			m.fresh = &e
		}
	}
	if len(m.pages) == 0 {
		return nil, fmt.Errorf("service %s has no endpoint with a weight: there is nothing to ask it for", entry.Name)
	}
	return m, nil
}

// ordinary makes a request of somebody. It draws the same numbers whatever is picked.
func (m *mix) ordinary(rng *rand.Rand) Request {
	page, other, client, id := rng.Float64(), rng.Float64(), rng.IntN(Clients), rng.IntN(ids)
	e := m.pages[m.pick(page)]
	if m.fresh != nil && other < m.share {
		e = *m.fresh
	}
	return ask(e, Client(client), 1+id)
}

func (m *mix) pick(u float64) int {
	i, _ := slices.BinarySearch(m.upTo, u*m.upTo[len(m.upTo)-1])
	return min(i, len(m.pages)-1)
}

// busiest is the page with the greatest weight.
func (m *mix) busiest() spec.Endpoint {
	return slices.MaxFunc(m.pages, func(a, b spec.Endpoint) int {
		switch {
		case a.Weight < b.Weight:
			return -1
		case a.Weight > b.Weight:
			return 1
		}
		return 0
	})
}

// ask makes a request for an endpoint.
func ask(e spec.Endpoint, by Client, id int) Request {
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	r := Request{Method: e.Method, Path: fill(e.Path, id), Endpoint: e.String(), Client: by}
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		r.Body = `{"id":` + strconv.Itoa(id) + `}`
	}
	if takesPassword(e) {
		r.Password = RightPassword
	}
	return r
}

func takesPassword(e spec.Endpoint) bool { return strings.HasSuffix(e.Path, "/login") }

// fill puts a number in place of each parameter of a template.
func fill(template string, id int) string {
	if !strings.Contains(template, "{") {
		return template
	}
	segments := strings.Split(template, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = strconv.Itoa(id)
		}
	}
	return strings.Join(segments, "/")
}
