package ddl_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/ddl"
)

func migrations(t *testing.T) []ddl.Migration {
	t.Helper()
	all, err := ddl.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// statements returns every statement of every migration.
func statements(t *testing.T) (all []string) {
	t.Helper()
	for _, m := range migrations(t) {
		all = append(all, m.Statements...)
	}
	return all
}

func TestMigrationsAreNumberedWithoutHolesAndRendered(t *testing.T) {
	files, err := filepath.Glob("*.sql")
	if err != nil {
		t.Fatal(err)
	}
	all := migrations(t)
	if len(all) != len(files) || len(all) == 0 {
		t.Errorf("%d migrations of %d files", len(all), len(files))
	}
	for i, m := range all {
		if m.Version != i+1 || m.Name+".sql" != filepath.Base(files[i]) || len(m.Statements) == 0 {
			t.Errorf("migration %d is %d %s with %d statements", i+1, m.Version, m.Name, len(m.Statements))
		}
		for _, s := range m.Statements {
			if strings.Contains(s, "{{") || strings.Contains(s, "<no value>") || strings.HasSuffix(s, ";") || strings.Contains(s, "--") {
				t.Errorf("%s is not rendered:\n%s", m.Name, s)
			}
		}
	}
}

// again is how statements begin that may run twice: a crash in the middle of a migration is mended by the next start.
var again = regexp.MustCompile(`^(CREATE (DATABASE|TABLE|MATERIALIZED VIEW) IF NOT EXISTS|CREATE OR REPLACE (VIEW|FUNCTION)|` +
	`ALTER TABLE \S+ (MODIFY TTL|ADD COLUMN IF NOT EXISTS|MODIFY SETTING|ADD INDEX IF NOT EXISTS|MATERIALIZE INDEX)) `)

func TestEveryStatementMayRunTwice(t *testing.T) {
	for _, s := range statements(t) {
		if !again.MatchString(s) {
			t.Errorf("may this run twice?\n%s", s)
		}
	}
}

var column = regexp.MustCompile("(?m)^ {4}`?([a-z0-9_]+)`? +[A-Z]")

// tableColumns returns the columns of a table as its CREATE statement lists them.
func tableColumns(t *testing.T, table schemas.Table) []string {
	t.Helper()
	for _, s := range statements(t) {
		rest, ok := strings.CutPrefix(s, fmt.Sprintf("CREATE TABLE IF NOT EXISTS weir.%s", table))
		if !ok {
			continue
		}
		if like, ok := strings.CutPrefix(rest, " AS weir."); ok {
			if like != string(table.Subject)+"_10s" {
				t.Fatalf("%s is made like %s", table, like)
			}
			return tableColumns(t, schemas.Table{Subject: table.Subject, Resolution: schemas.Resolutions()[0]})
		}
		var names []string
		body, _, _ := strings.Cut(rest, "ENGINE =")
		for _, m := range column.FindAllStringSubmatch(body, -1) {
			names = append(names, m[1])
		}
		return names
	}
	t.Fatalf("no statement makes %s", table)
	return nil
}

func TestTablesHoldWhatTheVocabularyListsAndNothingElse(t *testing.T) {
	for _, table := range schemas.Tables() {
		want := append([]string{"window_start"}, table.Subject.Dimensions()...)
		want = append(want, "source", "last_offset", "stored")
		for _, m := range table.Subject.Measures() {
			want = append(want, m.String())
		}
		want = append(want, "acted_on", "evidence", "histogram")
		if table.Subject == schemas.ServiceWindows {
			want = append(want, "callers")
		}
		if got := tableColumns(t, table); !slices.Equal(got, want) {
			t.Errorf("%s has columns\n%v, want\n%v", table, got, want)
		}
	}
}

func TestAFlushCarriesEveryColumnThatTheStoreDoesNotSetItself(t *testing.T) {
	for _, table := range schemas.Tables() {
		want := slices.DeleteFunc(tableColumns(t, table), func(name string) bool { return name == "stored" || name == "acted_on" })
		var got []string
		for _, f := range columns.Windows(table.Subject).Fields() {
			if f.Name != "first_offset" { // guards the insert only
				got = append(got, f.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: a flush carries\n%v, the table has\n%v", table, got, want)
		}
	}
}

func TestDimensionsAreTheSortingKey(t *testing.T) {
	order := regexp.MustCompile(`(?s)ORDER BY \((.*?)\)`)
	for _, subject := range schemas.Subjects() {
		for _, s := range statements(t) {
			if !strings.HasPrefix(s, fmt.Sprintf("CREATE TABLE IF NOT EXISTS weir.%s_10s\n", subject)) {
				continue
			}
			got := strings.Fields(strings.ReplaceAll(order.FindStringSubmatch(s)[1], ",", " "))
			want := append(subject.Dimensions(), "window_start", "source")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) { // else a merge would add rows of different windows up
				t.Errorf("%s is sorted by %v, want %v", subject, got, want)
			}
		}
	}
}

func TestEveryTableHasItsGuardAndItsView(t *testing.T) {
	all := statements(t)
	made := func(what string) bool {
		return slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, what+" ") || strings.HasPrefix(s, what+"\n") })
	}
	suffixes := []string{"", "_1m", "_1h"}
	for i, table := range schemas.Tables() {
		for _, what := range []string{
			fmt.Sprintf("CREATE TABLE IF NOT EXISTS weir.in_%s", table),
			fmt.Sprintf("CREATE MATERIALIZED VIEW IF NOT EXISTS weir.guard_%s", table),
			fmt.Sprintf("CREATE OR REPLACE VIEW weir.%s_windows%s", table.Subject, suffixes[i%len(suffixes)]),
		} {
			if !made(what) {
				t.Errorf("nothing says %s", what)
			}
		}
	}
}

