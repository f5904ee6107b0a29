package load

import (
	"syscall"
	"time"
)

// rest sleeps for a short time. The runtime's timers are up to a millisecond late, because its network poller counts in milliseconds;
// the kernel's are late by some 50 microseconds.
func rest(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // interrupted, it is merely shorter: the caller looks at the clock
}
