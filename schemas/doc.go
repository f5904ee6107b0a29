// Package schemas is the shared vocabulary of Weir: the things every stage talks about, with their units.
//
// It imports only the standard library and holds no behaviour beyond Validate and small pure helpers. Values are plain data: whoever
// receives one owns it. Times are Unix nanoseconds in UTC unless a name says otherwise; durations are nanoseconds; sizes are bytes;
// weights are counts in 1/65,536 (see Weight).
package schemas
