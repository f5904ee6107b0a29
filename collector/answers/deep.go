package answers

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/weirmesh/weir/collector/depth"
)

// errDeep is what the sender of a message reads that would fill the stack of its decoder.
var errDeep = errors.New("the message is nested too deep")

// codec refuses such messages before they are decoded.
type codec struct{ encoding.CodecV2 }

// Unmarshal decodes a message into v.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if data.Len() <= depth.Harmless {
		return c.CodecV2.Unmarshal(data, v)
	}
	message := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer message.Free()
	if depth.Protobuf(message.ReadOnlyData()) {
		return errDeep
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{message}, v)
}

// newCodec wraps the codec that is registered for protobuf; nil if there is none.
func newCodec() encoding.CodecV2 {
	if registered := encoding.GetCodecV2(proto.Name); registered != nil {
		return codec{registered}
	}
	return nil
}

// body is an HTTP request's body, which is read and looked at as a whole before its first byte is handed on.
type body struct {
	io.ReadCloser
	deep func([]byte) bool
	read *bytes.Reader // nil before the first Read
	err  error
}

// guard puts a body that is large enough to do harm behind a look at how deep it is nested.
func guard(r *http.Request) {
	if r.Body == nil || r.ContentLength >= 0 && r.ContentLength <= depth.Harmless {
		return
	}
	deep := depth.Protobuf
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media == "application/json" {
		deep = depth.JSON
	}
	r.Body = &body{ReadCloser: r.Body, deep: deep}
}

// Read reads from the body, or says why there is nothing to read.
func (b *body) Read(p []byte) (int, error) {
	if b.read == nil {
		all, err := io.ReadAll(b.ReadCloser)
		if err == nil && b.deep(all) {
			err = errDeep
		}
		b.read, b.err = bytes.NewReader(all), err
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.read.Read(p)
}
