package tap_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/weirmesh/weir/collector/rows"
	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// counted keeps the calls that a Joiner puts out.
type counted struct{ calls []string }

func (c *counted) Call(call schemas.Call) {
	o := call.Status.Outcome(call.Flags)
	rejected := call.Flags&schemas.FlagRejectedMesh != 0
	c.calls = append(c.calls, fmt.Sprintf("%s -> %s@%s %s http=%d grpc=%d error=%t rejected=%t",
		call.From.Name, call.To.Name, call.To.Version, call.Evidence, call.Status.HTTP, call.Status.GRPC, o.Error, rejected))
}
func (c *counted) Retried(schemas.Call)                  {}
func (c *counted) Seen(schemas.Origin, int64, join.Fate) {}
func (c *counted) Orphan(schemas.Origin, int64, bool)    { c.calls = append(c.calls, "orphan") }

// TestEachRequestOfAMeshIsOneCall takes what real proxies and applications sent through the collector's conversion and the join. Every
// request is seen by up to four spans.
func TestEachRequestOfAMeshIsOneCall(t *testing.T) {
	for file, want := range map[string][]string{
		"traces.json": {
			// Three attempts of the proxy after UNAVAILABLE, and after 503: each reached the workload.
			"client -> ratings@v1 server_span http=200 grpc=14 error=true rejected=false",
			"client -> ratings@v1 server_span http=200 grpc=14 error=true rejected=false",
			"client -> ratings@v1 server_span http=200 grpc=14 error=true rejected=false",
			"client -> reviews@v1 server_span http=503 grpc=-1 error=true rejected=false",
			"client -> reviews@v1 server_span http=503 grpc=-1 error=true rejected=false",
			"client -> reviews@v1 server_span http=200 grpc=-1 error=false rejected=false",
			// NOT_FOUND is the caller's fault, whatever the proxy's span status says.
			"client -> ratings@v1 server_span http=200 grpc=5 error=false rejected=false",
			"client -> reviews@v2 server_span http=200 grpc=-1 error=false rejected=false",
			"client -> reviews@v2 server_span http=200 grpc=-1 error=false rejected=false",
			// Denied by the policy at the workload's own proxy.
			"client -> reviews@v2 server_span http=403 grpc=-1 error=false rejected=false",
			// The caller gave up: its proxy says 504, the workload's does not know.
			"client -> reviews@v1 server_span http=0 grpc=-1 error=false rejected=false",
			// An injected fault, and a service without endpoints: nobody answered but the caller's proxy.
			"client -> reviews@ client_span http=503 grpc=-1 error=true rejected=true",
			"client -> nobody@ client_span http=503 grpc=-1 error=true rejected=true",
			// Through the gateway, and stopped there.
			" -> gw@ server_span http=200 grpc=-1 error=false rejected=false",
			"gw -> reviews@v1 server_span http=200 grpc=-1 error=false rejected=false",
			" -> gw@ server_span http=503 grpc=-1 error=true rejected=true",
		},
		"detected.json": {
			"client -> reviews@v1 server_span http=200 grpc=-1 error=false rejected=false",
			" -> gw@latest server_span http=200 grpc=-1 error=false rejected=false",
			"gw -> reviews@v2 server_span http=200 grpc=-1 error=false rejected=false",
		},
	} {
		text, err := os.ReadFile(filepath.Join("../../collector/rows/testdata/istio", file))
		if err != nil {
			t.Fatal(err)
		}
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(text)
		if err != nil {
			t.Fatal(err)
		}
		got := joined(t, td)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", file, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func joined(t *testing.T, td ptrace.Traces) []string {
	t.Helper()
	batch, err := rows.New(rows.Config{}).Spans(td, rows.Layout{Calls: 1, DeadLetters: 1}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	out, j := &counted{}, join.New(join.DefaultGeneration)
	for i, r := range batch.Records {
		if r.Topic != wire.TopicCalls {
			t.Fatalf("a message on %s", r.Topic)
		}
		spans, err := columns.DecodeSpans(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		j.Message(int64(i), spans, out)
	}
	j.Advance(3*join.DefaultGeneration, out)
	return out.calls
}
