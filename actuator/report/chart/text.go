package chart

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirmesh/weir/actuator/report/say"
)

// The size of a drawing in characters: that of the grid without labels.
const (
	columns = 60
	rows    = 9
)

// Text draws the chart in characters, with axes, times in UTC and a legend below. It is "" for a chart without a point.
func Text(c Chart) string {
	if len(c.Points) == 0 {
		return ""
	}
	points, width, merge := fit(c.Points)
	c.StepSeconds, c.Folded = c.StepSeconds*float64(merge), c.Folded || merge > 1
	factor, unit := say.Display(c.Unit)
	end, step := axis(top(points) * factor)
	grid, labels := plot(points, width, end/factor), [rows]string{}
	for v := 0.0; v <= end*1.001; v += step {
		labels[level(v, end)] = say.Number(v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n", say.Line(c.Title), unit)
	for i, row := range grid {
		fmt.Fprintf(&b, "%9s |%s\n", labels[i], strings.TrimRight(string(row), " "))
	}
	wide := len(points) * width
	fmt.Fprintf(&b, "%9s +%s\n", "", strings.Repeat("-", wide))
	if marks := markRow(c, points, width); marks != "" {
		fmt.Fprintf(&b, "%9s  %s\n", "", marks)
	}
	fmt.Fprintf(&b, "%9s  %s\n", "", times(points, wide))
	b.WriteString(strings.Join(Legend(c), "\n"))
	return b.String() + "\n"
}

// Legend says in a few lines what is to be seen, each with the character it is drawn with in front.
func Legend(c Chart) []string {
	observed := "• observed"
	if c.Folded {
		observed += ", highest of each " + say.Seconds(c.StepSeconds)
	}
	lines := []string{observed}
	if c.Band != "" {
		lines = append(lines, "─ "+c.Band+"   ░ "+Interval(c))
	}
	for _, m := range c.Marks {
		lines = append(lines, "^ "+say.Clock(m.At, c.Points[0].At)+" "+say.Line(m.Label))
	}
	return lines
}

// Interval names the interval of the chart's band.
func Interval(c Chart) string {
	if c.HighQuantile <= c.LowQuantile {
		return "its interval"
	}
	percent := func(q float64) string { return say.Number(100*q) + " %" }
	return fmt.Sprintf("%s interval (quantiles %s to %s)", percent(c.HighQuantile-c.LowQuantile), percent(c.LowQuantile),
		percent(c.HighQuantile))
}

// fit merges points until they fit into the columns: merge of them at a time. width is the number of columns that each takes.
func fit(points []Point) (fitted []Point, width, merge int) {
	merge = (len(points) + columns - 1) / columns
	for i, p := range points {
		if i%merge == 0 {
			fitted = append(fitted, p)
			continue
		}
		fitted[len(fitted)-1] = merged(fitted[len(fitted)-1], p)
	}
	return fitted, max(1, min(4, columns/len(fitted))), merge
}

// merged is what a and the later b show together.
func merged(a, b Point) Point {
	pick := func(x, y *float64, higher bool) *float64 {
		if x == nil || y != nil && (*y > *x) == higher {
			return y
		}
		return x
	}
	return Point{
		At: b.At, Actual: pick(a.Actual, b.Actual, true), Forecast: pick(a.Forecast, b.Forecast, true),
		Low: pick(a.Low, b.Low, false), High: pick(a.High, b.High, true),
	}
}

// top is the largest value of all points; the axis starts at 0.
func top(points []Point) float64 {
	most := 0.0
	for _, p := range points {
		for _, v := range []*float64{p.Actual, p.Forecast, p.High} {
			if v != nil {
				most = max(most, *v)
			}
		}
	}
	return most
}

// level is the row of a value, the highest first.
func level(v, end float64) int { return rows - 1 - min(rows-1, max(0, int(v/end*(rows-1)+0.5))) }

func plot(points []Point, width int, end float64) [][]rune {
	grid := make([][]rune, rows)
	for i := range grid {
		grid[i] = []rune(strings.Repeat(" ", len(points)*width))
	}
	for i, p := range points {
		for x := i * width; x < (i+1)*width; x++ {
			if p.Low != nil && p.High != nil {
				for y := level(*p.High, end); y <= level(*p.Low, end); y++ {
					grid[y][x] = '░'
				}
			}
			if p.Forecast != nil {
				grid[level(*p.Forecast, end)][x] = '─'
			}
			if p.Actual != nil {
				grid[level(*p.Actual, end)][x] = '•'
			}
		}
	}
	return grid
}

// markRow points at the columns of the marks.
func markRow(c Chart, points []Point, width int) string {
	row := []rune(strings.Repeat(" ", len(points)*width))
	for _, m := range c.Marks {
		for i, p := range points {
			if !p.At.Before(m.At) {
				row[i*width] = '^'
				break
			}
		}
	}
	return strings.TrimRight(string(row), " ")
}

// times labels the ends of the time axis.
func times(points []Point, wide int) string {
	from, to := stamps(points)
	if room := wide - len(from) - len(to); room > 0 {
		return from + strings.Repeat(" ", room) + to
	}
	return from + " to " + to
}

// stamps are the first and last time of the axis, with dates if it spans days.
func stamps(points []Point) (from, to string) {
	first, last := points[0].At.UTC(), points[len(points)-1].At.UTC()
	layout := "15:04"
	if first.YearDay() != last.YearDay() || last.Sub(first) > 24*time.Hour {
		layout = "Jan 2 15:04"
	} else if last.Sub(first) < 10*time.Minute {
		layout = time.TimeOnly
	}
	return first.Format(layout), last.Format(layout)
}
