package traffic_test

import (
	"context"
	"errors"
	"testing"

	"github.com/weirmesh/weir/torture/traffic"
)

func TestGateHoldsBackWhatIsTooFarAhead(t *testing.T) {
	g := traffic.NewGate(3)
	over, end := context.WithCancel(t.Context())
	end()
	for _, index := range []int{0, 1, 2} {
		if err := g.Enter(over, index); err != nil {
			t.Fatalf("request %d: %v", index, err)
		}
	}
	g.Leave(1)
	if err := g.Enter(over, 3); !errors.Is(err, context.Canceled) {
		t.Fatalf("request 3 passes though request 0 is not acknowledged: %v", err)
	}
	entered := make(chan error)
	go func() { entered <- g.Enter(t.Context(), 3) }()
	g.Leave(0)
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	if err := g.Enter(over, 5); !errors.Is(err, context.Canceled) {
		t.Fatalf("request 5 passes though request 2 is not acknowledged: %v", err)
	}
	g.Leave(2)
	if err := g.Enter(over, 5); err != nil {
		t.Fatal(err)
	}
}
