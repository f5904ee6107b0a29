package say_test

import (
	"encoding/json"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/weirmesh/weir/actuator/report/say"
	"github.com/weirmesh/weir/schemas"
)

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.5: "0.5", 12.34: "12.3", 12.35: "12.4", 123.4: "123", 999.6: "1,000", 1234: "1,230", 1234567: "1,230,000",
		0.012345: "0.0123", 0.00001234: "1.23e-05", 2.5e12: "2.5e+12", -12.34: "-12.3", math.Inf(1): "unknown", 100.04: "100",
	} {
		if got := say.Number(v); got != want {
			t.Errorf("Number(%v) is %q, want %q", v, got, want)
		}
	}
	if got := say.Number(math.NaN()); got != "unknown" {
		t.Error(got)
	}
	for v, want := range map[float64]string{1234: "1,234", -1234: "-1,234", 0: "0", 1.2345: "1.23", 123456789: "123,456,789"} {
		if got := say.Exact(v); got != want {
			t.Errorf("Exact(%v) is %q, want %q", v, got, want)
		}
	}
}

func TestQuantities(t *testing.T) {
	cases := []struct {
		v    float64
		unit string
		want string
	}{
		{12.345, "calls/s", "12.3 calls/s"},
		{0.18341, "share", "18.3 %"},
		{1, "share", "100 %"},
		{20, "percent", "20 %"},
		{1, "replicas", "1 replica"},
		{1234, "replicas", "1,234 replicas"},
		{5.4532, "replicas", "5.45 replicas"},
		{900, "s", "15 min"},
		{42.5, "s", "42.5 s"},
		{26, "h", "26 h"},
		{2246, "", "2,246"},
		{0.97312, "", "0.973"},
		{0.0221, "cpu per calls/s", "2.21 % CPU per call/s"},
		{math.NaN(), "ms", "unknown"},
		{math.Inf(-1), "", "unknown"},
		{3, "a\x1bb", "3 a\uFFFDb"},
	}
	for _, c := range cases {
		if got := say.Quantity(c.v, c.unit); got != c.want {
			t.Errorf("%v %s is %q, want %q", c.v, c.unit, got, c.want)
		}
	}
	for got, want := range map[string]string{
		say.Between(1, 2, "ms"): "1 to 2 ms", say.Between(0.01, 0.02, "share"): "1 to 2 %", say.Between(1, 2, ""): "1 to 2",
		say.Between(math.NaN(), 2, "ms"): "unknown to 2 ms", say.Between(30, 90, "s"): "30 s to 1 min 30 s",
		say.Count(1, "proposal"): "1 proposal", say.Count(0, "proposal"): "0 proposals", say.Times(1): "once", say.Times(7): "7 times",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	noon := time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC)
	tokyo := time.FixedZone("Tokyo", 9*3600)
	for got, want := range map[string]string{
		say.Clock(noon.Add(-time.Hour).In(tokyo), noon): "11:00:00",
		say.Clock(noon.Add(-13*time.Hour), noon):        "2025-03-03 23:00:00",
		say.Clock(time.Time{}, noon):                    "unknown",
		say.Range(noon, noon.Add(time.Minute)):          "2025-03-04 12:00:00 to 12:01:00",
		say.Seconds(0.25):                               "0.25 s", say.Seconds(59.9): "59.9 s", say.Seconds(90): "1 min 30 s",
		say.Seconds(7.2 * 3600): "7 h 12 min",
		say.Seconds(86400):      "24 h", say.Seconds(2*86400 + 5): "2 d", say.Seconds(-90): "-1 min 30 s", say.Seconds(math.NaN()): "unknown",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestActions(t *testing.T) {
	cases := []struct {
		kind     schemas.DecisionKind
		version  string
		from, to float64
		want     string
	}{
		{schemas.Shift, "v2", 20, 0, "lower v2 from 20 % to 0 % of traffic"},
		{schemas.Shift, "v1", 80, 100, "raise v1 from 80 % to 100 % of traffic"},
		{schemas.Scale, "", 4, 6, "raise from 4 to 6 replicas"},
		{schemas.Scale, "v1", 2, 1, "lower v1 from 2 to 1 replica"},
		{schemas.Scale, "v1", 3, 3, "keep v1 at 3 replicas"},
	}
	for _, c := range cases {
		d := schemas.Decision{Kind: c.kind, Target: schemas.Workload{Name: "cart", Version: c.version}, Current: c.from, Proposed: c.to}
		if got := say.Action(d); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestMarkdownIsText(t *testing.T) {
	for in, want := range map[string]string{
		"load_ahead of a_b": "load_ahead of a_b", "_x_ *y*": `\_x\_ \*y\*`, "a|b": `a\|b`, "<b>": `\<b\>`, "a\nb\tc": "a b c",
		"\x1b[1m":          "\uFFFD\\[1m",
		"http://x www.y.z": `http\://x www\.y.z`, "`": "\\`", "[a](b)": `\[a\](b)`, "&amp;": `\&amp;`, "u\u202ev": "u\uFFFDv", "\xff": "\uFFFD",
	} {
		if got := say.Markdown(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"d-1": "`d-1`", "": "` `", "a`b": "``a`b``", "`a": "`` `a ``", "a|b": "`a\\|b`",
	} {
		if got := say.Code(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := say.Fence("a\n```\nb\x1b\r\n", "diff"); got != "````diff\na\n```\nb\uFFFD\n````\n" {
		t.Errorf("%q", got)
	}
}

// TestShellGivesBackWhatWasQuoted asks the shell.
func TestShellGivesBackWhatWasQuoted(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell: ", err)
	}
	for _, s := range []string{"", "a b", "it's", `'"$(id)` + "`id`", `\'\\`, "!x", "a\nb", "-n", "*"} {
		got, err := exec.Command(sh, "-c", "printf %s "+say.Shell(s)).Output()
		if err != nil || string(got) != s {
			t.Errorf("%q comes back as %q, %v", s, got, err)
		}
	}
}

func TestPatchCommands(t *testing.T) {
	const patch = `[ {"op": "replace", "path": "/spec/replicas", "value": 3} ]`
	for object, want := range map[string]string{
		"Deployment shop/cart-v1":   `kubectl -n shop patch deployment cart-v1 --type=json -p '[{"op":"replace","path":"/spec/replicas","value":3}]'`,
		"VirtualService cart":       `kubectl patch virtualservice cart --type=json -p '[{"op":"replace","path":"/spec/replicas","value":3}]'`,
		"Deployment shop/$(reboot)": "", "Deployment -n/cart": "", "Deployment": "", "": "", "Deployment shop/a b": "", "Deployment shop/cart\n": "",
	} {
		if got := say.Patch(object, patch); got != want {
			t.Errorf("%q: got %q, want %q", object, got, want)
		}
	}
	for _, bad := range []string{"", "{}", "[", "[1] [2]", "[\"\xff\"]"} {
		if got := say.Patch("Deployment shop/cart", bad); got != "" {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// FuzzPatch checks that a patch on a command line is the patch that was given, and can neither steer a terminal nor end early.
func FuzzPatch(f *testing.F) {
	f.Add(`[{"op":"replace","path":"/a","value":"it's ` + "\u202e\U000e0001" + `"}]`)
	f.Add("[\n]")
	f.Fuzz(func(t *testing.T, patch string) {
		command := say.Patch("Deployment shop/cart", patch)
		if command == "" {
			return
		}
		for _, r := range command {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q holds %U", command, r)
			}
		}
		quoted := strings.TrimPrefix(command, "kubectl -n shop patch deployment cart --type=json -p '")
		got := strings.ReplaceAll(strings.TrimSuffix(quoted, "'"), `'\''`, "'")
		var a, b any
		if err := json.Unmarshal([]byte(got), &a); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if err := json.Unmarshal([]byte(patch), &b); err != nil {
			t.Fatalf("%q was taken for JSON: %v", patch, err)
		}
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if string(x) != string(y) {
			t.Fatalf("%s became %s", y, x)
		}
	})
}

// FuzzText checks what every text has to fulfil wherever it is shown.
func FuzzText(f *testing.F) {
	f.Add("a|b\n```\x1b[31m<script>")
	f.Fuzz(func(t *testing.T, s string) {
		for _, text := range []string{say.Line(s), say.Markdown(s), say.Code(s), say.SQL(s), say.Words(s), say.Label(s), say.Sentence(s)} {
			for _, r := range text {
				if !unicode.IsPrint(r) {
					t.Fatalf("%q holds %U", text, r)
				}
			}
		}
		block := say.Fence(s, "")
		fence, rest, _ := strings.Cut(block, "\n")
		if strings.Count("\n"+rest, "\n"+fence) != 1 {
			t.Fatalf("%q is left early", block)
		}
	})
}
