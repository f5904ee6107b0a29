package answers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/weirmesh/weir/collector/depth"
)

// codec decodes messages once they are looked at and there is room for them.
type codec struct {
	encoding.CodecV2
	*answers
	inside *sync.Map // message to what its request takes
}

// newCodec wraps the codec that is registered for protobuf; nil if there is none.
func newCodec(a *answers) *codec {
	if registered := encoding.GetCodecV2(proto.Name); registered != nil {
		return &codec{CodecV2: registered, answers: a, inside: &sync.Map{}}
	}
	return nil
}

// Unmarshal decodes a message into v, which stays inside until it leaves.
func (c *codec) Unmarshal(data mem.BufferSlice, v any) error {
	look := func() depth.Shape {
		message := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer message.Free()
		return depth.Protobuf(message.ReadOnlyData())
	}
	taken, err := c.room.enter(c.stopping, data.Len(), look)
	if errors.Is(err, errDeep) || errors.Is(err, errParts) {
		return err
	}
	// Another error says that the collector stops: the exporter tells the sender to come again.
	if err := c.CodecV2.Unmarshal(data, v); err != nil {
		c.room.leave(taken)
		return err
	}
	if taken > 0 {
		c.inside.Store(v, taken)
	}
	return nil
}

// leave is called with every message when its request is over.
func (c *codec) leave(v any) {
	if c == nil {
		return
	}
	if taken, ok := c.inside.LoadAndDelete(v); ok {
		if n, ok := taken.(int64); ok {
			c.room.leave(n)
		}
	}
}

// body is an HTTP request's body that was read, with the error that ended reading.
type body struct {
	io.Reader
	io.Closer
	err error
}

// Read reads from the body.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return b.Reader.Read(p)
}

// guard reads the request's body, which is unpacked by now, and waits until there is room to decode it. The body may then be read again, with
// the same errors. What guard returns must be called when the request is over. An error says that there will be no room.
func (r *room) guard(req *http.Request) (leave func(), err error) {
	if req.Body == nil || req.ContentLength == 0 {
		return func() {}, nil
	}
	all, err := io.ReadAll(req.Body)
	taken := int64(0)
	if err == nil {
		look := depth.Protobuf
		if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err == nil && media == "application/json" {
			look = depth.JSON
		}
		taken, err = r.enter(req.Context(), len(all), func() depth.Shape { return look(all) })
	}
	if req.Context().Err() != nil {
		r.leave(taken)
		return nil, fmt.Errorf("wait for memory to decode the request: %w", context.Cause(req.Context()))
	}
	req.Body = &body{Reader: bytes.NewReader(all), Closer: req.Body, err: err}
	return func() { r.leave(taken) }, nil
}
