// Package e2e holds the tests that run the whole lab against Weir: `make e2e`. They check that what ClickHouse shows is what the load
// generator sent and suffered, for every kind of fault, under kills, and while Istio's objects change.
package e2e
