package rows

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/weirmesh/weir/schemas"
)

// grpcCode returns a gRPC status code given as a number or by name; -1 if it is none.
func grpcCode(v pcommon.Value) int64 {
	if n := whole(v); n >= 0 {
		if n > 16 {
			return -1
		}
		return n
	}
	switch strings.ToUpper(cut(text(v), len("FAILED_PRECONDITION")+1)) {
	case "OK":
		return 0
	case "CANCELLED", "CANCELED":
		return 1
	case "UNKNOWN":
		return 2
	case "INVALID_ARGUMENT":
		return 3
	case "DEADLINE_EXCEEDED":
		return 4
	case "NOT_FOUND":
		return 5
	case "ALREADY_EXISTS":
		return 6
	case "PERMISSION_DENIED":
		return 7
	case "RESOURCE_EXHAUSTED":
		return 8
	case "FAILED_PRECONDITION":
		return 9
	case "ABORTED":
		return 10
	case "OUT_OF_RANGE":
		return 11
	case "UNIMPLEMENTED":
		return 12
	case "INTERNAL":
		return 13
	case "UNAVAILABLE":
		return 14
	case "DATA_LOSS":
		return 15
	case "UNAUTHENTICATED":
		return 16
	}
	return -1
}

// flagsOfEnvoy reads Envoy's response flags, for example "UF,URX" or "-".
func flagsOfEnvoy(list string) schemas.Flags {
	if list == "" {
		return 0
	}
	var out schemas.Flags
	for flag := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(flag) {
		case "UF", "UC", "UR", "LR", "UPE":
			// The connection to the workload could not be made, broke, was reset, or spoke nonsense.
			out |= schemas.FlagTransport
		case "UAEX", "RL", "RLSE", "UO", "UH", "NR", "NC", "FI", "IH", "DPE", "DF", "OM", "LH", "DO":
			// Not authorised, limited, circuit open, nowhere to go, injected, malformed, no name, overloaded: the workload never saw it.
			out |= schemas.FlagRejectedMesh
		}
	}
	return out
}

// belowProtocol reports whether error.type names a failure of the connection. The attribute holds whatever the language calls it; a
// timeout is not among them, because the other end may have worked on the call.
func belowProtocol(errorType string) bool {
	switch errorType {
	case "connection_refused", "connection_reset", "connection_error", "secure_connection_error", "name_resolution_error",
		"server_certificate_invalid",
		"ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN",
		"java.net.ConnectException", "java.net.SocketException", "java.net.UnknownHostException", "java.net.NoRouteToHostException",
		"javax.net.ssl.SSLHandshakeException",
		"ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError", "requests.exceptions.ConnectionError",
		"*net.OpError", "*net.DNSError", "syscall.Errno":
		return true
	}
	return false
}
