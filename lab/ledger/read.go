package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Counts is what has been counted under each key. Keys with nothing are not in it. As JSON it is a list, sorted by key.
type Counts map[Key]uint64

func (c Counts) add(k Key, n uint64) {
	if n > 0 {
		c[k] += n
	}
}

// Read sums all ledgers of a folder. A damaged one is an error that names it; no ledger at all is none.
func Read(dir string) (Counts, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+Extension))
	if err != nil {
		return nil, fmt.Errorf("list ledgers of %s: %w", dir, err)
	}
	sum := Counts{}
	for _, path := range paths {
		_, counts, err := ReadFile(path)
		if err != nil {
			return nil, err
		}
		for k, n := range counts {
			sum.add(k, n)
		}
	}
	return sum, nil
}

// ReadFile returns one ledger: the name of its process and its counts. The process may go on counting.
func ReadFile(path string) (process string, counts Counts, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("read ledger: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	t, err := mapTable(file, syscall.PROT_READ)
	if err != nil {
		return "", nil, fmt.Errorf("read ledger %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, t.unmap()) }()
	counts = Counts{}
	process, err = t.read(func(k Key, _ int, n uint64) { counts.add(k, n) })
	if err != nil {
		return "", nil, fmt.Errorf("read ledger %s: %w", path, err)
	}
	return process, counts, nil
}

// line is one count as JSON shows it.
type line struct {
	Key
	Count uint64 `json:"count"`
}

// MarshalJSON writes the counts as a sorted list.
func (c Counts) MarshalJSON() ([]byte, error) {
	lines := make([]line, 0, len(c))
	for k, n := range c {
		lines = append(lines, line{k, n})
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To),
			cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Outcome, b.Outcome))
	})
	return json.Marshal(lines)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Counts) UnmarshalJSON(text []byte) error {
	var lines []line
	if err := json.Unmarshal(text, &lines); err != nil {
		return err
	}
	*c = make(Counts, len(lines))
	for _, l := range lines {
		c.add(l.Key, l.Count)
	}
	return nil
}
