package service_test

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weirmesh/weir/lab/service"
)

// invoke calls a method as any client would.
func (i *instance) invoke(method, password string) codes.Code {
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", i.cfg.Service.Port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		i.t.Fatal(err)
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), service.HeaderPassword, password)
	return status.Code(conn.Invoke(ctx, method, nil, nil, grpc.ForceCodec(discard{})))
}

// discard sends nothing and reads anything.
type discard struct{}

func (discard) Marshal(any) ([]byte, error) { return nil, nil }
func (discard) Unmarshal([]byte, any) error { return nil }
func (discard) Name() string                { return "proto" }
