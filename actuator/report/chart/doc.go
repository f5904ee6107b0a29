// Package chart makes small charts of one signal: what was observed, what had been forecast or expected with its interval, and marks. A
// chart is data that goes into JSON; Text draws it with characters and Draw computes the lines of an SVG. It is pure. A value that is
// missing is a gap, never a zero.
package chart
