package process_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/lab/process"
)

// TestMain is also the program of a supervisor that other tests kill.
func TestMain(m *testing.M) {
	if mark := os.Getenv("PROCESS_TEST_SUPERVISOR"); mark != "" {
		os.Exit(supervise(mark))
	}
	goleak.VerifyTestMain(m)
}

// supervise starts a program, says its id, and waits.
func supervise(mark string) int {
	p, err := process.Start(context.Background(), sleep(), mark)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(p.Pid())
	<-p.Done()
	return 0
}

func sleep() process.Spec {
	return process.Spec{Name: "sleep", Path: "/bin/sleep", Args: []string{"600"}}
}

func shell(script string) process.Spec {
	return process.Spec{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}}
}

// runs says whether a process is there and more than a zombie.
func runs(pid int) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	state := line[bytes.LastIndexByte(line, ')')+2]
	return state != 'Z' && state != 'X'
}

// eventually polls until ok, and fails the test if that takes suspiciously long.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for begin := time.Now(); !ok(); <-ticker.C {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("it never came to be: %s", what)
		}
	}
}
