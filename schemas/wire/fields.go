package wire

import (
	"encoding/json"
	"math"
	"time"
	"unicode/utf8"

	"github.com/weirmesh/weir/schemas"
)

// MaxItems is the most facts or inputs that a finding or decision may have.
const MaxItems = 1000

const maxSentence = 4 << 10 // bytes of a reason or explanation

// text is any text of at most limit bytes.
func (c *codec) text(name string, v *string, limit int) {
	c.move(name, v, false)
	c.check(name, len(*v) <= limit, "%d bytes, more than %d", len(*v), limit)
	c.check(name, utf8.ValidString(*v), "it is no UTF-8") // the encoder would replace it
}

// name is a text that names something, and may be empty.
func (c *codec) name(name string, v *string) { c.text(name, v, schemas.MaxName) }

// id is a name that is not empty.
func (c *codec) id(name string, v *string) {
	c.name(name, v)
	c.check(name, *v != "", "it is empty")
}

// word is one of the allowed texts.
func word[T ~string](c *codec, name string, v *T, allowed ...T) {
	c.move(name, v, false)
	for _, a := range allowed {
		if *v == a {
			return
		}
	}
	c.check(name, false, "%.100q is none of %q", *v, allowed)
}

// number is finite: JSON has no other, and reading one out of range fails.
func (c *codec) number(name string, v *float64) { c.move(name, v, false) }

// estimate is a number, or NaN, written as null, where it is not known.
func (c *codec) estimate(name string, v *float64) {
	known := v
	if !c.reading() && math.IsNaN(*v) {
		known = nil
	}
	c.move(name, &known, true)
	if known == nil {
		*v = math.NaN()
	}
}

// whole is a number from at least, up to what the store's UInt32 and every reader can hold.
func (c *codec) whole(name string, v *int, least int) {
	c.move(name, v, false)
	c.check(name, *v >= least && *v <= math.MaxInt32, "%d is not in %d..%d", *v, least, math.MaxInt32)
}

func (c *codec) flag(name string, v *bool) { c.move(name, v, false) }

// time is a time that both the store and RFC 3339 can hold: whole milliseconds, UTC.
func (c *codec) time(name string, v *time.Time) {
	var s string
	if !c.reading() {
		s = c.stamp(name, *v)
	}
	c.move(name, &s, false)
	if c.reading() {
		*v = c.instant(name, s)
	}
}

// maybeTime is a time, or zero, written as null.
func (c *codec) maybeTime(name string, v *time.Time) {
	if !c.reading() && v.IsZero() || c.reading() && string(c.in[name]) == "null" {
		var none *string
		c.move(name, &none, true)
		*v = time.Time{}
		return
	}
	c.time(name, v)
}

func (c *codec) stamp(name string, t time.Time) string {
	c.check(name, inRange(t) && t.Equal(t.Truncate(time.Millisecond)), "%s is not in whole milliseconds of the years 1970 to 2261", t)
	return t.UTC().Format(time.RFC3339Nano)
}

func (c *codec) instant(name, s string) time.Time {
	// A layout with the exact number of digits, compared with what it gives back: Parse alone takes 6:30 for 06:30.
	for _, fraction := range [...]string{"", ".0", ".00", ".000"} {
		layout := "2006-01-02T15:04:05" + fraction + "Z"
		if t, err := time.Parse(layout, s); err == nil && t.Format(layout) == s && inRange(t) {
			return t
		}
	}
	c.check(name, false, "%.100q is no RFC 3339 time in UTC with at most milliseconds, years 1970 to 2261", s)
	return time.Time{}
}

// inRange keeps to times that Unix nanoseconds can hold.
func inRange(t time.Time) bool { return t.UTC().Year() >= 1970 && t.UTC().Year() <= 2261 }

// texts is a list of texts that are not empty.
func (c *codec) texts(name string, v *[]string) {
	list := append([]string{}, *v...) // never null
	c.move(name, &list, false)
	c.check(name, len(list) <= MaxItems, "%d items, more than %d", len(list), MaxItems)
	for i, s := range list {
		good := s != "" && len(s) <= maxSentence && utf8.ValidString(s)
		c.check(name, good, "item %d is empty, longer than %d bytes or no UTF-8", i, maxSentence)
	}
	if c.reading() {
		*v = nil
		if len(list) > 0 {
			*v = list
		}
	}
}

// facts is a list of objects with name, value and unit.
func (c *codec) facts(name string, v *[]schemas.Fact) {
	items := []json.RawMessage{}
	if !c.reading() {
		c.check(name, len(*v) <= MaxItems, "%d items, more than %d", len(*v), MaxItems)
		for i, f := range *v {
			item, err := encodeObject(func(in *codec) { factFields(in, &f) })
			c.check(name, err == nil, "item %d: %v", i, err)
			items = append(items, item)
		}
	}
	c.move(name, &items, false)
	if !c.reading() || c.err != nil {
		return
	}
	c.check(name, len(items) <= MaxItems, "%d items, more than %d", len(items), MaxItems)
	*v = nil
	for i := range items[:min(len(items), MaxItems)] {
		var f schemas.Fact
		err := decodeObject(items[i], func(in *codec) { factFields(in, &f) })
		c.check(name, err == nil, "item %d: %v", i, err)
		*v = append(*v, f)
	}
}

func factFields(c *codec, f *schemas.Fact) {
	c.id("name", &f.Name)
	c.number("value", &f.Value)
	c.name("unit", &f.Unit)
}

// workload moves the six parts of a workload's name, which must not be empty.
func (c *codec) workload(w *schemas.Workload) {
	c.name("tenant", &w.Tenant)
	c.name("cluster", &w.Cluster)
	c.name("region", &w.Region)
	c.name("namespace", &w.Namespace)
	c.id("workload", &w.Name)
	c.name("version", &w.Version)
}
