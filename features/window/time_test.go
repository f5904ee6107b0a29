package window_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weirmesh/weir/features/window"
)

var now = time.Unix(1_800_000_000, 0)

func TestClock(t *testing.T) {
	type heard struct {
		name  string
		event int64
		after time.Duration // since now
	}
	for _, c := range []struct {
		name string
		say  []heard
		at   time.Duration
		want int64
	}{
		{"nobody was heard", nil, 0, 0},
		{"one host is believed", []heard{{"a", base, 0}}, 0, base},
		{"time does not go back", []heard{{"a", base, 0}, {"a", base - minute, 0}}, 0, base},
		{"a host ahead of all others is not believed", []heard{{"a", base, 0}, {"b", base + 2*minute, 0}}, 0, base},
		{"a host a little ahead is believed", []heard{{"a", base, 0}, {"b", base + minute, 0}}, 0, base + minute},
		{"two hosts ahead of the rest vouch for each other", []heard{{"a", base, 0}, {"b", base + day, 0}, {"c", base + day + second, 0}}, 0, base + day + second},
		{"three far apart: the last of them", []heard{{"a", base, 0}, {"b", base + day, 0}, {"c", base + 2*day, 0}}, 0, base},
		{"a host that fell silent vouches for nobody", []heard{{"a", base, 0}, {"b", base + day, 11 * time.Second}}, 11 * time.Second, base + day},
		{"a host heard ten seconds ago still counts", []heard{{"a", base, 0}, {"b", base + day, 10 * time.Second}}, 10 * time.Second, base},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := window.NewClock(0)
			for _, h := range c.say {
				k.Observe(h.name, h.event, now.Add(h.after))
			}
			if got := k.Event(now.Add(c.at)); got != c.want {
				t.Errorf("event time %d, want %d", got-base, c.want-base)
			}
		})
	}
}

func TestClockKeepsWhatItReachedWhenEverybodyFellSilent(t *testing.T) {
	k := window.NewClock(0)
	k.Observe("a", base, now)
	if k.Event(now) != base || k.Event(now.Add(time.Hour)) != base {
		t.Error("silence moved the clock")
	}
	k.Observe("a", base-minute, now.Add(time.Hour))
	if got := k.Event(now.Add(time.Hour)); got != base {
		t.Errorf("event time fell to %d", got-base)
	}
}

// TestClockIsNotLedAway: whoever sends from ahead of now, or from long ago with as many names as there is room for, does not move the clock
// away from those who send honestly.
func TestClockIsNotLedAway(t *testing.T) {
	k := window.NewClock(time.Hour)
	at := now.UnixNano()
	k.Observe("good", at-second, now)
	k.Observe("bad-1", at+50*minute, now)
	k.Observe("bad-2", at+50*minute, now)
	if got := k.Event(now); got != at {
		t.Errorf("two from the future lead %d ns ahead", got-at)
	}
	k = window.NewClock(time.Hour)
	for i := range 10_000 {
		k.Observe(fmt.Sprint("old-", i), at-day, now)
	}
	for i := range 10 {
		k.Observe(fmt.Sprint("good-", i), at-second, now)
	}
	for i := range 10_000 {
		k.Observe(fmt.Sprint("older-", i), at-day, now)
	}
	if got := k.Event(now); got != at-second {
		t.Errorf("many of the past hold the clock %d ns back", at-got)
	}
	k.Advance(at+1000*day, now)
	if got := k.Event(now); got != at+60*minute {
		t.Errorf("a control message leads %d ns ahead, want an hour", got-at)
	}
}

func TestClockAdvanceAndIdle(t *testing.T) {
	k := window.NewClock(0)
	k.Advance(base, now)
	k.Advance(base-1, now)
	if got := k.Event(now); got != base {
		t.Errorf("event time %d, want %d", got, base)
	}
	if k.Idle(now.Add(9*time.Second), 10*time.Second) || !k.Idle(now.Add(10*time.Second), 10*time.Second) {
		t.Error("idle at the wrong time")
	}
}

