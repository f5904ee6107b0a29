package toolbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirmesh/weir/lab/toolbox"
	"github.com/weirmesh/weir/lab/tools"
)

func TestOpenSaysWhatIsMissing(t *testing.T) {
	base := t.TempDir()
	if _, err := toolbox.Open(base); err == nil || !strings.Contains(err.Error(), "make lab-tools") {
		t.Fatalf("an empty folder was opened, or the error does not help: %v", err)
	}
	dir := toolbox.Dir(base)
	for _, name := range []string{
		"bin/etcd", "bin/kube-apiserver", "bin/kube-controller-manager", "bin/kube-scheduler", "bin/kwok", "bin/pilot-discovery", "bin/envoy",
		"share/istio-crds.yaml", "share/gateway-api-crds.yaml",
	} {
		write(t, filepath.Join(dir, name))
	}
	_, err := toolbox.Open(base)
	if err == nil || !strings.Contains(err.Error(), "(missing: kubectl)") {
		t.Fatalf("kubectl is missing, and the error says: %v", err)
	}
	write(t, filepath.Join(dir, "bin/kubectl"))
	open, err := toolbox.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{open.Path(toolbox.Envoy), open.Share(toolbox.IstioCRDs)} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBase(t *testing.T) {
	t.Setenv("WEIR_LAB_CACHE", "/somewhere")
	if base, err := toolbox.Base(); err != nil || base != "/somewhere" {
		t.Errorf("got %q, %v", base, err)
	}
}

// TestScriptAgrees runs what build.sh does to name the folder.
func TestScriptAgrees(t *testing.T) {
	script, err := os.ReadFile("../tools/build.sh")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^hash=\$\((.*)\)$`).FindSubmatch(script)
	if line == nil {
		t.Fatal("build.sh has no line hash=$(...)")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "here=../tools; "+string(line[1]))
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("the script's command does not run here: %v", err)
	}
	if got, want := strings.TrimSpace(string(out)), filepath.Base(toolbox.Dir("")); got != want {
		t.Errorf("the script names %s, the package %s", got, want)
	}
}

// TestModulesAgree holds the pins to the modules that are built.
func TestModulesAgree(t *testing.T) {
	pins := map[string]string{}
	for line := range strings.Lines(tools.Versions()) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			pins[name] = value
		}
	}
	for name, at := range map[string][2]string{
		"KUBERNETES":  {"kubernetes", "k8s.io/kubernetes"},
		"ETCD":        {"kubernetes", "go.etcd.io/etcd/server/v3"},
		"ISTIO":       {"istio", "istio.io/istio"},
		"GATEWAY_API": {"istio", "sigs.k8s.io/gateway-api"},
		"KWOK":        {"kwok", "sigs.k8s.io/kwok"},
	} {
		mod, err := os.ReadFile(filepath.Join("..", "tools", at[0], "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		required := regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(at[1]) + ` (\S+)`).FindSubmatch(mod)
		if required == nil || string(required[1]) != pins[name] {
			t.Errorf("%s is %s in versions.env, and %s in lab/tools/%s/go.mod", name, pins[name], required, at[0])
		}
	}
}
