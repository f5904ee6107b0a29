package config

import (
	"fmt"
	"io"
	"strings"
)

// Explain writes a complete, commented YAML file: every key with its meaning, unit, default, variable, current value and where that came
// from. What it writes loads to the same configuration.
func Explain(w io.Writer, cfg Config, sources Sources) error {
	var b strings.Builder
	b.WriteString("# The configuration of Weir. Flags win over the environment, the environment over this file, this file over the defaults.\n\n")
	defaults := Keys()
	section := ""
	for i, f := range fieldsOf(&cfg) {
		indent, name := "", f.Name
		if f.section != "" {
			indent, name = "  ", strings.TrimPrefix(f.Name, f.section+".")
			if f.section != section {
				fmt.Fprintf(&b, "\n# %s\n%s:\n", f.sectionDoc, f.section)
			}
		}
		section = f.section
		fmt.Fprintf(&b, "%s# %s\n", indent, f.Doc)
		fmt.Fprintf(&b, "%s# %s\n", indent, facts(f.Key, defaults[i].Default, sources.Of(f.Name)))
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, format(f.value))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("explain configuration: %w", err)
	}
	return nil
}

func facts(k Key, def, source string) string {
	parts := make([]string, 0, 4)
	if k.Unit != "" {
		parts = append(parts, k.Unit)
	}
	parts = append(parts, "default "+def, k.Env)
	if k.Alias != "" {
		parts[len(parts)-1] += " or " + k.Alias
	}
	if source == "default" {
		return strings.Join(append(parts, "not set"), "; ")
	}
	// A path may hold anything, and a line break in it would end the comment.
	return strings.Join(append(parts, "set by "+strings.Join(strings.Fields(source), " ")), "; ")
}
