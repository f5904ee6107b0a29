package main_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/internal/lock"
)

// checkRulesNameMetrics holds the alert rules to what a Weir exports. A counter by reason is there only once it has counted something: such
// a name has to stand in the code.
func checkRulesNameMetrics(t *testing.T, at lock.Addresses) {
	rules, err := os.ReadFile(filepath.Join("..", "..", "deploy", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + at.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	exported, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(filepath.Join("..", "..", "collector", "weirexporter", "counters.go"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range regexp.MustCompile(`\b(weir|otelcol|process)_[a-z_]+\b`).FindAllString(string(rules), -1) {
		name = strings.TrimSuffix(name, "_bucket")
		if seen[name] {
			continue
		}
		seen[name] = true
		if !strings.Contains(string(exported), "# TYPE "+name+" ") && !strings.Contains(string(code), `"`+name+`"`) {
			t.Errorf("an alert names %s, which nothing exports", name)
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d metrics in the rules, want those of every stage", len(seen))
	}
}
