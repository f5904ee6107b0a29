package say

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Clock writes t in UTC as 15:04:05, with the date where it is not the day of now. A zero time is Unknown.
func Clock(t, now time.Time) string {
	if t.IsZero() {
		return Unknown
	}
	t, now = t.UTC(), now.UTC()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// Moment writes t in UTC with its date.
func Moment(t time.Time) string {
	if t.IsZero() {
		return Unknown
	}
	return t.UTC().Format(time.DateTime)
}

// Range writes from and to in UTC, the date once if both are on one day.
func Range(from, to time.Time) string {
	return Moment(from) + " to " + Clock(to, from)
}

// Seconds writes a length of time with its two largest units: "45 s", "1 h 30 min", "26 h", "2 d 4 h".
func Seconds(v float64) string {
	if math.IsNaN(v) || math.Abs(v) > 1e10 {
		return Unknown
	}
	if v < 0 {
		return signed(Seconds(-v))
	}
	if v < 60 {
		return Number(v) + " s"
	}
	units := []struct {
		seconds int64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}
	rest, parts := int64(math.Round(v)), []string(nil)
	for _, u := range units {
		if u.name == "d" && rest < 2*u.seconds {
			continue // 24 h is what people say
		}
		if n := rest / u.seconds; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			rest -= n * u.seconds
		} else if len(parts) > 0 {
			break // "1 d 5 s" tells less than "1 d"
		}
	}
	return strings.Join(parts, " ")
}
