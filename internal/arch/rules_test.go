package arch_test

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/weirmesh/weir"

// library is a dependency that only some folders may import, so that it can be replaced there.
type library struct {
	path  string // an import path prefix
	homes []string
	why   string
}

func libraries() []library {
	return []library{
		{"github.com/segmentio/kafka-go", []string{"ingest/kafka"}, "stages see ingest.Source and batches, not a Kafka client"},
		{"github.com/twmb/franz-go", []string{"ingest/broker", "torture/apache/apachetest"}, "the embedded broker is the only Kafka server we run"},
		{"github.com/ClickHouse/clickhouse-go", []string{"store/clickhouse"}, "stages see the store's interfaces, not a driver"},
		{"github.com/ebitengine/purego", []string{"store/embedded"}, "calls into C live in one place, in a child process"},
		{"github.com/apache/arrow", dataPath(), "columns belong to the data path; decisions work on rows of the vocabulary"},
		{"github.com/knadh/koanf", []string{"internal/config"}, "configuration is read in one place"},
		{"github.com/spf13/cobra", []string{"cmd"}, "flags and arguments end in cmd"},
		{"github.com/sajari/regression", []string{"forecast/capacity"}, "one fit that reports can explain"},
		{"k8s.io/client-go", []string{"actuator/kubernetes", "lab"}, "an API server is one of several places to read the current state from"},
		{"github.com/santhosh-tekuri/jsonschema", []string{"actuator/istio"}, "schemas are checked in one place"},
		{"github.com/aymanbagabas/go-udiff", []string{"actuator/render"}, "what a change looks like is decided in one place"},
		{"sigs.k8s.io/yaml", []string{"actuator/cluster", "lab"}, "objects are read and written in one place"},
		{"github.com/envoyproxy/go-control-plane", []string{"lab"}, "only the lab speaks with proxies"},
	}
}

func dataPath() []string {
	return []string{"schemas/columns", "collector", "ingest", "features", "store"}
}

// stages are the folders that must not know each other. What one needs of another it declares as an interface.
func stages() []string {
	return []string{
		"collector", "features", "store", "forecast", "detect", "route", "intent", "learn", "actuator", "sim", "console",
	}
}

// seesEverything are the folders that wire or measure the whole; nobody imports them.
func seesEverything() []string { return []string{"cmd", "bench", "lab", "torture"} }

// pureCores decide or count without clock, network, disk, log or chance of their own: those come in as arguments.
func pureCores() []string {
	return []string{
		"schemas", "features/join", "features/window", "features/complete",
		"forecast/naive", "forecast/smoothing", "forecast/backtest", "forecast/capacity", "forecast/plan",
		"detect/residual", "detect/lifecycle", "detect/shift",
		"actuator/arbiter", "actuator/guard", "actuator/render", "actuator/cluster", "actuator/report",
		"internal/size", "internal/redact", "internal/doctor", "internal/strict",
		"lab/spec", "lab/loopback", "lab/dial",
	}
}

func impure() []string {
	return []string{"os", "net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand"}
}

// violations lists what is wrong with folder (a path below the module, "" for its root) importing path.
func violations(folder, path string) []string {
	var out []string
	if target, ours := strings.CutPrefix(path, module+"/"); ours {
		if !mayImport(folder, target) {
			out = append(out, fmt.Sprintf("%s imports %s: imports point at schemas; declare a small interface where you need it", folder, target))
		}
	} else if folder == "schemas" && strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
		out = append(out, fmt.Sprintf("%s imports %s: the vocabulary needs only the standard library", folder, path))
	}
	for _, l := range libraries() {
		if under(path, l.path) && !slices.ContainsFunc(l.homes, func(home string) bool { return under(folder, home) }) {
			out = append(out, fmt.Sprintf("%s imports %s: only %s may: %s", folder, path, strings.Join(l.homes, ", "), l.why))
		}
	}
	if isPure(folder) && slices.Contains(impure(), path) {
		out = append(out, fmt.Sprintf("%s imports %s: a pure core gets time, chance and the outside as arguments", folder, path))
	}
	return out
}

func mayImport(folder, target string) bool {
	from, to := first(folder), first(target)
	switch {
	case slices.Contains(seesEverything(), from):
		return true
	case folder == "schemas":
		return false
	case from == to || to == "schemas":
		return true
	case from == "schemas":
		return false
	case to == "internal":
		return true
	}
	// The vocabulary of transport and of keeping: their children, which know a technology, stay out of reach.
	return (to == "ingest" || target == "store") && slices.Contains(stages(), from)
}

func isPure(folder string) bool {
	// Children of schemas embed files and encode; only the vocabulary itself is pure.
	return folder == "schemas" || slices.ContainsFunc(pureCores(), func(p string) bool { return p != "schemas" && under(folder, p) })
}

func first(folder string) string { return strings.SplitN(folder, "/", 2)[0] }

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
