package main_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas/ddl"
)

// TestSchemaIsAppliedByHandWhereStagesMayNot goes the way of a server whose stages have fewer rights than its administrator.
func TestSchemaIsAppliedByHandWhereStagesMayNot(t *testing.T) {
	all, err := ddl.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	server := freePort(t)
	startWeir(t, "clickhouse", "--data-dir", t.TempDir(), "--listen", server)
	at := func() (v struct{ Schema, Weir int }) {
		out, _ := runWeir(t, 0, "schema", "version", "--clickhouse", server, "-o", "json")
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		return v
	}
	await(t, "the server", func() bool {
		_, err := weirOutput(t, "schema", "version", "--clickhouse", server)
		return err == nil
	})
	if v := at(); v.Schema != 0 || v.Weir != len(all) {
		t.Errorf("an empty server has %+v", v)
	}
	t.Setenv("WEIR_CLICKHOUSE_MIGRATE", "false")
	t.Setenv("WEIR_CLICKHOUSE_ADDRESS", server)
	up := []string{"up", "--data-dir", t.TempDir(), "--grpc", freePort(t), "--http", freePort(t)}
	if _, stderr := runWeir(t, 1, up...); !strings.Contains(stderr, all[0].Name) || !strings.Contains(stderr, "weir schema apply") {
		t.Errorf("a stage without a schema says %q", stderr)
	}
	if at().Schema != 0 {
		t.Error("a stage that may not changed the schema")
	}
	plan, _ := runWeir(t, 0, "schema", "plan")
	for _, m := range all {
		if !strings.Contains(plan, "-- "+m.Name+"\n"+m.Statements[0]+";\n") || !strings.Contains(plan, m.Record()+";\n") {
			t.Errorf("the plan leaves %s out", m.Name)
		}
	}
	runWeir(t, 0, "schema", "apply")
	if left, _ := runWeir(t, 0, "schema", "plan"); left != "" || at().Schema != len(all) {
		t.Errorf("after it was applied %+v is there, and planned is %q", at(), left)
	}
	p := startWeir(t, up...)
	running(t, up[2])
	if code := p.stop(t); code != 0 {
		t.Errorf("with the schema applied, weir up ends with %d", code)
	}
}

// weirOutput runs a command that may fail.
func weirOutput(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), weir(t), args...).Output()
	return string(out), err
}
