// Package why explains one decision or one finding: the chain from windows to outcome, the numbers it rests on, and the SQL that shows the
// windows. It is pure and deterministic, and keeps nothing of what it is given but strings.
package why
