package smoothing

import (
	"errors"
	"fmt"
)

// Config says what the steps of a series mean. The half-lives and widths of the model are made for steps of a minute.
type Config struct {
	Periods  [2]int // steps in a day and in a week: the shorter season and a multiple of it
	Horizons []int  // steps ahead that the model is scored for, ascending; others use the weights and errors of the nearest
}

// Errors of a Config.
var (
	ErrPeriods  = errors.New("the second period must be a multiple of the first, and the first longer than every horizon")
	ErrHorizons = errors.New("horizons must be at least 1 and ascending")
)

// DefaultConfig is for steps of a minute: a day and a week, and horizons of 5 to 60 minutes.
func DefaultConfig() Config {
	return Config{Periods: [2]int{1440, 10080}, Horizons: []int{5, 10, 15, 30, 60}}
}

// Validate says what is wrong, or nil.
func (c Config) Validate() error {
	if len(c.Horizons) == 0 {
		return ErrHorizons
	}
	before := 0
	for _, h := range c.Horizons {
		if h <= before {
			return fmt.Errorf("horizons %v: %w", c.Horizons, ErrHorizons)
		}
		before = h
	}
	if c.Periods[0] <= before || c.Periods[1] < c.Periods[0] || c.Periods[1]%c.Periods[0] != 0 {
		return fmt.Errorf("periods %v with horizons %v: %w", c.Periods, c.Horizons, ErrPeriods)
	}
	return nil
}
