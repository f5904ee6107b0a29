package join_test

import (
	"slices"
	"testing"
)

func TestRetries(t *testing.T) {
	app := span{trace: 1, id: 1, at: "a/0", kind: client, peer: "b", end: 3, retry: true}
	proxy := span{trace: 1, id: 2, parent: 1, at: "a/0", kind: client, peer: "b", end: 2}
	callee := span{trace: 1, id: 3, parent: 2, at: "b/0", kind: server, end: 1}
	direct := callee
	direct.parent = app.id
	elsewhere, says := app, callee
	elsewhere.at, says.retry = "c/0", true
	ended := slices.Concat(gap(1), []step{{endBefore: 9}})
	for _, c := range []struct {
		name string
		log  []step
		want []string // retries
	}{
		{"the caller says so", messages([]span{app}, []span{direct}), []string{"1: retried a/0 -> b/0 at 1"}},
		{"the caller says so later", messages([]span{direct}, []span{app}), []string{"1: retried a/0 -> b/0 at 1"}},
		{"the callee says so, once", messages([]span{app, proxy, says}), []string{"0: retried a/0 -> b/0 at 1"}},
		{"behind a proxy", messages([]span{app}, []span{proxy}, []span{callee}), []string{"2: retried a/0 -> b/0 at 1"}},
		{"behind a proxy, the application last", messages([]span{proxy}, []span{callee}, []span{app}), []string{"2: retried a/0 -> b/0 at 1"}},
		{"behind a proxy, the proxy last", messages([]span{callee}, []span{app}, []span{proxy}), []string{"2: retried a/0 -> b/0 at 1"}},
		{"what another instance repeats is another call", messages([]span{elsewhere, proxy, callee}), nil},
		{"nobody answered", slices.Concat(messages([]span{proxy}, []span{app}), ended), []string{"3: retried a/0 -> b at 2"}},
		{"what comes twice is told once", messages([]span{proxy}, []span{callee}, []span{app}, []span{app, callee, proxy}), []string{"2: retried a/0 -> b/0 at 1"}},
		{"two generations later it is forgotten", slices.Concat(messages([]span{proxy, callee}), gap(2*length), messages([]span{app})), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(c.log, 0, length)
			var got []string
			for _, line := range r.from(0) {
				if line[3:10] == "retried" {
					got = append(got, line)
				}
			}
			if d := diff(got, c.want); d != "" {
				t.Errorf("%s\nall: %q", d, r.from(0))
			}
		})
	}
}
