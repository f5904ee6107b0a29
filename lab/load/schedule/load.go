package schedule

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weirmesh/weir/lab/spec"
	"github.com/weirmesh/weir/sim/scenario"
)

// Of returns the curve that a lab file describes. open opens the file of a recorded shape; names that end in .gz are decompressed.
func Of(l spec.Load, open func(name string) (io.ReadCloser, error)) (Curve, error) {
	if !(l.Rate > 0) {
		return Curve{}, fmt.Errorf("rate is %g requests a second: it has to be more", l.Rate)
	}
	c, err := shape(l, open)
	if err != nil {
		return Curve{}, fmt.Errorf("shape %s: %w", l.Shape, err)
	}
	return c.Crowded(l.Crowds), nil
}

func shape(l spec.Load, open func(string) (io.ReadCloser, error)) (Curve, error) {
	switch l.Shape {
	case "", spec.Flat:
		return Flat(l.Rate), nil
	case spec.Daily:
		return Daily(l.Rate, l.Peak, l.Day)
	case spec.Recorded:
		counts, err := read(l.Rates, open)
		if err != nil {
			return Curve{}, fmt.Errorf("read rates %s: %w", l.Rates, err)
		}
		step := l.Step
		if step == 0 {
			step = time.Minute // rows are minutes
		}
		return Recorded(counts, step, l.Rate)
	}
	return Curve{}, fmt.Errorf("there is no such shape: there are %s, %s and %s", spec.Flat, spec.Daily, spec.Recorded)
}

// read returns the counts of a file, one for each minute, see scenario.ReadRates.
func read(name string, open func(string) (io.ReadCloser, error)) ([]float64, error) {
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := io.Reader(f)
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, err
		}
	}
	series, err := scenario.ReadRates(in)
	return series.Minutes, err
}
