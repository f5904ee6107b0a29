package scenario

import (
	_ "embed"
)

//go:embed example.yaml
var example string

// Example is a file with every key and its meaning, which says the same as an empty one.
func Example() []byte { return []byte(example) }
