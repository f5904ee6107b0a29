package tap

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// raw is a codec whose messages are *[]byte, as they are on the wire.
type raw struct{}

var _ encoding.CodecV2 = raw{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("encode a %T: want bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("decode into a %T: want bytes", v)
	}
	*b = data.Materialize()
	return nil
}

// conns holds one connection to each collector; requests share it. There are as many as collectors.
type conns struct {
	mu     sync.Mutex // guards the rest
	open   map[string]*grpc.ClientConn
	closed bool
}

// retryDelay bounds how long a collector that came back is not asked.
const retryDelay = time.Second

func (c *conns) to(address string) (*grpc.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.open[address]; conn != nil {
		return conn, nil
	}
	if c.closed {
		return nil, errors.New("the tap is closed")
	}
	wait := backoff.DefaultConfig
	wait.BaseDelay, wait.MaxDelay = retryDelay/10, retryDelay
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: wait, MinConnectTimeout: retryDelay}),
		grpc.WithDisableRetry(), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{}), grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to collector %s: %w", address, err)
	}
	if c.open == nil {
		c.open = map[string]*grpc.ClientConn{}
	}
	c.open[address] = conn
	return conn, nil
}

func (c *conns) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	for _, conn := range c.open {
		errs = append(errs, conn.Close())
	}
	c.open = nil
	return errors.Join(errs...)
}
