package embedded

import (
	"fmt"
	"net/http"
)

// The engine's error numbers that this package has to know.
const (
	codeNotImplemented  = 48
	codeUnknownTable    = 60
	codeSyntax          = 62
	codeUnknownDatabase = 81
	codeUnknownSetting  = 115
	codeReadOnly        = 164
	codeTooManyQueries  = 202
	codeTooManyBytes    = 307
	codeCancelled       = 394
	codeAccessDenied    = 497
	codeUnknown         = 1002
)

// refuse makes an error that looks like the engine's own, as clients take the number from the text.
func refuse(code int, name, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), name)}
}

// httpStatus follows ClickHouse's own choice of status for an error number.
func httpStatus(code int) int {
	switch code {
	case codeSyntax, codeUnknownSetting, 6, 26, 27, 43, 46, 47, 53, 117:
		return http.StatusBadRequest
	case codeUnknownTable, codeUnknownDatabase:
		return http.StatusNotFound
	case codeReadOnly, codeAccessDenied:
		return http.StatusForbidden
	case codeTooManyBytes:
		return http.StatusRequestEntityTooLarge
	case codeTooManyQueries:
		return http.StatusServiceUnavailable
	case codeNotImplemented:
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}