// inner are measures that people read through another column, completeness or the stage's own counters.
var inner = []schemas.MeasureID{
	schemas.DurationNS, schemas.ClockSkew, schemas.Spans, schemas.Duplicates, schemas.Orphans, schemas.Missing,
}

func TestViewsShowEveryDimensionAndPublicMeasure(t *testing.T) {
	for _, s := range statements(t) {
		name, ok := strings.CutPrefix(s, "CREATE OR REPLACE VIEW weir.")
		subject, _, isWindows := strings.Cut(name, "_windows")
		if !ok || !isWindows {
			continue
		}
		for _, d := range schemas.Subject(subject).Dimensions() {
			if !strings.Contains(s, "t."+d+" AS "+d) {
				t.Errorf("%s_windows does not show %s", subject, d)
			}
		}
		for _, m := range schemas.Subject(subject).Measures() {
			if !slices.Contains(inner, m) && !strings.Contains(s, " AS "+m.String()) {
				t.Errorf("%s_windows does not show %s", subject, m)
			}
		}
	}
}

func TestEvidenceHasTheSameNamesInSQL(t *testing.T) {
	var quoted, bits []string
	for i, name := range schemas.EvidenceNames() {
		quoted, bits = append(quoted, "'"+name+"'"), append(bits, fmt.Sprint(i))
	}
	want := fmt.Sprintf("[%s], [%s]", strings.Join(quoted, ", "), strings.Join(bits, ", "))
	for _, s := range statements(t) {
		if strings.HasPrefix(s, "CREATE OR REPLACE FUNCTION weirEvidence") {
			if !strings.Contains(s, want) {
				t.Errorf("weirEvidence is\n%s\nwant names and bits %s", s, want)
			}
			return
		}
	}
	t.Error("nothing makes weirEvidence")
}

func TestTheZeroBucketIsTheSameInSQL(t *testing.T) {
	sql, err := os.ReadFile("0004_functions.sql")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("b = %d, 0.", schemas.ZeroBucket); !strings.Contains(string(sql), want) {
		t.Errorf("weirQuantile does not say %s", want)
	}
}