func TestClockRemembersABoundedNumberOfHosts(t *testing.T) {
	k := window.NewClock(0)
	for i := range 5000 {
		k.Observe(fmt.Sprint(i), base, now)
	}
	k.Observe("ahead", base+day, now) // others are forgotten for it, but enough stay that do not vouch for it
	k.Observe("later", base+second, now)
	if got := k.Event(now); got != base+second {
		t.Errorf("event time %d, want %d", got-base, second)
	}
}

// steps observes one event after each step and returns the silences that ended, as from and to.
func steps(s *window.Silence, at int64, durations ...int64) (ended [][2]int64) {
	for _, d := range durations {
		at += d
		if from, to, ok := s.Observe([]int64{at}); ok {
			ended = append(ended, [2]int64{from, to})
		}
	}
	return ended
}

func TestABusySourceThatJumpedWasSilent(t *testing.T) {
	for _, c := range []struct {
		name        string
		step, jump  int64
		silent, end bool
	}{
		{"a jump of an hour", second, 60 * minute, true, false},
		{"a jump of a minute and a bit", second, minute + second, true, false},
		{"a jump of less than a minute", second, 59 * second, false, false},
		{"a jump that is usual for the source", 10 * second, 3 * minute, false, false},
		{"the stream was ended before", second, 60 * minute, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &window.Silence{}
			usual := slices.Repeat([]int64{c.step}, 100)
			if ended := steps(s, base, usual...); ended != nil {
				t.Fatalf("silences %v before the jump", ended)
			}
			last := base + 100*c.step
			if c.end {
				s.End()
			}
			got := steps(s, last, append([]int64{c.jump}, usual...)...)
			want := [][2]int64{{last, last + c.jump}}
			if !c.silent {
				want = nil
			}
			if !slices.Equal(got, want) {
				t.Errorf("silences %v, want %v", got, want)
			}
		})
	}
}

func TestASecondSilenceIsFoundToo(t *testing.T) {
	s := &window.Silence{}
	usual := slices.Repeat([]int64{second}, 100)
	got := steps(s, base, slices.Concat(usual, []int64{60 * minute}, usual[:20], []int64{10 * minute}, usual)...)
	if len(got) != 2 {
		t.Errorf("%d silences, want 2: %v", len(got), got)
	}
}

func TestASourceWithLittleTrafficIsNeverSilent(t *testing.T) {
	for _, mean := range []int64{2 * minute, 60 * minute} {
		s := &window.Silence{}
		if ended := steps(s, base, slices.Repeat([]int64{mean}, 500)...); ended != nil {
			t.Errorf("every %v: %d silences", time.Duration(mean), len(ended))
		}
		for seed := range uint64(20) {
			rng, s := rand.New(rand.NewPCG(seed, 1)), &window.Silence{}
			var random []int64
			for range 1000 {
				random = append(random, int64(rng.ExpFloat64()*float64(mean)))
			}
			if ended := steps(s, base, random...); ended != nil {
				t.Errorf("about every %v, seed %d: silences %v", time.Duration(mean), seed, ended)
			}
		}
	}
}

func TestASourceThatBecameSlowIsSoonUsual(t *testing.T) {
	s := &window.Silence{}
	steps(s, base, slices.Repeat([]int64{second}, 100)...)
	ended := steps(s, base+100*second, slices.Repeat([]int64{2 * minute}, 500)...)
	if len(ended) == 0 || len(ended) > 20 {
		t.Errorf("%d silences, want a few", len(ended))
	}
}

func TestShuffledTimesAndWrongClocksAreNoSilence(t *testing.T) {
	s, rng := &window.Silence{}, rand.New(rand.NewPCG(1, 1))
	for i := range int64(500) {
		events := make([]int64, 100)
		for j := range events {
			events[j] = base + i*second + rng.Int64N(minute) - rng.Int64N(minute) // steps back all the time
		}
		events[0], events[1] = base+365*day, base-365*day // hosts with wrong clocks
		slices.Sort(events)
		if from, to, ended := s.Observe(events); ended {
			t.Fatalf("message %d ended a silence of %v", i, time.Duration(to-from))
		}
	}
	if _, _, ended := s.Observe([]int64{base + day}); !ended {
		t.Error("a real silence after all that is not found")
	}
}
