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
	// RoomMiB is how much memory the requests that are being worked on may take together when decoded, as estimated; others wait. One of
	// them may take half of it. 0 = no bound.
	RoomMiB int `mapstructure:"room_mib"`
}

// Validate refuses a negative time and a negative size.
func (c *Config) Validate() error {
	if c.Drain < 0 {
		return fmt.Errorf("drain is %s, must not be negative", c.Drain)
	}
	if c.RoomMiB < 0 {
		return fmt.Errorf("room_mib is %d, must not be negative", c.RoomMiB)
	}
	return nil
}
