package mesh

import (
	"math"
	"time"
)

// Curve is the daily shape at an hour of the day: the density of von Mises' distribution around the peak hour, with mean 1 over a day.
// Strength k gives a peak of e^k/I0(k) and a trough of e^-k/I0(k); 0.87 gives 2.0 and 0.35.
func Curve(k, peakHour, hour float64) float64 {
	return math.Exp(k*math.Cos((hour-peakHour)/24*2*math.Pi)) / bessel0(k)
}

// bessel0 is the modified Bessel function of the first kind and order 0, by its power series (Abramowitz and Stegun 9.6.12).
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; k < 60; k++ {
		term *= x * x / 4 / (k * k)
		sum += term
	}
	return sum
}

// rate is the load at a time after the start, in requests a second, bursts and series aside.
func (c *Config) rate(after time.Duration) float64 {
	at := c.Start.UTC().Add(after)
	day := at.Truncate(24 * time.Hour)
	weekday := (int(at.Weekday()) + 6) % 7 // Monday first
	r := c.Load.Rate * c.Load.Weekly[weekday] * Curve(c.Load.Daily, c.Load.PeakHour, at.Sub(day).Hours())
	return r * math.Pow(1+c.Load.Growth, after.Hours()/24) * c.eventFactor(after)
}

// eventFactor is what ramps and flash crowds make of the load.
func (c *Config) eventFactor(after time.Duration) float64 {
	factor := 1.0
	for _, e := range c.Events {
		from, to := c.span(e.From, e.To)
		if after < from || e.Kind == Scale || e.Kind == FlashCrowd && after >= to {
			continue
		}
		part := 1.0
		if e.Kind == Ramp && after < to {
			part = float64(after-from) / float64(to-from)
		}
		factor *= 1 + (e.Factor-1)*part
	}
	return factor
}
