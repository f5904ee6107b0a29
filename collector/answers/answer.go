package answers

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/pipeline"
)

// Answer gathers what a request's sender must be told about records that were not taken. It is safe for concurrent use; a nil Answer
// takes rejections and forgets them.
type Answer struct {
	source string // who sent the request; set before anybody else has the answer

	mu       sync.Mutex // guards the rest
	signal   pipeline.Signal
	rejected int64
	reason   string
}

type key struct{}

// NewContext returns a context that carries a new answer.
func NewContext(ctx context.Context) (context.Context, *Answer) {
	a := &Answer{}
	return context.WithValue(ctx, key{}, a), a
}

// FromContext returns the answer of the request that ctx belongs to; nil if the request came another way.
func FromContext(ctx context.Context) *Answer {
	a, _ := ctx.Value(key{}).(*Answer)
	return a
}

// Source is the address of the connection that the request came by, with its port; "" if it is not known.
func (a *Answer) Source() string {
	if a == nil {
		return ""
	}
	return a.source
}

// Reject says that n records of the request will never be taken. The first reason is the one the sender reads.
func (a *Answer) Reject(signal pipeline.Signal, n int, reason string) {
	if a == nil || n <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rejected == 0 {
		a.signal, a.reason = signal, reason
	}
	a.rejected += int64(n)
}

// Rejected is the number of records and the first reason.
func (a *Answer) Rejected() (n int64, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rejected, a.reason
}

// response is what the three OTLP responses have in common.
type response interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

// response builds the OTLP response with its partial success.
func (a *Answer) response() (response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.signal {
	case pipeline.SignalTraces:
		r := ptraceotlp.NewExportResponse()
		r.PartialSuccess().SetRejectedSpans(a.rejected)
		r.PartialSuccess().SetErrorMessage(a.reason)
		return r, nil
	case pipeline.SignalMetrics:
		r := pmetricotlp.NewExportResponse()
		r.PartialSuccess().SetRejectedDataPoints(a.rejected)
		r.PartialSuccess().SetErrorMessage(a.reason)
		return r, nil
	case pipeline.SignalLogs:
		r := plogotlp.NewExportResponse()
		r.PartialSuccess().SetRejectedLogRecords(a.rejected)
		r.PartialSuccess().SetErrorMessage(a.reason)
		return r, nil
	}
	return nil, fmt.Errorf("no OTLP response for signal %q", a.signal)
}
