package recording

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nezhaDay is a recording as text.
type nezhaDay struct{ files []*nezhaFile }

type nezhaFile struct {
	name string // HH_MM
	rows []*nezhaRowText
}

// nezhaRowText is a line, cut at its commas.
type nezhaRowText struct{ fields []string }

func (r *nezhaRowText) field(i int) string {
	if i < len(r.fields) {
		return r.fields[i]
	}
	return ""
}

func (r *nezhaRowText) shift(by int64) {
	if len(r.fields) != 8 || by == 0 {
		return
	}
	for _, i := range []int{5, 6} {
		if t, err := strconv.ParseInt(r.fields[i], 10, 64); err == nil {
			r.fields[i] = strconv.FormatInt(max(0, t+by), 10)
		}
	}
}

func readDay(dir string) (*nezhaDay, error) {
	files, err := nezhaFiles(dir)
	if err != nil {
		return nil, err
	}
	d := &nezhaDay{}
	for _, path := range files {
		name, _, _ := strings.Cut(filepath.Base(path), "_trace.csv")
		f := &nezhaFile{name: name}
		torn := 0
		err := readLines(path, func(_ int, line string) bool {
			if line != "" && !strings.HasPrefix(line, "TraceID,") {
				f.rows = append(f.rows, &nezhaRowText{strings.Split(line, ",")})
			}
			return true
		}, &torn)
		if err = errors.Join(err, tornError(torn)); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		d.files = append(d.files, f)
	}
	return d, nil
}

func tornError(torn int) error {
	if torn > 0 {
		return errors.New("damaged gzip")
	}
	return nil
}

func (d *nezhaDay) write(outDir string) error {
	for _, f := range d.files {
		err := writeFile(filepath.Join(outDir, "trace", f.name+"_trace.csv.gz"), func(w io.Writer) error {
			if _, err := io.WriteString(w, nezhaHeader+"\n"); err != nil {
				return err
			}
			for _, r := range f.rows {
				if _, err := io.WriteString(w, strings.Join(r.fields, ",")+"\n"); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rows lists all rows in reading order.
func (d *nezhaDay) rows() []*nezhaRowText {
	var all []*nezhaRowText
	for _, f := range d.files {
		all = append(all, f.rows...)
	}
	return all
}

// rebuild puts each row into the files that where names, relative to its own (0 = stay), and counts the rows for which
// that is anything else. A file beyond the first or last is the first or last.
func (d *nezhaDay) rebuild(where func(file int, r *nezhaRowText) []int) int {
	changed := 0
	rows := make([][]*nezhaRowText, len(d.files))
	for i, f := range d.files {
		for _, r := range f.rows {
			steps := where(i, r)
			if len(steps) != 1 || steps[0] != 0 {
				changed++
			}
			for n, step := range steps {
				if n > 0 {
					r = &nezhaRowText{slices.Clone(r.fields)} // a copy must not be skewed twice
				}
				to := max(0, min(i+step, len(rows)-1))
				rows[to] = append(rows[to], r)
			}
		}
	}
	for i, f := range d.files {
		f.rows = rows[i]
	}
	return changed
}

// minute is the index of a file, made if there is none.
func (d *nezhaDay) minute(name string) int {
	for i, f := range d.files {
		if f.name == name {
			return i
		}
	}
	d.files = append(d.files, &nezhaFile{name: name})
	return len(d.files) - 1
}

func (d *nezhaDay) sort() {
	slices.SortFunc(d.files, func(a, b *nezhaFile) int { return strings.Compare(a.name, b.name) })
}

// hourLater adds an hour to HH_MM within the day; a name of another form stays.
func hourLater(name string) string {
	t, err := time.Parse("15_04", name)
	if err != nil {
		return name
	}
	if t.Hour() == 23 {
		return "23_59"
	}
	return t.Add(time.Hour).Format("15_04")
}
