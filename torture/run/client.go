package run

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// attemptTakes is how long one attempt may take: longer than any pause of a collector, so that its answer is waited for.
const attemptTakes = 15 * time.Second

// client sends requests to one collector.
type client struct {
	name   string
	conn   *grpc.ClientConn
	traces ptraceotlp.GRPCClient
}

func dial(name, address string) (*client, error) {
	quick := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
		MinConnectTimeout: 5 * time.Second,
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(quick))
	if err != nil {
		return nil, fmt.Errorf("connect to %s at %s: %w", name, address, err)
	}
	return &client{name: name, conn: conn, traces: ptraceotlp.NewGRPCClient(conn)}, nil
}

// once sends a request and returns how many of its spans were rejected.
func (c *client) once(ctx context.Context, traces ptrace.Traces) (rejected int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTakes)
	defer cancel()
	answer, err := c.traces.Export(ctx, ptraceotlp.NewExportRequestFromTraces(traces))
	if err != nil {
		return 0, err
	}
	return answer.PartialSuccess().RejectedSpans(), nil
}

// again reports whether OTLP lets a sender try again after an error.
func again(err error) bool {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
		return true
	}
	return false
}

// unreached reports whether an error may say that nobody is there.
func unreached(err error) bool { return status.Code(err) == codes.Unavailable }
