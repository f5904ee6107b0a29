// Package prometheus_test holds the alert rules to their runbooks. That the metrics they name exist is tested beside the binary.
package prometheus_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rules is as much of a Prometheus rule file as is used.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

const runbooks = "../../docs/runbooks"

func TestEveryAlertHasARunbook(t *testing.T) {
	text, err := os.ReadFile("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all rules
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(runbooks, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"README.md": true}
	for _, g := range all.Groups {
		for _, r := range g.Rules {
			url := r.Annotations["runbook_url"]
			file := url[strings.LastIndex(url, "/")+1:]
			if named[file] {
				t.Errorf("%s: runbook %q belongs to another alert", r.Alert, file)
			}
			named[file] = true
			switch r.Labels["severity"] {
			case "critical", "warning", "info":
			default:
				t.Errorf("%s has severity %q", r.Alert, r.Labels["severity"])
			}
			if r.Annotations["summary"] == "" || r.Expr == "" || !strings.HasSuffix(url, "/docs/runbooks/"+file) {
				t.Errorf("%s has no expression, summary or runbook: %+v", r.Alert, r)
			}
			if !strings.Contains(string(index), "["+r.Alert+"]("+file+")") {
				t.Errorf("the list of runbooks does not name %s", r.Alert)
			}
			checkRunbook(t, r.Alert, file)
		}
	}
	files, err := filepath.Glob(filepath.Join(runbooks, "*.md"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d runbooks: %v", len(files), err)
	}
	for _, file := range files {
		if !named[filepath.Base(file)] {
			t.Errorf("runbook %s belongs to no alert", file)
		}
	}
}

// checkRunbook wants every heading, in order, and something below each.
func checkRunbook(t *testing.T, alert, file string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(runbooks, file))
	if err != nil {
		t.Errorf("%s: %v", alert, err)
		return
	}
	rest, found := strings.CutPrefix(string(page), "# "+alert+"\n")
	if !found {
		t.Errorf("%s does not begin with %s", file, alert)
	}
	for _, heading := range []string{"What it means", "Impact", "Check", "Mend", "Over when"} {
		before, after, found := strings.Cut(rest, "\n## "+heading+"\n")
		if !found || heading != "What it means" && strings.TrimSpace(before) == "" || strings.TrimSpace(after) == "" {
			t.Errorf("%s has no %q, not in its place, or nothing below it", file, heading)
		}
		rest = after
	}
}
