package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/torture/run"
)

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--help"}, cli.Done, "weir-torture --calls 1000000 --kills 30 --seed 7"},
		{[]string{"--nonsense"}, cli.Usage, "unknown flag"},
		{[]string{"--kafka", "other"}, cli.Usage, "take embedded or apache"},
		{[]string{"--output", "xml"}, cli.Usage, `output "xml" is not known: text or json`},
		{[]string{"--weir", "/nowhere/weir"}, cli.Usage, "there is no binary"},
		{[]string{"--weir", "/bin/sh", "--previous", "/nowhere/weir"}, cli.Usage, "there is no binary"},
		{[]string{"--weir", "/bin/sh", "--calls", "0", "--out", "DIR"}, cli.Usage, "0 calls"},
	} {
		var out bytes.Buffer
		for i, arg := range tt.args {
			if arg == "DIR" {
				tt.args[i] = t.TempDir()
			}
		}
		if code := execute(t.Context(), tt.args, &out, &out); code != tt.code || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%v: code %d, says %q", tt.args, code, out.String())
		}
	}
}

func TestMeter(t *testing.T) {
	var out bytes.Buffer
	m := newMeter(&out)
	p := run.Progress{Phase: "counting", Requests: 100, Acked: 50, Calls: 500, Attempts: 60, Harms: 4, Kills: 2, Lag: 7}
	m.tell(p)
	m.tell(p) // within ten seconds
	want := " 50 %  counting: 500 calls acknowledged, 60 attempts, 4 harms, 2 of them kills, 7 messages to count\n"
	if out.String() != want {
		t.Errorf("it says %q, want %q", out.String(), want)
	}
}
