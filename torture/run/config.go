// Package run tortures Weir as it runs in production: it starts a cluster (package parts), sends telemetry whose truth is known (traffic, or
// a recording), kills, pauses, cuts and fills meanwhile what a seed says, and in the end holds the log to what was acknowledged (check) and
// every window to the truth (verify).
//
// What is done and when is a function of the Config, in shares of the requests that are acknowledged. When exactly it happens, and what is
// under way then, is up to the machine: a seed repeats a plan, not an accident. The history file says what happened in what order.
package run

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/weirmesh/weir/ingest/recording"
)

// Config says what a run does. Zero values of counts are replaced, see New.
type Config struct {
	Seed       uint64
	Calls      int // to be made; without effect on a recording
	Kills      int // harms that kill something; there are as many others besides
	Senders    int // requests under way at the same time; 0 = 8
	Partitions int // of the topics; 0 = 4
	Collectors int // 0 = 2
	Features   int // 0 = 2
	Apache     int // nodes of Apache Kafka; 0 = the embedded broker

	Weir     string // the binary
	Previous string // another version, which half of the starts of collectors and features workers take; "" = none
	Home     string // folder of Apache Kafka's jars
	Dir      string // data, logs and the history; made if missing

	Recording string           // "" = made traffic
	Format    recording.Format // of the recording

	Away  time.Duration // how long ClickHouse is away once; 0 = not
	Short bool          // nothing that takes longer than a few seconds: no pause beyond the consumer group's session
	Disks bool          // the disks of the embedded broker and of ClickHouse may be made small (tmpfs, root)

	Patience time.Duration // how long nothing may come forward at the end; 0 = 3 min
	Every    time.Duration // how often Tell is called; 0 = 1 s
	Tell     func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Phase           string // starting, sending, counting, reading the log, comparing
	Requests, Acked int    // requests in all and acknowledged
	Calls           int    // that those hold, about; 0 for a recording
	Attempts        int64  // to send one
	Harms, Kills    int    // that have begun
	Lag             int64  // messages that are not counted; only while counting
}

// ErrConfig is wrapped by every error about a Config.
var ErrConfig = errors.New("cannot run with this configuration")

func (c Config) withDefaults() Config {
	c.Senders, c.Partitions = cmp.Or(c.Senders, 8), cmp.Or(c.Partitions, 4)
	c.Collectors, c.Features = cmp.Or(c.Collectors, 2), cmp.Or(c.Features, 2)
	c.Patience, c.Every = cmp.Or(c.Patience, 3*time.Minute), cmp.Or(c.Every, time.Second)
	if c.Tell == nil {
		c.Tell = func(Progress) {}
	}
	return c
}

// clusterDir is the folder of all data and logs within Config.Dir.
const clusterDir = "cluster"

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c Config) validate() error {
	switch {
	case c.Weir == "" || c.Dir == "":
		return fmt.Errorf("%w: it names no binary, or no folder", ErrConfig)
	case c.Calls < 1 && c.Recording == "":
		return fmt.Errorf("%w: %d calls", ErrConfig, c.Calls)
	case c.Kills < 0 || c.Senders < 1 || c.Partitions < 1 || c.Collectors < 1 || c.Features < 1 || c.Apache < 0 || c.Away < 0:
		return fmt.Errorf("%w: counts and times must not be negative, and of senders, partitions, collectors and features workers "+
			"at least 1 is needed", ErrConfig)
	case exists(filepath.Join(c.Dir, clusterDir)):
		return fmt.Errorf("%w: %s holds the data of an earlier run: name another folder, or remove it", ErrConfig, c.Dir)
	case c.Apache == 1:
		return fmt.Errorf("%w: with one node of Apache Kafka nothing is left while it is killed: take 2", ErrConfig)
	}
	return nil
}
