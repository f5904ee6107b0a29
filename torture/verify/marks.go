package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// Marks is what is wrong with the marks. Which messages a stored row includes cannot be read from it, only the last one; that none was
// counted twice or left out is for the windows to show. Two names of one partition and marks behind the log's end can be seen.
type Marks struct {
	Read  int      // marks: one for each table, day and source
	Wrong []string // at most Differences
	Count int      // of what is wrong
}

func (m *Marks) wrong(format string, args ...any) {
	m.Count++
	if len(m.Wrong) < Differences {
		m.Wrong = append(m.Wrong, fmt.Sprintf(format, args...))
	}
}

// marks reads the marks of all tables.
func marks(ctx context.Context, cfg Config) (Marks, error) {
	var parts []string
	for _, t := range schemas.Tables() {
		parts = append(parts, fmt.Sprintf("SELECT '%s' AS name, toYYYYMMDD(window_start) AS day, source, max(last_offset) "+
			"FROM weir.%s GROUP BY day, source", t, t))
	}
	var all []mark
	sql := "SELECT * FROM (" + strings.Join(parts, " UNION ALL ") + ") ORDER BY name, day, source"
	err := read(ctx, cfg.ClickHouse, sql, func(line []byte) error {
		f := strings.Split(string(line), "\t")
		if len(f) != 4 {
			return fmt.Errorf("read %q: %d fields, want 4", line, len(f))
		}
		offset, err := strconv.ParseInt(f[3], 10, 64)
		all = append(all, mark{f[0] + " of " + f[1], f[2], offset})
		return err
	})
	m := Marks{Read: len(all)}
	m.overlaps(all)
	m.beyond(all, cfg.Ends)
	return m, err
}

// mark is one mark: a table and day, a source, and the last offset.
type mark struct {
	table, source string
	offset        int64
}

// overlaps finds partitions that were counted under more than one name.
func (m *Marks) overlaps(all []mark) {
	names := map[string][]string{}
	for _, k := range all {
		if at := partitionOf(k.source); !slices.Contains(names[at], k.source) {
			names[at] = append(names[at], k.source)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(names)) {
		if sources := slices.Sorted(slices.Values(names[at])); len(sources) > 1 {
			m.wrong("%s was counted under several names: %s", at, strings.Join(sources, ", "))
		}
	}
}

// beyond finds marks that no message of the log can have left.
func (m *Marks) beyond(all []mark, ends map[string]int64) {
	if ends == nil {
		return
	}
	for _, k := range all {
		switch end, known := ends[k.source]; {
		case !known:
			m.wrong("%s: source %s is none of the log's", k.table, k.source)
		case k.offset >= end:
			m.wrong("%s: mark %d of %s, whose log ends at %d", k.table, k.offset, k.source, end)
		}
	}
}

// partitionOf is a source's name without the log's incarnation: topic@incarnation/partition.
func partitionOf(source string) string {
	topic, rest, _ := strings.Cut(source, "@")
	return topic + "/" + rest[strings.LastIndexByte(rest, '/')+1:]
}
