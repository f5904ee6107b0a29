package config

import (
	"strings"

	"github.com/weirmesh/weir/internal/strict"
)

// nearest returns the candidate that a typing slip most likely meant, or "" when none is close: few edits away, or the right last part
// under the wrong section.
func nearest(name string, candidates []string) string {
	name = strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	best, bestEdits := "", max(2, len(name)/5)+1
	for _, c := range candidates {
		if n := strict.Slips(name, strings.ToLower(c)); n < bestEdits {
			best, bestEdits = c, n
		}
	}
	if best != "" {
		return best
	}
	last := name[strings.LastIndex(name, ".")+1:]
	for _, c := range candidates {
		if strings.HasSuffix(c, "."+last) {
			return c
		}
	}
	return ""
}