// released are the migrations that people's data has been through, by SHA-256. They never change: a change is a new file.
var released = map[string]string{
	"0001_windows.sql":      "755e4e9a7547674cd732f86b8981b564ad4077c1202431153cc27355b3c9184a",
	"0002_guards.sql":       "2762245ea87b0747ae4d015b11cf88db3d5952098f5f2bc4f3ab68283e728fce",
	"0003_samples_gaps.sql": "ac29797ad61abe4cf3cb924ce2e2d31db788fdf385087017a2d82a3346c27226",
	"0004_functions.sql":    "6b3b7ef9bb8267684a2106dd95dcb90dad5502ef440cfbdbeb3d3cee7c523b51",
	"0005_views.sql":        "94db53d0cd65bdd5598fc27e0bd9dd476dc8553521c7b476228521f1e4e4d2de",
}

func TestReleasedMigrationsStayAsTheyAre(t *testing.T) {
	for name, want := range released {
		sql, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(sql)); got != want {
			t.Errorf("%s has changed", name)
		}
	}
}

// TestTheLastWordOnActedOn: views are said again by later migrations, and what counts is what is said last.
func TestTheLastWordOnActedOn(t *testing.T) {
	last := map[string]string{}
	for _, s := range statements(t) {
		if rest, ok := strings.CutPrefix(s, "CREATE OR REPLACE VIEW weir."); ok && strings.Contains(rest, "_windows") {
			name, _, _ := strings.Cut(rest, " ")
			last[name] = s
		}
	}
	if len(last) != len(schemas.Tables()) {
		t.Errorf("%d views of windows", len(last))
	}
	for name, s := range last {
		if !strings.Contains(s, "toUInt8(max(t.acted_on) > 0 OR sum(t.rejected_weir) > 0) AS acted_on") {
			t.Errorf("%s does not count a call that Weir refused as an action:\n%s", name, s)
		}
	}
}

// TestFingerprintsCoverEveryMeasure: what is not in the hash could differ between two stores unseen.
func TestFingerprintsCoverEveryMeasure(t *testing.T) {
	var last string
	for _, s := range statements(t) {
		if strings.HasPrefix(s, "CREATE OR REPLACE VIEW weir.fingerprints ") {
			last = s
		}
	}
	parts := strings.Split(last, "UNION ALL")
	if len(parts) != len(schemas.Tables()) {
		t.Fatalf("%d of %d tables have fingerprints", len(parts), len(schemas.Tables()))
	}
	for _, part := range parts {
		_, name, _ := strings.Cut(part, "FROM weir.")
		subject := schemas.Subject(name[:strings.Index(name, "_")])
		for _, m := range subject.Measures() {
			if m != schemas.Revision && !strings.Contains(part, "sum(t."+m.String()+")") {
				t.Errorf("the fingerprint of %s windows leaves %s out", subject, m)
			}
		}
		for _, d := range subject.Dimensions() {
			if strings.Count(part, "t."+d) != 2 {
				t.Errorf("the fingerprint of %s windows leaves %s out", subject, d)
			}
		}
	}
}

// TestThePageListsWhatIsDecided compares the tables of the decision services with docs/formats/sql.md.
func TestThePageListsWhatIsDecided(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z_]+)`")
	_, decided, _ := strings.Cut(string(page), "## What is decided")
	common, rest, _ := strings.Cut(decided, "\n### ")
	sections := map[string]string{}
	for section := range strings.SplitSeq(rest, "\n### ") {
		title, body, _ := strings.Cut(section, "\n")
		names, _, _ := strings.Cut(body, "\n## ")
		sections[strings.TrimPrefix(title, "findings, ")] = names
	}
	for _, table := range []string{"forecasts", "finding_revisions", "decisions", "outcomes"} {
		var listed []string
		for _, m := range name.FindAllStringSubmatch(common+sections[table], -1) {
			listed = append(listed, m[1])
		}
		for _, s := range statements(t) {
			body, ok := strings.CutPrefix(s, "CREATE TABLE IF NOT EXISTS weir."+table+"\n")
			if !ok {
				continue
			}
			body, _, _ = strings.Cut(body, "ENGINE =")
			columns := column.FindAllStringSubmatch(body, -1)
			if len(columns) < 10 || sections[table] == "" {
				t.Errorf("%s: %d columns, and a section of %d bytes", table, len(columns), len(sections[table]))
			}
			for _, c := range columns {
				if !slices.Contains(listed, c[1]) {
					t.Errorf("the page says nothing of %s.%s", table, c[1])
				}
			}
		}
	}
}
