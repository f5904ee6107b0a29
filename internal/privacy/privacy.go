// Package privacy is the list of what Weir keeps: every field of every topic, table and file that can hold a name, a time or an id, where
// it is, why, how long, and who can read it. docs/privacy.md is made from it, and tests hold it to the real schema. It is data: nothing
// here reads or writes any of it.
package privacy

import (
	"fmt"
	"slices"
	"time"
)

// Kind says what a field can hold.
type Kind string

// The kinds, the most telling first.
const (
	Name    Kind = "name"    // of a workload, instance, tenant or place; chosen by senders or in manifests
	ID      Kind = "id"      // made by chance or by hash: of traces, findings, decisions, processes
	Text    Kind = "text"    // sentences and objects made of names and numbers
	Time    Kind = "time"    // when something happened or was written
	Measure Kind = "measure" // counts, sizes, durations, settings: nothing about anybody
)

// Field is some columns or fields of the same kind and purpose.
type Field struct {
	Names []string `json:"names"`
	Kind  Kind     `json:"kind"`
	Why   string   `json:"why"`
}

// Keep says how long something stays: as a setting of the configuration says, or a fixed time.
type Keep struct {
	Setting string        // key of the configuration; "" = Limit alone
	Limit   time.Duration // 0 without a setting = until the data directory or the database is removed
}

// Place is one topic, or some tables or files with the same fields.
type Place struct {
	Where   string   `json:"where"` // kafka, clickhouse, files
	Names   []string `json:"names"`
	What    string   `json:"what"`
	Keep    Keep     `json:"-"`
	Kept    string   `json:"kept"` // Keep in words, filled in by Inventory
	Readers string   `json:"readers"`
	Fields  []Field  `json:"fields"`
}

// Where things are kept.
const (
	Kafka      = "kafka"
	ClickHouse = "clickhouse"
	Files      = "files"
)

// Settings are the values of the keys that say how long.
type Settings map[string]time.Duration

// The keys that Settings have.
const (
	KafkaRetention      = "kafka.retention"
	DeadLetterRetention = "kafka.deadletter_retention"
	StoreRetention      = "clickhouse.retention"
	MinutesRetention    = "clickhouse.retention_1m"
	HoursRetention      = "clickhouse.retention_1h"
	ForecastsRetention  = "clickhouse.retention_forecasts"
	DecisionsRetention  = "clickhouse.retention_decisions"
	SpansRetention      = "clickhouse.retention_spans"
	GapsRetention       = "as the windows that are kept longest" // of no key of its own
)

const day = 24 * time.Hour

// For is how long, 0 = for ever.
func (k Keep) For(s Settings) time.Duration {
	if k.Setting == "" {
		return k.Limit
	}
	return s[k.Setting]
}

func (k Keep) words(s Settings) string {
	d := k.For(s)
	text := d.String()
	switch {
	case d == 0:
		return "until the data directory or the database is removed"
	case d%day == 0:
		text = fmt.Sprintf("%d d", d/day)
	case d%time.Hour == 0:
		text = fmt.Sprintf("%d h", d/time.Hour)
	}
	if k.Setting == "" {
		return text
	}
	return fmt.Sprintf("%s (%s)", text, k.Setting)
}

// Inventory is everything that is kept, with how long in words.
func Inventory(s Settings) []Place {
	all := slices.Concat(topics(), tables(), files())
	for i := range all {
		all[i].Kept = all[i].Keep.words(s)
	}
	return all
}
