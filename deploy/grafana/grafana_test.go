// Package grafana holds no code: this test runs the SQL of every dashboard.
package grafana_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/store/clickhouse"
	"github.com/weirmesh/weir/store/embedded/embeddedtest"
)

func TestMain(m *testing.M) {
	if code, child := embeddedtest.Child(); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// dashboard is what the test reads of one.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Query string }
	}
	Annotations struct {
		List []struct{ Target struct{ RawSQL string } }
	}
	Panels []struct {
		Title      string
		Datasource struct{ UID string }
		Targets    []struct{ RawSQL string }
	}
}

func TestEveryPanelAsksWhatTheStoreAnswers(t *testing.T) {
	text, err := os.ReadFile("weir-overview.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	cfg := clickhouse.Config{Address: embeddedtest.Start(t, t.TempDir()).Addr()}
	client, err := clickhouse.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := 0
	ask := func(name, sql string) {
		asked++
		if err := clickhouse.Query(t.Context(), cfg, expand(t, sql), "JSONEachRow", &bytes.Buffer{}); err != nil {
			t.Errorf("%s: %v\n%s", name, err, sql)
		}
	}
	for _, v := range d.Templating.List {
		ask("variable "+v.Name, v.Query)
	}
	for _, a := range d.Annotations.List {
		ask("annotation", a.Target.RawSQL)
	}
	for _, p := range d.Panels {
		if p.Datasource.UID != "weir" {
			t.Errorf("panel %s asks data source %q", p.Title, p.Datasource.UID)
		}
		for _, target := range p.Targets {
			ask("panel "+p.Title, target.RawSQL)
		}
	}
	if asked < 15 {
		t.Errorf("%d statements were tried: the test does not see the dashboard's", asked)
	}
}

// expand replaces the macros of Grafana's ClickHouse plug-in and the dashboard's variables, as Grafana would.
func expand(t *testing.T, sql string) string {
	t.Helper()
	const from, to = "toDateTime64('2026-03-02 00:00:00', 3, 'UTC')", "toDateTime64('2026-03-03 00:00:00', 3, 'UTC')"
	sql = regexp.MustCompile(`\$__timeFilter\(([^)]*)\)`).ReplaceAllString(sql, "($1 >= "+from+" AND $1 <= "+to+")")
	sql = strings.NewReplacer("$__fromTime", from, "$__toTime", to, "$__interval_s", "60",
		"${workload:singlequote}", "'a','b'", "${namespace:singlequote}", "'shop'").Replace(sql)
	if strings.Contains(sql, "$") {
		t.Errorf("a macro is left that this test does not know: %s", sql)
	}
	return sql
}
