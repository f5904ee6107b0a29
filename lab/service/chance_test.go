package service_test

import (
	"math"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/service"
)

func TestWorkHasItsMeanAndSpread(t *testing.T) {
	t.Parallel()
	const n, mean = 200_000, 10 * time.Millisecond
	for _, spread := range []float64{0, 0.3, 1} {
		var sum, squares float64
		for _, d := range service.Work(1, "web-0", n, mean, spread) {
			sum += d.Seconds()
			squares += d.Seconds() * d.Seconds()
		}
		got := sum / n
		variation := math.Sqrt(max(squares/n-got*got, 0)) / got
		if math.Abs(got/mean.Seconds()-1) > 0.02 || math.Abs(variation-spread) > 0.05 {
			t.Errorf("spread %v: mean %v s, coefficient of variation %v", spread, got, variation)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	if n := service.Queued(service.MaxQueued + 10); n != service.MaxQueued {
		t.Errorf("it took %d", n)
	}
}
