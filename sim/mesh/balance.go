package mesh

// balance chooses a ready instance of a version; nil if there is none.
func (m *Mesh) balance(v *version) *instance {
	n := len(v.ready)
	if n < 2 {
		if n == 0 {
			return nil
		}
		return v.ready[0]
	}
	first := m.chance.IntN(n)
	if v.service.cfg.Balancer == TwoChoices {
		second := (first + 1 + m.chance.IntN(n-1)) % n
		return lighter(v.ready[first], v.ready[second])
	}
	best := v.ready[first] // of equals, the first from a random place on
	for k := 1; k < n; k++ {
		best = lighter(best, v.ready[(first+k)%n])
	}
	return best
}

func lighter(a, b *instance) *instance {
	if len(b.inside) < len(a.inside) {
		return b
	}
	return a
}

// draw chooses an index by weight; x is drawn evenly from 0..1.
func draw(weights []float64, x float64) int {
	if len(weights) == 1 {
		return 0
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	x *= sum
	last := 0
	for i, w := range weights {
		if w > 0 {
			if last = i; x < w {
				return i
			}
			x -= w
		}
	}
	return last
}
