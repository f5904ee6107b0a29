package smoothing

// profile is the shape of one cycle: a value for each step of it, exponentially smoothed from cycle to cycle.
type profile struct {
	gain   float64 // weight of the newest cycle, once there are enough of them
	values []float64
	cycles []uint8 // cycles seen at that step, up to 255
}

func newProfile(period int, gain float64) *profile {
	return &profile{gain: gain, values: make([]float64, period), cycles: make([]uint8, period)}
}

// learn moves the value of step t towards x. The first cycles are averaged, so that the first one does not linger.
func (p *profile) learn(t int, x float64) {
	i := t % len(p.values)
	if p.cycles[i] < 255 {
		p.cycles[i]++
	}
	p.values[i] += max(p.gain, 1/float64(p.cycles[i])) * (x - p.values[i])
}

// at reads the value of step t, smoothed over the width steps on either side with triangular weights. It returns false where no cycle has
// been seen.
func (p *profile) at(t, width int) (float64, bool) {
	n := len(p.values)
	if width == 0 {
		return p.values[t%n], p.cycles[t%n] > 0
	}
	var sum, weights float64
	i := (t - width%n + n) % n
	for j := -width; j <= width; j++ {
		if p.cycles[i] > 0 {
			w := float64(width + 1 - max(j, -j))
			sum += w * p.values[i]
			weights += w
		}
		if i++; i == n {
			i = 0
		}
	}
	if weights == 0 {
		return 0, false
	}
	return sum / weights, true
}

// shape names a way of reading the season.
type shape int

const (
	flat      shape = iota // no season
	daySharp               // day, as it is: regular jobs at a fixed minute
	day                    // day, smoothed over neighbouring steps
	dayBroad               // day, smoothed over more of them: noisy counts
	weekSharp              // day + week effect
	weekBroad              // the same, smoothed
	shapes                 // how many there are
)

const (
	dayGain    = 0.2 // about the last five days
	weekGain   = 0.4 // about the last two or three weeks
	weekShrink = 0.7 // share of the week effect that is believed: it rests on few weeks
	dayWidth   = 5   // steps on either side
	broadWidth = 20
	weekWidth  = 15
)

// seasons are the two cycles of Taylor's model: the week holds what is left after the day.
type seasons struct{ day, week *profile }

// reading is the season at one step: a value for each shape, and whether there is one.
type reading struct {
	values [shapes]float64
	ok     bool // the day has been seen around that step; without it only flat is known
}

func (s seasons) at(t int) reading {
	var r reading
	if t < len(s.day.values) {
		return r // what was seen around is the last minutes, not a season
	}
	if r.values[day], r.ok = s.day.at(t, dayWidth); !r.ok {
		return r
	}
	sharp, seen := s.day.at(t, 0)
	if !seen {
		sharp = r.values[day] // a hole of the first days
	}
	r.values[daySharp] = sharp
	r.values[dayBroad], _ = s.day.at(t, broadWidth)
	effect, _ := s.week.at(t, 0)
	broad, _ := s.week.at(t, weekWidth)
	r.values[weekSharp] = max(0, sharp+weekShrink*effect)
	r.values[weekBroad] = max(0, r.values[dayBroad]+weekShrink*broad)
	return r
}

// learn takes the cleaned value of step t. The week starts once the day is known.
func (s seasons) learn(t int, x float64) {
	before, seen := s.day.at(t, 0)
	s.day.learn(t, x)
	if seen {
		s.week.learn(t, x-before)
	}
}
