//go:build !linux

package load

import "time"

// rest sleeps for a short time.
func rest(d time.Duration) { time.Sleep(d) }
