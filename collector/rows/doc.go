// Package rows turns OTLP requests into Weir's messages: spans into rows of weir.calls, gauges and running totals into rows of
// weir.samples, and spans that cannot be used into dead letters. docs/formats/otlp.md says which attribute becomes which column.
//
// It promises that nothing leaves a request but what the allow-lists name, that text a sender chose is valid UTF-8 without control
// characters and at most schemas.MaxName bytes, that one bad span never affects its neighbours, and that it never panics on what it is
// given. It has no clock and no network: the time of receipt comes in as an argument. Requests are only read.
package rows
