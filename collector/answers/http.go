package answers

import (
	"mime"
	"net/http"

	"go.uber.org/zap"
)

// writer replaces the body of a good response when something was rejected.
type writer struct {
	http.ResponseWriter
	answer   *Answer
	logger   *zap.Logger
	decided  bool
	replaced bool // our body is out; the handler's is dropped
}

// WriteHeader decides, because the handler calls it once its work is done.
func (w *writer) WriteHeader(code int) {
	if w.decided {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.decided = true
	n, reason := w.answer.Rejected()
	if code != http.StatusOK || n == 0 {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	body, err := w.encode()
	if err != nil {
		w.logger.Error("partial success is not sent", zap.Int64("rejected", n), zap.String("reason", reason), zap.Error(err))
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.replaced = true
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(code)
	// Whether the sender still listens is the handler's business no more than ours.
	_, _ = w.ResponseWriter.Write(body)
}

// encode writes the response in the content type the handler chose.
func (w *writer) encode() ([]byte, error) {
	with, err := w.answer.response()
	if err != nil {
		return nil, err
	}
	if media, _, err := mime.ParseMediaType(w.Header().Get("Content-Type")); err == nil && media == "application/json" {
		return with.MarshalJSON()
	}
	return with.MarshalProto()
}

func (w *writer) Write(body []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.replaced {
		return len(body), nil
	}
	return w.ResponseWriter.Write(body)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
