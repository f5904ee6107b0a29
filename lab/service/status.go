package service

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/weirmesh/weir/lab/ledger"
)

// status is how a request ended, whatever the protocol.
type status int

const (
	done status = iota
	accepted
	noPassword
	noEndpoint
	queueFull
	gone // the caller stopped waiting
	failed
	refused
	noAnswer // a dependency did not answer in time
)

// meaning is what a status is called elsewhere.
type meaning struct {
	http    int
	grpc    codes.Code
	outcome string
}

// clientGone is what nginx made usual for a client that closed its request. Nobody is left to read it.
const clientGone = 499

func (s status) meaning() meaning {
	switch s {
	case done:
		return meaning{http.StatusOK, codes.OK, ledger.OK}
	case accepted:
		return meaning{http.StatusAccepted, codes.OK, ledger.OK}
	case noPassword:
		return meaning{http.StatusUnauthorized, codes.Unauthenticated, ledger.ClientError}
	case noEndpoint:
		return meaning{http.StatusNotFound, codes.Unimplemented, ledger.ClientError}
	case queueFull:
		return meaning{http.StatusTooManyRequests, codes.ResourceExhausted, ledger.ClientError}
	case gone:
		return meaning{clientGone, codes.Canceled, ledger.Timeout}
	case refused:
		return meaning{http.StatusServiceUnavailable, codes.Unavailable, ledger.Refused}
	case noAnswer:
		return meaning{http.StatusGatewayTimeout, codes.DeadlineExceeded, ledger.ServerError}
	}
	return meaning{http.StatusInternalServerError, codes.Internal, ledger.ServerError}
}

// ofHTTP is what a caller makes of an answer. Without the instance's mark a proxy gave it.
func ofHTTP(code int, marked bool) string {
	switch {
	case code < 400:
		return ledger.OK
	case code < 500:
		return ledger.ClientError
	case !marked && code == http.StatusGatewayTimeout:
		return ledger.Timeout
	case !marked:
		return ledger.Transport
	case code == http.StatusServiceUnavailable:
		return ledger.Refused
	}
	return ledger.ServerError
}

// ofGRPC is what a caller makes of a code. Without the instance's mark a proxy gave it, or the caller's own library.
func ofGRPC(code codes.Code, marked bool) string {
	switch code {
	case codes.OK:
		return ledger.OK
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.NotFound, codes.ResourceExhausted,
		codes.InvalidArgument:
		return ledger.ClientError
	case codes.DeadlineExceeded, codes.Canceled:
		if !marked {
			return ledger.Timeout
		}
	case codes.Unavailable:
		if marked {
			return ledger.Refused
		}
	}
	if !marked {
		return ledger.Transport
	}
	return ledger.ServerError
}
