// Package service is the process behind each pod of the lab: a real server that works on requests with a real, limited capacity, calls
// other services over real connections, and reports what it does as an instrumented application would.
//
// # Capacity
//
// An instance works on Slots requests at once; up to Waiting more wait for a slot, first come, first served; all others are refused with
// 503 (UNAVAILABLE). A request holds its slot for its own work, a lognormal time of mean Work and coefficient of variation Spread, which
// passes on a timer: capacity is Slots/Work whatever machine the lab runs on. The slot is free while calls to others are out, as in an
// asynchronous server; those calls are made one after the other once the own work is done. A caller that gives up leaves the queue, but
// work that has begun is finished: nobody tells a busy worker.
//
// # Truth
//
// What an instance answers and what its calls come to is counted in its ledger at the moment it happens. Answers carry HeaderAnswered, so
// that a caller can tell an answer of the instance from one that a proxy gave in its place.
package service
