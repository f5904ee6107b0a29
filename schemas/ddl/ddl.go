// Package ddl holds Weir's ClickHouse schema: numbered migrations of plain SQL, embedded. Files are never changed once released; a
// change is a new file.
package ddl

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/weirmesh/weir/schemas"
)

//go:embed *.sql
var files embed.FS

// Migration is one numbered file.
type Migration struct {
	Version    int
	Name       string
	Statements []string // in order, without the closing semicolon
}

// resolution is what a migration may repeat statements for.
type resolution struct {
	Table   string // 10s, 1m, 1h
	Suffix  string // of the views: "", _1m, _1h
	Seconds int
}

// Migrations returns all migrations in order, rendered.
func Migrations() ([]Migration, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var all []Migration
	for _, e := range entries {
		m, err := read(e.Name())
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", e.Name(), err)
		}
		if m.Version != len(all)+1 {
			return nil, fmt.Errorf("migration %s: want number %d", e.Name(), len(all)+1)
		}
		all = append(all, m)
	}
	return all, nil
}

func read(name string) (Migration, error) {
	number, _, ok := strings.Cut(name, "_")
	version, err := strconv.Atoi(number)
	if !ok || err != nil {
		return Migration{}, fmt.Errorf("name is not NNNN_what.sql")
	}
	sql, err := render(name)
	if err != nil {
		return Migration{}, err
	}
	m := Migration{Version: version, Name: strings.TrimSuffix(name, ".sql")}
	for statement := range strings.SplitSeq(sql, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			m.Statements = append(m.Statements, statement)
		}
	}
	return m, nil
}

// render returns a file's statements, each with its closing semicolon.
func render(name string) (string, error) {
	source, err := files.ReadFile(name)
	if err != nil {
		return "", err
	}
	t, err := template.New(name).Funcs(template.FuncMap{"amend": amend, "said": render, "instead": instead}).Parse(withoutComments(string(source)))
	if err != nil {
		return "", err
	}
	var sql strings.Builder
	err = t.Execute(&sql, map[string]any{"Resolutions": resolutions(), "Tables": schemas.Tables(), "Ends": ends()})
	return sql.String(), err
}

// amend is what a migration writes to say an earlier one again with something in it made otherwise.
func amend(name, before, after string) (string, error) {
	sql, err := render(name)
	if err != nil {
		return "", err
	}
	return instead(sql, before, after)
}

// instead is the same for what `said` gave, so that more than one thing can be made otherwise.
func instead(sql, before, after string) (string, error) {
	if !strings.Contains(sql, before) {
		return "", fmt.Errorf("the migration before does not say %s", before)
	}
	return strings.ReplaceAll(sql, before, after), nil
}

// ends is how the columns of the workload begin that a subject's windows are about.
func ends() map[schemas.Subject]string {
	return map[schemas.Subject]string{schemas.ServiceWindows: "", schemas.InstanceWindows: "", schemas.EdgeWindows: "destination_"}
}

// withoutComments drops lines that hold only a comment, so that a semicolon or brace in prose means nothing.
func withoutComments(sql string) string {
	var out strings.Builder
	for line := range strings.Lines(sql) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			out.WriteString(line)
		}
	}
	return out.String()
}

func resolutions() []resolution {
	var all []resolution
	for _, r := range schemas.Resolutions() {
		one := resolution{Table: r.Suffix(), Seconds: int(time.Duration(r) / time.Second)}
		if len(all) > 0 { // the shortest windows are the ones people mean
			one.Suffix = "_" + r.Suffix()
		}
		all = append(all, one)
	}
	return all
}
