// Package dial keeps the faults that hold now and writes down the truth about them: what was done, where, from when to when.
package dial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/weirmesh/weir/lab/spec"
)

// Held is a fault that holds.
type Held struct {
	spec.Truth
	Until time.Time `json:"until,omitzero"` // when it ends by itself; zero = when somebody ends it
}

// Dial is where faults are turned on and off. It is safe for concurrent use.
type Dial struct {
	mu    sync.Mutex
	truth io.Writer
	seed  uint64
	next  int
	held  []Held
}

// New returns a dial without faults. Each fault is written to truth as a line of JSON when it begins, and again when it has ended. ids
// already given by an earlier dial of the same lab are passed in used.
func New(truth io.Writer, seed uint64, used int) *Dial {
	return &Dial{truth: truth, seed: seed, next: used}
}

// On begins a fault at now; length 0 lasts until Off. instances are the pods it hits.
func (d *Dial) On(f spec.Fault, length time.Duration, instances []string, now time.Time) (Held, error) {
	info, ok := f.Kind.Info()
	if !ok {
		return Held{}, fmt.Errorf("there is no fault %q", f.Kind)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	h := Held{Truth: spec.Truth{
		ID: fmt.Sprintf("%s-%d", f.Kind, d.next), Class: info.Class, Fault: f, Instances: instances, Seed: d.seed, From: now.UTC(),
	}}
	if length > 0 {
		h.Until = h.From.Add(length)
	}
	if err := d.write(h.Truth); err != nil {
		return Held{}, err
	}
	d.held = append(d.held, h)
	return h, nil
}

// ErrNotHeld is returned for a fault that does not hold.
var ErrNotHeld = errors.New("no such fault holds")

// Off ends a fault at now.
func (d *Dial) Off(id string, now time.Time) (spec.Truth, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.held, func(h Held) bool { return h.ID == id })
	if i < 0 {
		return spec.Truth{}, fmt.Errorf("%w: %s", ErrNotHeld, id)
	}
	return d.end(i, now)
}

// Expire ends the faults whose time is over and returns them, and when the next one ends (zero = none does).
func (d *Dial) Expire(now time.Time) (ended []spec.Truth, next time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 0; i < len(d.held); {
		until := d.held[i].Until
		switch {
		case until.IsZero():
			i++
		case until.After(now):
			if next.IsZero() || until.Before(next) {
				next = until
			}
			i++
		default:
			t, err := d.end(i, until)
			if err != nil {
				return ended, next, err
			}
			ended = append(ended, t)
		}
	}
	return ended, next, nil
}

// Held returns the faults that hold, in the order they began.
func (d *Dial) Held() []Held {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.held)
}

// At returns the faults that hold and are carried out at a place.
func (d *Dial) At(where spec.Where) []spec.Fault {
	out := []spec.Fault{}
	for _, h := range d.Held() {
		if info, ok := h.Fault.Kind.Info(); ok && info.Where == where {
			out = append(out, h.Fault)
		}
	}
	return out
}

func (d *Dial) end(i int, now time.Time) (spec.Truth, error) {
	t := d.held[i].Truth
	t.To = now.UTC()
	if err := d.write(t); err != nil {
		return spec.Truth{}, err
	}
	d.held = slices.Delete(d.held, i, i+1)
	return t, nil
}

func (d *Dial) write(t spec.Truth) error {
	line, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode the truth about %s: %w", t.ID, err)
	}
	if _, err := d.truth.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the truth about %s: %w", t.ID, err)
	}
	return nil
}
