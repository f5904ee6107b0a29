package scenario

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxMinutes is the longest series that is read: ten years.
const maxMinutes = 3660 * 24 * 60

// Series is arrivals in each minute from Start on; NaN where nothing was recorded.
type Series struct {
	Start   time.Time
	Minutes []float64
}

// Open reads the series that the scenario names, if any. File names that end in .gz are decompressed. Start and length that the scenario
// does not say are the series' own; with another start, the series begins there.
func (s *Scenario) Open(open func(name string) (io.ReadCloser, error)) error {
	if s.Rates.File == "" {
		return nil
	}
	series, err := openRates(s.Rates.File, open)
	if err != nil {
		return fmt.Errorf("open series %s: %w", s.Rates.File, err)
	}
	if s.Mesh.Start.IsZero() {
		s.Mesh.Start = series.Start
	}
	if s.Mesh.Length == 0 {
		s.Mesh.Length = time.Duration(len(series.Minutes)) * time.Minute
		s.Mesh.Events = fitting(s.Mesh.Events, s.Mesh.Length)
	}
	for i := range series.Minutes {
		series.Minutes[i] *= s.Rates.Scale
	}
	s.Mesh.Load.Series = series.Minutes
	_, err = s.Config()
	return err
}

func openRates(name string, open func(string) (io.ReadCloser, error)) (Series, error) {
	f, err := open(name)
	if err != nil {
		return Series{}, err
	}
	defer f.Close()
	if !strings.HasSuffix(name, ".gz") {
		return ReadRates(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return Series{}, err
	}
	return ReadRates(z)
}

// ReadRates reads a CSV file with the columns minute,count (2006-01-02 15:04:05, UTC) or ts,value (Unix seconds). Times must rise. Counts
// of the same minute are added up; of values the mean is taken.
func ReadRates(r io.Reader) (Series, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.ReuseRecord = 2, true
	head, err := in.Read()
	if err != nil {
		return Series{}, fmt.Errorf("read the names of the columns: %w", err)
	}
	b := builder{}
	names := strings.Join(head, ",")
	switch names {
	case "minute,count":
	case "ts,value":
		b.mean = true
	default:
		return Series{}, fmt.Errorf("columns are %q: they have to be minute,count or ts,value", names)
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return b.series()
		}
		if err != nil {
			return Series{}, err
		}
		if err := b.add(row[0], row[1]); err != nil {
			line, _ := in.FieldPos(0)
			return Series{}, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// builder fills the minutes of a series.
type builder struct {
	mean    bool
	first   int64 // minute
	minutes []float64
	rows    int // of the last minute
}

func (b *builder) add(when, what string) error {
	minute, err := b.minute(when)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(what, 64)
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return fmt.Errorf("%q is no number of arrivals", what)
	}
	if len(b.minutes) == 0 {
		b.first = minute
	}
	n := minute - b.first
	switch {
	case n < int64(len(b.minutes))-1:
		return fmt.Errorf("%s is before the row above", when)
	case n >= maxMinutes:
		return fmt.Errorf("%s is more than ten years after the first", when)
	case n == int64(len(b.minutes))-1:
		b.rows++
	default:
		b.close()
		for int64(len(b.minutes)) < n {
			b.minutes = append(b.minutes, math.NaN())
		}
		b.minutes, b.rows = append(b.minutes, 0), 1
	}
	b.minutes[n] += v
	return nil
}

func (b *builder) minute(when string) (int64, error) {
	if b.mean {
		s, err := strconv.ParseInt(when, 10, 64)
		if err != nil || s < 0 || s > 1<<33 {
			return 0, fmt.Errorf("%q is no time in Unix seconds", when)
		}
		return s / 60, nil
	}
	t, err := time.Parse(time.DateTime, when)
	if err != nil || t.Unix() < 0 {
		return 0, fmt.Errorf("%q is no time such as 2006-01-02 15:04:05", when)
	}
	return t.Unix() / 60, nil
}

// close ends a minute.
func (b *builder) close() {
	if b.mean && b.rows > 1 {
		b.minutes[len(b.minutes)-1] /= float64(b.rows)
	}
}

func (b *builder) series() (Series, error) {
	if len(b.minutes) == 0 {
		return Series{}, fmt.Errorf("it has no rows")
	}
	b.close()
	return Series{Start: time.Unix(b.first*60, 0).UTC(), Minutes: b.minutes}, nil
}
