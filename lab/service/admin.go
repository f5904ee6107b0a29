package service

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// maxFaults bounds what PUT /faults reads, in bytes.
const maxFaults = 1 << 20

// Applied is the answer to PUT /faults: those of the given faults that this instance carries out. Faults that name another service,
// version, instance or region, and kinds that are not for instances, are left out.
type Applied struct {
	Faults []spec.Fault `json:"faults"`
}

// admin is how an instance is looked after: GET /ready, /counts, /gauges and PUT /faults.
func admin(i *instance, tel *telemetry, ready *atomic.Bool) *http.Server {
	mux := http.NewServeMux()
	u := i.slots.utilization()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, i.ledger.Counts()) })
	mux.HandleFunc("GET /gauges", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, i.gauges(tel, u)) })
	mux.HandleFunc("PUT /faults", i.putFaults)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
}

// putFaults replaces the faults that hold.
func (i *instance) putFaults(w http.ResponseWriter, r *http.Request) {
	var now []spec.Fault
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFaults)).Decode(&now); err != nil {
		http.Error(w, "faults are a JSON list: "+err.Error(), http.StatusBadRequest)
		return
	}
	for _, f := range now {
		if _, known := f.Kind.Info(); !known {
			http.Error(w, fmt.Sprintf("there is no fault %q", f.Kind), http.StatusBadRequest)
			return
		}
	}
	writeJSON(w, Applied{Faults: i.faults.set(now, i.cfg).faults})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client went away; there is nobody to tell
}
