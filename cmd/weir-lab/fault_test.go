package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/lab/spec"
)

// labSays runs a command where no lab runs.
func labSays(t *testing.T, args ...string) string {
	t.Helper()
	t.Setenv("WEIR_LAB_CACHE", t.TempDir())
	var out, log bytes.Buffer
	if code := run(t.Context(), args, &out, &log); code != cli.Done {
		t.Fatalf("weir lab %s: exit code %d\n%s", strings.Join(args, " "), code, log.String())
	}
	return out.String()
}

// TestEveryKindIsShown compares with the vocabulary what people read and what their shell completes.
func TestEveryKindIsShown(t *testing.T) {
	for _, tt := range []struct {
		args []string
		end  string // of the kind's name
	}{
		{[]string{"fault", "list"}, " "},
		{[]string{"__complete", "fault", ""}, "\t"},
	} {
		out := "\n" + labSays(t, tt.args...)
		for _, k := range spec.Kinds() {
			if _, line, ok := strings.Cut(out, "\n"+string(k.Kind)+tt.end); !ok || !strings.Contains(line, k.Summary) {
				t.Errorf("weir lab %s does not show %s: %s in\n%s", strings.Join(tt.args, " "), k.Kind, k.Summary, out)
			}
		}
	}
}

// TestListSaysWhatAFaultNeeds looks at the flags and sizes of the list.
func TestListSaysWhatAFaultNeeds(t *testing.T) {
	flags := faultCommand().Flags()
	for line := range strings.Lines(labSays(t, "fault", "list")) {
		kind, rest, _ := strings.Cut(line, " ")
		info, ok := spec.FaultKind(kind).Info()
		if !ok {
			continue // the heading
		}
		if !strings.Contains(rest, string(info.Class)) || !strings.Contains(rest, info.Size) {
			t.Errorf("%s is %s of size %q: %s", kind, info.Class, info.Size, line)
		}
		for word := range strings.FieldsSeq(rest) {
			if name, is := strings.CutPrefix(word, "--"); is && flags.Lookup(name) == nil {
				t.Errorf("%s needs --%s, which is no flag", kind, name)
			}
		}
	}
}
