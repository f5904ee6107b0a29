package replay

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/internal/pause"
)

// Client sends requests to a collector over OTLP/gRPC. It is safe for concurrent use and must be closed.
type Client struct {
	conn    *grpc.ClientConn
	traces  ptraceotlp.GRPCClient
	metrics pmetricotlp.GRPCClient
	logs    plogotlp.GRPCClient
}

// Dial returns a client of the collector at address; tls may be nil for plain text. It does not connect yet.
func Dial(address string, tls *tls.Config) (*Client, error) {
	transport := insecure.NewCredentials()
	if tls != nil {
		transport = credentials.NewTLS(tls)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		return nil, fmt.Errorf("connect to collector %s: %w", address, err)
	}
	return &Client{
		conn: conn, traces: ptraceotlp.NewGRPCClient(conn), metrics: pmetricotlp.NewGRPCClient(conn), logs: plogotlp.NewGRPCClient(conn),
	}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

const (
	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
)

// Send sends one request until the collector has taken it. It tries again on the errors for which OTLP says so, until ctx ends.
func (c *Client) Send(ctx context.Context, r recording.Request) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := c.once(ctx, r)
		if err == nil || !retryable(err) || ctx.Err() != nil {
			if err != nil {
				return fmt.Errorf("send request %d (%s line %d): %w", r.Index, r.File, r.Line, err)
			}
			return nil
		}
		if pause.For(ctx, wait) != nil {
			return fmt.Errorf("send request %d: %w", r.Index, err)
		}
	}
}

// once ignores what the collector says it rejected: that is in the dead letter and counted there.
func (c *Client) once(ctx context.Context, r recording.Request) error {
	var err error
	switch r.Signal {
	case recording.Metrics:
		_, err = c.metrics.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(r.Metrics))
	case recording.Logs:
		_, err = c.logs.Export(ctx, plogotlp.NewExportRequestFromLogs(r.Logs))
	default:
		_, err = c.traces.Export(ctx, ptraceotlp.NewExportRequestFromTraces(r.Traces))
	}
	return err
}

// retryable follows the OTLP specification's table of gRPC codes.
func retryable(err error) bool {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
		return true
	}
	return false
}
