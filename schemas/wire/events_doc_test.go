package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas/wire"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares the messages of the three events with testdata: other programs read them.
func TestGolden(t *testing.T) {
	for name, e := range signed(t) {
		key, value, headers := e.Encode()
		var text strings.Builder
		text.WriteString("key: " + string(key) + "\n")
		for _, h := range headers {
			text.WriteString(h.Key + ": " + h.Value + "\n")
		}
		text.WriteString("\n" + string(value) + "\n")
		golden := filepath.Join("testdata", name+".v1.message")
		if *update {
			write(t, golden, []byte(text.String()))
		}
		if want := string(must(os.ReadFile(golden))(t)); text.String() != want {
			t.Errorf("the message differs from %s (rewrite with -update and look at the difference):\n%s", golden, text.String())
		}
	}
}

// TestGoldenIsRead reads the golden files: what was written once stays readable.
func TestGoldenIsRead(t *testing.T) {
	want := map[string]any{"alert": finding(), "decision": decision(), "outcome": outcome()}
	for name := range want {
		head, value, _ := strings.Cut(string(must(os.ReadFile(filepath.Join("testdata", name+".v1.message")))(t)), "\n\n")
		var headers []wire.Header
		for line := range strings.Lines(head) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			headers = append(headers, wire.Header{Key: k, Value: v})
		}
		got, err := open([]byte(headers[0].Value), []byte(strings.TrimSuffix(value, "\n")), headers[1:])
		if err != nil || !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: %+v, error %v", name, got, err)
		}
	}
}

func page(t *testing.T) string {
	t.Helper()
	return string(must(os.ReadFile("../../docs/formats/events.md"))(t))
}

// block returns the indented block of docs/formats/events.md that contains some text.
func block(t *testing.T, some string) string {
	t.Helper()
	for part := range strings.SplitSeq(page(t), "\n\n") {
		if strings.HasPrefix(part, "    ") && strings.Contains(part, some) {
			return strings.ReplaceAll(strings.TrimPrefix(part, "    "), "\n    ", "\n")
		}
	}
	t.Fatalf("no block of events.md contains %q", some)
	return ""
}

func TestThePageShowsTheGoldenEvents(t *testing.T) {
	page := page(t)
	for name, e := range signed(t) {
		_, value, headers := e.Encode()
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, value, "    ", "  "); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(page, "    "+pretty.String()) {
			t.Errorf("the page does not have the data of the %s:\n    %s", name, pretty.String())
		}
		for _, h := range headers {
			if line := "    " + h.Key + ": " + h.Value + "\n"; !strings.Contains(page, line) {
				t.Errorf("the page does not have the %s's header\n%s", name, line)
			}
			if !strings.Contains(page, "| `"+h.Key+"` |") {
				t.Errorf("the page has no row for header %s", h.Key)
			}
		}
		for field := range published(t, e.DataSchema).Properties {
			if !strings.Contains(page, "| `"+field+"` |") && !strings.Contains(page, "`"+field+"`, ") && !strings.Contains(page, ", `"+field+"` |") {
				t.Errorf("the page has no row for field %s of the %s", field, name)
			}
		}
	}
}
