// Package say puts decisions, findings and numbers into words for people: short, with units, never NaN. What it is given may come from
// anybody who can name a workload, so it also makes text harmless for a terminal, for Markdown, for a shell and for SQL. It is pure.
package say
