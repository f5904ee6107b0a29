package spec

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"reflect"

	"github.com/weirmesh/weir/internal/strict"
)

// MaxBytes is the longest lab file that is read.
const MaxBytes = 1 << 20

//go:embed default.yaml
var example []byte

// Example returns the lab file that Default decodes, with its comments.
func Example() []byte { return bytes.Clone(example) }

// Default returns the lab that is run when no file is given: a shop in two regions.
func Default() Lab {
	lab, _ := Decode(example) // a test decodes it
	return lab
}

// Decode reads a lab file. Keys that are left out get their defaults; a key that is not known, a value of a wrong kind and a lab that
// cannot run are errors, and all of them are reported.
func Decode(text []byte) (Lab, error) {
	root, err := strict.Parse(text, MaxBytes)
	if err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	if root == nil {
		return Lab{}, errors.New("read lab: it is empty")
	}
	if err := strict.Check(root, reflect.TypeFor[Lab]()); err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	var lab Lab
	if err := root.Decode(&lab); err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	lab.complete()
	if err := lab.Validate(); err != nil {
		return Lab{}, fmt.Errorf("read lab: %w", err)
	}
	return lab, nil
}
