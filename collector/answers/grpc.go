package answers

import (
	"context"
	"fmt"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// protoMessage is what the OTLP server's responses can do. Their type is internal to pdata, so the response is replaced by way of its
// encoding; an end-to-end test holds the Collector to it.
type protoMessage interface {
	UnmarshalProto([]byte) error
}

// intercept adds the partial success after the handler. A response that cannot carry it goes out as it is, because the records that
// were good are stored by now; the log says so.
func (a *answers) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, answer, done := a.request(ctx)
	defer done()
	defer a.codec.leave(req)
	if from, ok := peer.FromContext(ctx); ok {
		answer.source = from.Addr.String()
	}
	resp, err := handle(ctx, req)
	if n, reason := answer.Rejected(); err == nil && n > 0 {
		if err := fill(resp, answer); err != nil {
			a.logger.Error("partial success is not sent", zap.Int64("rejected", n), zap.String("reason", reason), zap.Error(err))
		}
	}
	return resp, err
}

func fill(resp any, answer *Answer) error {
	message, ok := resp.(protoMessage)
	if !ok {
		return fmt.Errorf("response type %T cannot be decoded into", resp)
	}
	with, err := answer.response()
	if err != nil {
		return err
	}
	encoded, err := with.MarshalProto()
	if err != nil {
		return fmt.Errorf("encode response: %w", err)
	}
	if err := message.UnmarshalProto(encoded); err != nil {
		return fmt.Errorf("replace response: %w", err)
	}
	return nil
}
