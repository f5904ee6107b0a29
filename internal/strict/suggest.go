package strict

import (
	"maps"
	"slices"
)

// Suggest is ": did you mean KEY?" with the known key that is the fewest typing slips away, or "" if none is likely what was meant.
func Suggest[V any](name string, known map[string]V) string {
	best, slips := "", 2+len(name)/3
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if d := Slips(name, key); d < slips {
			best, slips = key, d
		}
	}
	if best == "" {
		return ""
	}
	return ": did you mean " + best + "?"
}

// Slips counts the insertions, deletions, replacements and swaps of neighbours that make b of a: Damerau's distance in its restricted form
// (optimal string alignment).
func Slips(a, b string) int {
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
