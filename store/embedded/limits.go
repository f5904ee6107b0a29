package embedded

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// slots lets so many in at a time, and so many wait.
type slots struct {
	free       chan struct{}
	waiting    atomic.Int64
	maxWaiting int64
}

func newSlots(n, maxWaiting int) *slots {
	return &slots{free: make(chan struct{}, n), maxWaiting: int64(maxWaiting)}
}

// acquire waits for a slot; the caller releases it once.
func (s *slots) acquire(ctx context.Context) (release func(), err error) {
	release = func() { <-s.free }
	select {
	case s.free <- struct{}{}:
		return release, nil
	default:
	}
	if s.waiting.Add(1) > s.maxWaiting {
		s.waiting.Add(-1)
		return nil, refuse(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many statements wait already")
	}
	defer s.waiting.Add(-1)
	select {
	case s.free <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, refuse(codeCancelled, "QUERY_WAS_CANCELLED", "Request ended while it waited for its turn: %v", context.Cause(ctx))
	}
}

// readerSettings are those the client asked for, cut down to the limits.
func readerSettings(cfg ServerConfig, asked []Setting) []Setting {
	var out []Setting
	seconds, memory := cfg.MaxReadTime.Seconds(), float64(cfg.MaxReadMemory)
	for _, s := range asked {
		switch s.Name {
		case "max_execution_time":
			seconds = smaller(seconds, s.Value)
		case "max_memory_usage":
			memory = smaller(memory, s.Value)
		default:
			out = append(out, s)
		}
	}
	if seconds > 0 {
		out = append(out, Setting{"max_execution_time", strconv.FormatFloat(seconds, 'f', -1, 64)})
	}
	if memory > 0 {
		out = append(out, Setting{"max_memory_usage", strconv.FormatFloat(memory, 'f', 0, 64)})
	}
	// 2 rather than 1: a query may carry SETTINGS. The limits above end it in any case.
	return append(out, Setting{"readonly", "2"})
}

// smaller returns the smaller of two limits, where 0 is none.
func smaller(limit float64, asked string) float64 {
	n, err := strconv.ParseFloat(asked, 64)
	if err != nil || !(n > 0) || limit > 0 && n > limit {
		return limit
	}
	return n
}

// foreign says why a request may come from a web page of somebody else: there is no password, and a browser
// on this machine reaches loopback for any page (cross-site requests, DNS rebinding).
func foreign(r *http.Request, hosts []string) string {
	if !allowedHost(hostOnly(r.Host), hosts) {
		return "unknown Host " + strings.ToValidUTF8(r.Host, "?")
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return "cross-site request"
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host {
		return "cross-site Origin"
	}
	return ""
}

func hostOnly(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return strings.Trim(hostPort, "[]")
}

// allowedHost accepts loopback, and what the configuration names. "0.0.0.0" or "::" there, a listener on every
// interface, accepts every address but still no name: only names can be rebound.
func allowedHost(host string, more []string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || slices.Contains(more, host) {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || slices.Contains(more, "0.0.0.0") || slices.Contains(more, "::"))
}
