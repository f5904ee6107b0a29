package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	Imports         []string
}

// packages lists the module's packages without their tests: tests may bring stages together, programs may not.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestImports(t *testing.T) {
	all := packages(t)
	if !slices.ContainsFunc(all, func(p listed) bool { return p.ImportPath == module+"/internal/arch" }) {
		t.Fatalf("go list does not see this package among %d: the test would prove nothing", len(all))
	}
	for _, p := range all {
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for _, path := range p.Imports {
			for _, v := range violations(folder, path) {
				t.Error(v)
			}
		}
	}
}

// TestNoInit holds every package to being wired by its caller.
func TestNoInit(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Errorf("parse %s: %v", path, err)
				continue
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s has an init function: build it in cmd and pass it down", path)
				}
			}
		}
	}
}

// TestRulesBite shows that the rules find what they are for.
func TestRulesBite(t *testing.T) {
	for _, tt := range []struct {
		folder, path string
		ok           bool
	}{
		{"cmd/weir", module + "/store/clickhouse", true},
		{"features", module + "/schemas/columns", true},
		{"features", module + "/ingest", true},
		{"features", module + "/internal/config", true},
		{"features", module + "/features/join", true},
		{"features", module + "/store", true},
		{"features", module + "/store/clickhouse", false},
		{"features/join", module + "/store", true},
		{"features", module + "/cmd/weir", false},
		{"store/clickhouse", module + "/store", true},
		{"store/clickhouse", module + "/features/window", false},
		{"ingest", module + "/collector", false},
		{"ingest/kafka", module + "/ingest", true},
		{"internal/ops", module + "/ingest", false},
		{"internal/ops", module + "/schemas", true},
		{"schemas", module + "/internal/ops", false},
		{"schemas", module + "/schemas/columns", false},
		{"schemas", "github.com/google/uuid", false},
		{"schemas", "time", true},
		{"schemas", "os", false},
		{"schemas/columns", "github.com/apache/arrow/go/v17/arrow", true},
		{"schemas/columns", module + "/internal/ops", false},
		{"schemas/wire", "github.com/apache/arrow/go/v17/arrow", false},
		{"ingest/kafka", "github.com/segmentio/kafka-go/compress", true},
		{"ingest", "github.com/segmentio/kafka-go", false},
		{"cmd/weir", "github.com/segmentio/kafka-go", false},
		{"cmd/weir", "github.com/spf13/cobra", true},
		{"features/window", "net/http", false},
		{"features/window", "math", true},
		{"features", "log/slog", true},
	} {
		if got := violations(tt.folder, tt.path); (len(got) == 0) != tt.ok {
			t.Errorf("%s imports %s: %v", tt.folder, tt.path, got)
		}
	}
}

// TestLinterAgrees compares the depguard rules of .golangci.yml with the lists here.
func TestLinterAgrees(t *testing.T) {
	text, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Files []string
		Deny  []struct{ Pkg, Desc string }
	}
	var cfg struct {
		Linters struct {
			Settings struct {
				Depguard struct{ Rules map[string]rule }
			}
		}
	}
	if err := yaml.Unmarshal(text, &cfg); err != nil {
		t.Fatal(err)
	}
	rules := cfg.Linters.Settings.Depguard.Rules
	for _, l := range libraries() {
		r := rules["library-"+filepath.Base(l.path)]
		if len(r.Deny) != 1 || r.Deny[0].Pkg != l.path || r.Deny[0].Desc != l.why {
			t.Errorf("%s: the linter's rule %+v differs", l.path, r)
		}
		want := []string{"!$test"}
		for _, home := range l.homes {
			want = append(want, "!${base-path}/"+home+"/**")
		}
		if !slices.Equal(r.Files, want) {
			t.Errorf("%s: the linter looks at %q, want %q", l.path, r.Files, want)
		}
	}
	for _, stage := range stages() {
		var denied []string
		for _, d := range rules["stage-"+stage].Deny {
			// The children of store are denied, its vocabulary is not.
			denied = append(denied, strings.TrimSuffix(strings.TrimPrefix(d.Pkg, module+"/"), "/"))
		}
		for _, other := range append(stages(), seesEverything()...) {
			if slices.Contains(denied, other) == (other == stage) {
				t.Errorf("the linter's rule for %s denies %q; %s is wrong there", stage, denied, other)
			}
		}
	}
}
