package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Output adds -o, --output, which takes one of the forms; the first is the default.
func Output(flags *pflag.FlagSet, value *string, help string, forms ...string) {
	*value = forms[0]
	flags.VarP(&choice{value, forms}, "output", "o", help)
}

// choice is a flag that takes one of a few words.
type choice struct {
	value *string
	of    []string
}

func (c *choice) String() string {
	if c.value == nil { // pflag asks an empty one
		return ""
	}
	return *c.value
}

// Type implements pflag.Value.
func (*choice) Type() string { return "string" }

// Set implements pflag.Value.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.of, word) {
		last := len(c.of) - 1
		return fmt.Errorf("output %q is not known: %s or %s", word, strings.Join(c.of[:last], ", "), c.of[last])
	}
	*c.value = word
	return nil
}
