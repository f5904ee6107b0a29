package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weirmesh/weir/lab/spec"
)

// TestMain lets scripts run weir-lab: the test binary itself under another name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir-lab": main})
}

// TestCommands runs the scripts in testdata/script: one file for each behaviour of the command line. The lab of each is $WORK/cache/run,
// which never starts.
func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("WEIR_LAB_CACHE", filepath.Join(env.WorkDir, "cache"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "decodes": decodes},
	})
}

// exits runs a program and wants an exit code: exits CODE PROGRAM ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, ended := 0, (*exec.ExitError)(nil)
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// decodes wants a file to be a lab file: decodes FILE
func decodes(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: decodes FILE")
	}
	if _, err := spec.Decode([]byte(ts.ReadFile(args[0]))); (err != nil) != neg {
		ts.Fatalf("%s: %v", args[0], err)
	}
}
