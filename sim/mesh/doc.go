// Package mesh simulates a service mesh as discrete events: requests arrive, wait for a worker of an instance, are worked on, call other
// services, time out, are repeated, refused, or fail. It gives the spans and CPU gauges that such a mesh would report, and the truth about
// what happened, so that what Weir says can be compared with what was so.
//
// It promises: the same Config and seed give the same records in the same order, on any machine; spans come in the order of their ends;
// every arrival ends exactly once, as one span; memory does not grow with the length of the run, the truth's few bytes per simulated
// minute and version aside. It has no clock, network, disk or log. Arrivals draw from a stream of chance of their own, so that runs of the
// same seed with and without a fault see the same requests.
//
// The model, in short:
//
//   - Arrivals are an open Poisson stream at the entry services, whose rate follows Load and the events.
//   - A call goes to a version by weight, and to an instance by the service's balancer. There it takes a worker, or waits in the instance's
//     queue (first come, first served), or is refused with 503 when the queue is full.
//   - Its work holds a worker. Then it makes its service's calls one after the other, without a worker unless HoldWorker says otherwise.
//     Then it ends.
//   - A caller that waits longer than a call's timeout gives up; the callee works on. It repeats calls that were refused with 503, or timed
//     out, up to Attempts, and otherwise fails with 502 or 504 itself, or ignores the failure of an Optional call.
//   - The network takes no time.
//
// Every call is one span of kind SERVER, reported by the instance that it was for. A call that never reached a worker is reported in the
// same way, as a callee's sidecar proxy does it, with Envoy's response flags: UO when the queue is full, RL when a limiter refuses it
// (429), UH when no instance is left (reported without an instance). UC stands for a call whose instance went while it was inside; that
// one counts as served, and failed.
package mesh
