package say

import (
	"math"
	"strconv"
	"strings"
)

// Unknown is what stands where there is no number.
const Unknown = "unknown"

// minus is the sign of negative numbers, as wide as a plus.
const minus = "-"

// Number writes v with three significant digits, whole from 100 on: 0.0123, 1.5, 12.3, 1,230. What is not finite is Unknown.
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Unknown
	}
	if v < 0 {
		return signed(Number(-v))
	}
	v = significant(v, 3)
	switch {
	case v == 0:
		return "0"
	case v >= 1e9 || v < 1e-4:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case v >= 1000:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// Exact writes whole numbers in full, and others like Number. It is for what is counted: replicas, percent of traffic, calls.
func Exact(v float64) string {
	if v != math.Trunc(v) || math.Abs(v) >= 1e15 || math.IsNaN(v) {
		return Number(v)
	}
	if v < 0 {
		return signed(Exact(-v))
	}
	return thousands(strconv.FormatFloat(v, 'f', 0, 64))
}

// Count is a whole number with the noun it counts: "1 proposal", "2 proposals".
func Count(n int, noun string) string {
	text := Exact(float64(n)) + " " + noun
	if n != 1 {
		text += "s"
	}
	return text
}

// Quantity is a number with its unit: "12.3 calls/s", "4.5 %", "1 h 30 min". Shares (unit "share", "ratio" or "1") are written in percent,
// seconds from a minute on in minutes, hours and days.
func Quantity(v float64, unit string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Unknown
	}
	factor, unit := Display(unit)
	switch v *= factor; {
	case unit == "":
		return Exact(v)
	case unit == "s" && math.Abs(v) >= 60:
		return Seconds(v)
	case v == 1:
		return "1 " + singular(unit)
	case counted(unit):
		return Exact(v) + " " + unit
	}
	return Number(v) + " " + unit
}

// Between is an interval with its unit said once: "96.4 to 142 calls/s".
func Between(low, high float64, unit string) string {
	from, to := Quantity(low, unit), Quantity(high, unit)
	if _, name := Display(unit); name != "" && name != "s" {
		if end := " " + name; strings.HasSuffix(from, end) && strings.HasSuffix(to, end) {
			from = strings.TrimSuffix(from, end)
		}
	}
	return from + " to " + to
}

// Times is how often something happened: "once", "3 times".
func Times(n int) string {
	if n == 1 {
		return "once"
	}
	return Count(n, "time")
}

// Display is how values in unit are shown: multiplied by factor, with the name that is returned.
func Display(unit string) (factor float64, name string) {
	switch unit {
	case "share", "ratio", "1":
		return 100, "%"
	case "percent":
		return 1, "%"
	case "seconds", "second":
		return 1, "s"
	case "milliseconds":
		return 1, "ms"
	case "cpu":
		return 100, "% CPU"
	case "cpu per calls/s":
		return 100, "% CPU per call/s"
	case "in_flight", "in_flight per calls/s":
		return 1, strings.NewReplacer("in_flight", "calls under way", "calls/s", "call/s").Replace(unit)
	}
	return 1, Line(unit)
}

func counted(unit string) bool {
	switch unit {
	case "replicas", "calls", "windows", "instances", "%":
		return true
	}
	return false
}

func singular(unit string) string {
	switch unit {
	case "replicas", "calls", "windows", "instances", "minutes", "hours", "days":
		return strings.TrimSuffix(unit, "s")
	}
	return unit
}

func signed(positive string) string {
	if positive == "0" {
		return positive
	}
	return minus + positive
}

// significant rounds to n significant digits, but never a whole digit of a number below 1,000 away.
func significant(v float64, n int) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, float64(n-1)-math.Floor(math.Log10(v)))
	if rounded := math.Round(v*scale) / scale; !math.IsNaN(rounded) && !math.IsInf(rounded, 0) {
		return rounded
	}
	return v
}

// thousands puts commas into a row of digits.
func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
