package chart

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/weirmesh/weir/actuator/report/say"
)

// The drawing's size and the room that the axes take, in the units of its view box.
const (
	wide, high               = 720.0, 220.0
	left, right, above, down = 64.0, 16.0, 26.0, 26.0
)

// Drawing is what an SVG of a chart consists of; a template writes the elements. Texts are not escaped.
type Drawing struct {
	Width, Height            float64
	Left, Right, Top, Bottom float64  // of the plot
	Label                    string   // for those who do not see it
	Unit                     string   // of the vertical axis
	Bands                    []string // points of polygons: the interval
	Forecast, Actual         string   // data of paths
	Rows, Columns, Marks     []Tick   // grid lines with labels, and marks
}

// Tick is a position on an axis with its label.
type Tick struct {
	At     string
	Label  string
	Anchor string // start, middle or end: where the text lies
}

// Draw computes the drawing. ok is false for a chart without a point.
func Draw(c Chart) (d Drawing, ok bool) {
	if len(c.Points) == 0 {
		return Drawing{}, false
	}
	factor, unit := say.Display(c.Unit)
	end, step := axis(top(c.Points) * factor)
	s := scale{from: c.Points[0].At, to: c.Points[len(c.Points)-1].At, end: end / factor}
	d = Drawing{
		Width: wide, Height: high, Left: left, Right: wide - right, Top: above, Bottom: high - down, Unit: unit, Label: Describe(c),
		Bands:    s.bands(c.Points),
		Forecast: s.path(c.Points, func(p Point) *float64 { return p.Forecast }),
		Actual:   s.path(c.Points, func(p Point) *float64 { return p.Actual }),
		Columns:  s.columns(c.Points),
	}
	for i := 0; float64(i)*step <= end*1.001; i++ {
		v := float64(i) * step
		d.Rows = append(d.Rows, Tick{At: s.y(v / factor), Label: say.Number(v)})
	}
	for _, m := range c.Marks {
		if !m.At.Before(s.from) && !m.At.After(s.to) {
			d.Marks = append(d.Marks, s.tick(m.At, say.Clock(m.At, s.to)+" "+m.Label))
		}
	}
	return d, true
}

// Describe tells the chart in a sentence.
func Describe(c Chart) string {
	var low, most, last *float64
	var lastAt time.Time
	var ahead *Point
	for i, p := range c.Points {
		if p.Actual != nil {
			if low == nil || *p.Actual < *low {
				low = p.Actual
			}
			if most == nil || *p.Actual > *most {
				most = p.Actual
			}
			last, lastAt = p.Actual, p.At
		}
		if p.Forecast != nil && p.Low != nil && p.High != nil {
			ahead = &c.Points[i]
		}
	}
	text := say.Line(c.Title) + ", " + say.Range(c.Points[0].At, c.Points[len(c.Points)-1].At) + " UTC: "
	if low == nil {
		text += "nothing observed"
	} else {
		text += fmt.Sprintf("observed %s, last %s at %s",
			say.Between(*low, *most, c.Unit), say.Quantity(*last, c.Unit), say.Clock(lastAt, lastAt))
	}
	if ahead != nil && c.Band != "" {
		text += fmt.Sprintf("; %s for %s: %s (%s)", c.Band, say.Clock(ahead.At, c.Points[0].At),
			say.Quantity(*ahead.Forecast, c.Unit), say.Between(*ahead.Low, *ahead.High, c.Unit))
	}
	return text
}

// scale maps times and values to the drawing.
type scale struct {
	from, to time.Time
	end      float64
}

func (s scale) x(t time.Time) float64 {
	all := s.to.Sub(s.from)
	if all <= 0 {
		return (left + wide - right) / 2
	}
	return left + (wide-right-left)*float64(t.Sub(s.from))/float64(all)
}

// y is cut to the plot: an interval may reach below 0.
func (s scale) y(v float64) string {
	share := min(1, max(0, v/s.end))
	return coordinate(high - down - share*(high-down-above))
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// path is a line through the values; it breaks where one is missing.
func (s scale) path(points []Point, value func(Point) *float64) string {
	var b strings.Builder
	drawing := false
	for i, p := range points {
		v := value(p)
		if v == nil {
			drawing = false
			continue
		}
		command := "L"
		if !drawing {
			command = "M"
		}
		b.WriteString(command + coordinate(s.x(p.At)) + " " + s.y(*v))
		if !drawing && (i+1 == len(points) || value(points[i+1]) == nil) {
			b.WriteString("h0.1") // a lone value is a dot
		}
		drawing = true
	}
	return b.String()
}

// bands are the areas between Low and High, one for each stretch without a gap.
func (s scale) bands(points []Point) []string {
	var out []string
	var up, back []string
	flush := func() {
		if len(up) > 1 {
			for i := len(back) - 1; i >= 0; i-- {
				up = append(up, back[i])
			}
			out = append(out, strings.Join(up, " "))
		}
		up, back = nil, nil
	}
	for _, p := range points {
		if p.Low == nil || p.High == nil {
			flush()
			continue
		}
		x := coordinate(s.x(p.At))
		up, back = append(up, x+","+s.y(*p.High)), append(back, x+","+s.y(*p.Low))
	}
	flush()
	return out
}

func (s scale) columns(points []Point) []Tick {
	from, to := stamps(points)
	if s.from.Equal(s.to) {
		return []Tick{{coordinate(s.x(s.from)), from, "middle"}}
	}
	return []Tick{{coordinate(s.x(s.from)), from, "start"}, {coordinate(s.x(s.to)), to, "end"}}
}

// tick puts the label on the side where there is room.
func (s scale) tick(t time.Time, label string) Tick {
	x := s.x(t)
	anchor := "start"
	if x > wide/2 {
		anchor = "end"
	}
	return Tick{coordinate(x), label, anchor}
}
