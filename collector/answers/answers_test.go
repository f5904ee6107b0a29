package answers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pipeline"
	"go.uber.org/goleak"

	"github.com/weirmesh/weir/collector/answers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// middleware is what the extension is to the Collector.
type middleware interface {
	extension.Extension
	extensionmiddleware.HTTPServer
	extensionmiddleware.GRPCServer
	extensioncapabilities.PipelineWatcher
}

func create(t *testing.T, drain time.Duration, opts ...answers.Option) middleware {
	t.Helper()
	e, err := answers.NewFactory(opts...).Create(t.Context(), extensiontest.NewNopSettings(component.MustNewType("weir_answers")),
		&answers.Config{Drain: drain})
	if err != nil {
		t.Fatal(err)
	}
	m, ok := e.(middleware)
	if !ok {
		t.Fatalf("%T is no middleware", e)
	}
	t.Cleanup(func() { _ = m.Shutdown(context.Background()) })
	return m
}

// serve wraps a handler as the receiver would.
func serve(t *testing.T, e middleware, h http.HandlerFunc) http.Handler {
	t.Helper()
	wrap, err := e.GetHTTPHandler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := wrap(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnswerAddsUp(t *testing.T) {
	ctx, answer := answers.NewContext(t.Context())
	if answers.FromContext(ctx) != answer {
		t.Fatal("the context carries another answer")
	}
	answer.Reject(pipeline.SignalMetrics, 0, "nothing")
	answer.Reject(pipeline.SignalMetrics, 1, "first")
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { answers.FromContext(ctx).Reject(pipeline.SignalMetrics, 2, "later") })
	}
	wg.Wait()
	if n, reason := answer.Rejected(); n != 21 || reason != "first" {
		t.Errorf("%d rejected: %s", n, reason)
	}
	answers.FromContext(t.Context()).Reject(pipeline.SignalLogs, 1, "nobody asked")
}

func TestHTTPBodyIsReplaced(t *testing.T) {
	for _, tt := range []struct {
		name     string
		code     int
		rejected int
		replaced bool
	}{
		{"rejected", http.StatusOK, 3, true},
		{"all taken", http.StatusOK, 0, false},
		{"failed", http.StatusBadRequest, 3, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := serve(t, create(t, 0), func(w http.ResponseWriter, r *http.Request) {
				answers.FromContext(r.Context()).Reject(pipeline.SignalMetrics, tt.rejected, "why")
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				w.WriteHeader(tt.code)
				if n, err := w.Write([]byte("theirs")); n != 6 || err != nil {
					t.Errorf("write %d, %v", n, err)
				}
			})
			got := httptest.NewRecorder()
			h.ServeHTTP(got, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/any/path", http.NoBody))
			if got.Code != tt.code {
				t.Errorf("code %d", got.Code)
			}
			if !tt.replaced {
				if got.Body.String() != "theirs" {
					t.Errorf("body %q", got.Body)
				}
				return
			}
			resp := pmetricotlp.NewExportResponse()
			if err := resp.UnmarshalJSON(got.Body.Bytes()); err != nil {
				t.Fatalf("%v in %q", err, got.Body)
			}
			if p := resp.PartialSuccess(); p.RejectedDataPoints() != 3 || p.ErrorMessage() != "why" {
				t.Errorf("%d rejected: %q", p.RejectedDataPoints(), p.ErrorMessage())
			}
		})
	}
}

func TestStoppingEndsRequestsAfterTheDrainTime(t *testing.T) {
	e := create(t, time.Millisecond)
	waiting := make(chan struct{})
	h := serve(t, e, func(w http.ResponseWriter, r *http.Request) {
		close(waiting)
		<-r.Context().Done()
		http.Error(w, context.Cause(r.Context()).Error(), http.StatusServiceUnavailable)
	})
	got := httptest.NewRecorder()
	over := make(chan struct{})
	go func() {
		defer close(over)
		h.ServeHTTP(got, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/traces", http.NoBody))
	}()
	<-waiting
	if err := e.NotReady(); err != nil {
		t.Fatal(err)
	}
	<-over
	if !strings.Contains(got.Body.String(), answers.ErrStopping.Error()) {
		t.Errorf("ended with %q", got.Body)
	}
}

func TestReadyIsToldOnce(t *testing.T) {
	n := 0
	e := create(t, 0, answers.WithReady(func() { n++ }))
	for range 2 {
		if err := e.Ready(); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestConfig(t *testing.T) {
	all, err := confmaptest.LoadConf("testdata/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]time.Duration{"weir_answers": 10 * time.Second, "weir_answers/patient": time.Minute} {
		sub, err := all.Sub(id)
		if err != nil {
			t.Fatal(err)
		}
		cfg, ok := answers.NewFactory().CreateDefaultConfig().(*answers.Config)
		if err := sub.Unmarshal(cfg); !ok || err != nil || cfg.Drain != want || cfg.Validate() != nil {
			t.Errorf("%s: %v, %v", id, cfg, err)
		}
	}
	if (&answers.Config{Drain: -1}).Validate() == nil {
		t.Error("a negative time passes")
	}
}
