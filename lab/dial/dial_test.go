package dial_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/dial"
	"github.com/weirmesh/weir/lab/spec"
)

func TestFaultsBeginAndEnd(t *testing.T) {
	var truth bytes.Buffer
	d := dial.New(&truth, 7, 0)
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	slow, err := d.On(spec.Fault{Kind: spec.Delay, Service: "cart", Size: 100}, 30*time.Second, []string{"cart-v1-a"}, start)
	if err != nil {
		t.Fatal(err)
	}
	crowd, err := d.On(spec.Fault{Kind: spec.FlashCrowd, Size: 3}, 0, nil, start.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.At(spec.AtInstances); len(got) != 1 || got[0].Service != "cart" {
		t.Errorf("at the instances: %+v", got)
	}
	if got := d.At(spec.AtLoad); len(got) != 1 || got[0].Kind != spec.FlashCrowd {
		t.Errorf("at the load: %+v", got)
	}
	if ended, next, err := d.Expire(start.Add(29 * time.Second)); err != nil || len(ended) != 0 || !next.Equal(start.Add(30*time.Second)) {
		t.Errorf("after 29 s: ended %+v, next %v, %v", ended, next, err)
	}
	ended, next, err := d.Expire(start.Add(31 * time.Second))
	if err != nil || len(ended) != 1 || ended[0].ID != slow.ID || !next.IsZero() {
		t.Fatalf("after 31 s: ended %+v, next %v, %v", ended, next, err)
	}
	if !ended[0].To.Equal(start.Add(30 * time.Second)) {
		t.Errorf("it ended at %v, not when its time was over", ended[0].To)
	}
	if _, err := d.Off(crowd.ID, start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Off(crowd.ID, start.Add(time.Minute)); !errors.Is(err, dial.ErrNotHeld) {
		t.Errorf("ended twice: %v", err)
	}
	if got := d.Held(); len(got) != 0 {
		t.Errorf("still held: %+v", got)
	}
	lines := strings.Split(strings.TrimSpace(truth.String()), "\n")
	var ids []string
	for _, line := range lines {
		var tr spec.Truth
		if err := json.Unmarshal([]byte(line), &tr); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, tr.ID)
		if tr.Seed != 7 || tr.From.IsZero() {
			t.Errorf("truth %+v", tr)
		}
	}
	if want := []string{slow.ID, crowd.ID, slow.ID, crowd.ID}; !slices.Equal(ids, want) {
		t.Errorf("the truth tells of %q, want %q", ids, want)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestNoFaultWithoutTruth: what cannot be written down is not done.
func TestNoFaultWithoutTruth(t *testing.T) {
	d := dial.New(broken{}, 1, 0)
	if _, err := d.On(spec.Fault{Kind: spec.Delay, Service: "cart"}, 0, nil, time.Unix(0, 0)); err == nil {
		t.Error("a fault began that nobody will know of")
	}
	if got := d.Held(); len(got) != 0 {
		t.Errorf("held: %+v", got)
	}
	if _, err := d.On(spec.Fault{Kind: "earthquake"}, 0, nil, time.Unix(0, 0)); err == nil || !strings.Contains(err.Error(), "earthquake") {
		t.Errorf("an unknown kind: %v", err)
	}
}
