//go:build !unix

package load

import "net"

// open cannot tell here.
func open(net.Conn) bool { return true }
