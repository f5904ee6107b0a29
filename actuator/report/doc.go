// Package report writes what Weir found, what it would do and what it would not do, for the people who decide whether it may act. Build
// makes one Report of decisions, outcomes and findings as they stood at one moment; Markdown, JSON and HTML write it. Everything is pure
// and deterministic: the same input gives the same bytes. What is handed in is only read, and nothing of it is kept but strings.
//
// A report is true before it is short: its counts are those of its input, what it leaves out it counts, and a number that is not known is
// said to be not known.
package report
