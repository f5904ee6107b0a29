// Package toolbox finds the programs that the lab runs from others. lab/tools/build.sh makes them; this package never does.
package toolbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirmesh/weir/lab/tools"
)

// The programs.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
	Istiod            = "pilot-discovery"
	Envoy             = "envoy"
	Kubectl           = "kubectl"
)

// The custom resource definitions, files of YAML documents.
const (
	IstioCRDs      = "istio-crds.yaml"
	GatewayAPICRDs = "gateway-api-crds.yaml"
)

// Tools is a folder in which every program and every file of definitions is there.
type Tools struct{ dir string }

// Base returns the folder in which the lab keeps what can be made again: $WEIR_LAB_CACHE, or weir/lab in the user's cache folder.
func Base() (string, error) {
	if base := os.Getenv("WEIR_LAB_CACHE"); base != "" {
		return filepath.Abs(base)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the lab's cache: %w; set WEIR_LAB_CACHE", err)
	}
	return filepath.Join(cache, "weir", "lab"), nil
}

// Dir returns where tools of the pinned versions live below base.
func Dir(base string) string {
	sum := sha256.Sum256([]byte(tools.Versions()))
	return filepath.Join(base, "tools", hex.EncodeToString(sum[:])[:12])
}

// Open returns the tools below base. If one is missing, the error names it and says what to do.
func Open(base string) (Tools, error) {
	t := Tools{dir: Dir(base)}
	var missing []string
	for _, path := range t.all() {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			missing = append(missing, filepath.Base(path))
		}
	}
	if len(missing) > 0 {
		return Tools{}, fmt.Errorf("the lab's tools are not complete in %s (missing: %s): run `make lab-tools`",
			t.dir, strings.Join(missing, ", "))
	}
	return t, nil
}

// Path returns where a program is.
func (t Tools) Path(program string) string { return filepath.Join(t.dir, "bin", program) }

// Share returns where a file of definitions is.
func (t Tools) Share(file string) string { return filepath.Join(t.dir, "share", file) }

func (t Tools) all() []string {
	var paths []string
	for _, program := range []string{Etcd, APIServer, ControllerManager, Scheduler, Kwok, Istiod, Envoy, Kubectl} {
		paths = append(paths, t.Path(program))
	}
	return append(paths, t.Share(IstioCRDs), t.Share(GatewayAPICRDs))
}
