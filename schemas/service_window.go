package schemas

import (
	"fmt"
	"math"
	"time"
)

// ServiceWindow is one closed window of one workload at one version, as the view service_windows has it: what decisions are made of.
type ServiceWindow struct {
	Workload
	Start  time.Time
	Length time.Duration

	Offered, Calls, Errors, StatusKnown, Retries, RejectedMesh, RejectedWeir uint64
	MeanMs, P95Ms, P99Ms                                                     float64 // NaN without calls
	InFlight                                                                 float64 // mean number of calls under way (Little)
	Instances                                                                int     // distinct instances that answered calls
	CPU                                                                      float64 // mean CPU use of its instances as a share of their limit; NaN = nobody said
	Completeness                                                             float64 // 0..1
	ActedOn                                                                  bool    // an action or limit of Weir touched it
	Revision                                                                 uint64
}

// End is the first instant after the window.
func (w ServiceWindow) End() time.Time { return w.Start.Add(w.Length) }

// ID names the window and the revision that was read, for example "service_10s/2025-03-04T06:30:00Z/c/shop/cart@v2#0".
func (w ServiceWindow) ID() string {
	return WindowID(Resolution(w.Length), w.Start, w.Workload, w.Revision)
}

// WindowID is ServiceWindow.ID from its parts.
func WindowID(r Resolution, start time.Time, w Workload, revision uint64) string {
	return fmt.Sprintf("%s/%s/%s#%d", Table{ServiceWindows, r}, start.UTC().Format(time.RFC3339), w.Versioned(), revision)
}

// ErrorRate is the share of calls with a known outcome that failed; NaN if no outcome is known.
func (w ServiceWindow) ErrorRate() float64 {
	if w.StatusKnown == 0 {
		return math.NaN()
	}
	return float64(w.Errors) / float64(w.StatusKnown)
}

// Load is what was asked of the workload for the first time, in calls per second: offered without repeated attempts, so that a retry
// storm does not look like growth.
func (w ServiceWindow) Load() float64 {
	return float64(w.Offered-min(w.Retries, w.Offered)) / w.Length.Seconds()
}

// Versioned is the key with the version behind it: cluster/namespace/name@version.
func (w Workload) Versioned() string {
	if w.Version == "" {
		return w.Key()
	}
	return w.Key() + "@" + w.Version
}

// Unversioned is the workload without version and region.
func (w Workload) Unversioned() Workload {
	w.Version, w.Region = "", ""
	return w
}

// Edge is what one workload asked of another in some stretch of time, over all versions and regions.
type Edge struct {
	From, To Workload // without version and region; From.Name may be Outside or UnknownCaller
	Calls    uint64
}
