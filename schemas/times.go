package schemas

import "time"

// LatestEvent is the first time, in Unix ns, that is too late for an event: the start of 2200. The store's types for days and hours end in
// the 23rd century at different times, so that what comes close to it is filed under another day than it was written for. No event is
// from before 1970.
const LatestEvent = 7_258_118_400 * int64(time.Second)

// Datable reports whether an event may be from t, in Unix ns.
func Datable(t int64) bool { return t >= 0 && t < LatestEvent }
