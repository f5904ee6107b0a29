package controlplane

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPortsAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.json")
	first, err := openPorts(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, port := range first.all() {
		if *port < firstPort || *port > lastPort || slices.Contains(all, *port) {
			t.Errorf("chose %d besides %v", *port, all)
		}
		all = append(all, *port)
	}
	// Somebody takes one: the others stay.
	l, err := listen(t.Context(), first.Kwok)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	second, err := openPorts(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if second.Kwok == first.Kwok {
		t.Errorf("port %d is somebody else's", second.Kwok)
	}
	second.Kwok = first.Kwok
	if second != first {
		t.Errorf("ports changed: %+v, %+v", first, second)
	}
}

func TestPortsOfAnotherFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := openPorts(t.Context(), file); err == nil {
		t.Errorf("a broken file gave %+v", p)
	}
}
