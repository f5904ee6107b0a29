package ledger_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weirmesh/weir/lab/ledger"
)

// childLedger tells the test binary to be a process that counts until it is killed.
const childLedger = "LEDGER_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childLedger); path != "" {
		fmt.Fprintln(os.Stderr, countForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// countForever counts under ever new keys and says what is certain: numbers up to the one it prints are counted.
func countForever(path string) error {
	l, err := ledger.Open(path, "child")
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		l.Add(key(ledger.OK), 1)
		l.Add(ledger.Key{Side: ledger.Attempted, Endpoint: fmt.Sprint(i % 3000)}, 1)
		if i%100 == 0 {
			fmt.Println(i + 1)
		}
	}
}

func TestCountsSurviveKill(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "child.ledger")
	var certain uint64
	for round := range 4 {
		certain += killChild(t, path, 3+4*round)
		counts := read(t, dir)
		if got := counts[key(ledger.OK)]; got < certain {
			t.Fatalf("%d are counted, %d were certain", got, certain)
		}
		certain = counts[key(ledger.OK)] // the next process goes on from here
	}
	l := open(t, path, "child")
	l.Add(key(ledger.OK), 1)
	if got := l.Counts()[key(ledger.OK)]; got != certain+1 {
		t.Errorf("after the kills %d, want %d", got, certain+1)
	}
}

// killChild lets a process count until it has said so a number of times, kills it, and returns what was certain then.
func killChild(t *testing.T, path string, lines int) (certain uint64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env, child.Stderr = append(os.Environ(), childLedger+"="+path), os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	for i := 0; i < lines && said.Scan(); i++ {
		if _, err := fmt.Sscan(said.Text(), &certain); err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return certain
}
