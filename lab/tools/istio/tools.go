//go:build tools

// Package tools holds the versions of programs that the lab builds; it has no code.
package tools

import (
	_ "istio.io/istio/pilot/cmd/pilot-discovery"
)
