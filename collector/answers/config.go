package answers

import (
	"fmt"
	"time"
)

// Config of the extension.
type Config struct {
	// Drain is how long requests that wait for an exporter may go on after the collector was told to stop. Then they end without
	// an acknowledgement, and their senders send them again.
	Drain time.Duration `mapstructure:"drain"`
}

// Validate refuses a negative time.
func (c *Config) Validate() error {
	if c.Drain < 0 {
		return fmt.Errorf("drain is %s, must not be negative", c.Drain)
	}
	return nil
}
