package say

import (
	"math"

	"github.com/weirmesh/weir/schemas"
)

// Fact is one number of evidence. Text is how it is shown; Value is nil where it is not known.
type Fact struct {
	Name  string   `json:"name"`
	Label string   `json:"label"`
	Value *float64 `json:"value"`
	Unit  string   `json:"unit"`
	Text  string   `json:"text"`
}

// Facts puts evidence into words, in its order.
func Facts(in []schemas.Fact) []Fact {
	out := []Fact{}
	for _, f := range in {
		out = append(out, Fact{f.Name, Label(f.Name), Finite(f.Value), f.Unit, Quantity(f.Value, f.Unit)})
	}
	return out
}

// Finite is nil for what JSON cannot say.
func Finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
