package strict_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/internal/strict"
)

type inner struct {
	Depth int `yaml:"depth"`
}

type document struct {
	Name   string        `yaml:"name"`
	Wait   time.Duration `yaml:"wait"`
	Start  time.Time     `yaml:"start"`
	On     bool          `yaml:"on"`
	Share  float64       `yaml:"share"`
	Seed   uint64        `yaml:"seed"`
	Pair   [2]int        `yaml:"pair"`
	Items  []inner       `yaml:"items"`
	Hidden int           `yaml:"-"`
	inner  `yaml:",inline"`
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		says       []string // empty: all is well
	}{
		{"everything", "name: a\nwait: 3s\nstart: 2026-03-02T00:00:00Z\non: true\nshare: 0.5\nseed: 7\npair: [1, 2]\nitems: [{depth: 1}]\ndepth: 2\n", nil},
		{"a key without a value", "name:\n", nil},
		{"a slip", "\nnmae: a\n", []string{"line 2: unknown key nmae: did you mean name?"}},
		{"nothing like it", "zebra: a\n", []string{"unknown key zebra"}},
		{"what yaml does not see", "hidden: 1\n", []string{"unknown key hidden"}},
		{"twice", "name: a\nname: b\n", []string{"line 2: name is there twice"}},
		{"deep", "items:\n- depth: 1\n- deph: 2\n", []string{"line 3: unknown key items[1].deph: did you mean depth?"}},
		{"kinds", "wait: 3\nshare: x\non: 7\nseed: -1\nstart: noon\nname: [a]\ndepth: {a: 1}\n", []string{
			`wait wants a duration with a unit such as 20ms, 30s or 5m, got "3"`, `share wants a number, got "x"`,
			`on wants true or false, got "7"`, `seed wants a whole number of at least 0, got "-1"`, `start wants a time such as`,
			"name wants text, got a list", "depth wants a whole number, got keys with values",
		}},
		{"lists", "items: 3\npair: [1]\n", []string{`items wants a list, got "3"`, "pair wants 2 values, got 1"}},
		{"anchors", "name: &a x\n", []string{"anchors and aliases are not read"}},
		{"no keys at all", "- 1\n", []string{"the file wants keys with values, got a list"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, err := strict.Parse([]byte(tt.text), 1000)
			if err != nil {
				t.Fatal(err)
			}
			err = strict.Check(root, reflect.TypeFor[document]())
			if (err != nil) != (len(tt.says) > 0) {
				t.Fatalf("error is %v", err)
			}
			for _, says := range tt.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error is\n%v\nwant in it: %s", err, says)
				}
			}
		})
	}
}

func TestParse(t *testing.T) {
	for text, says := range map[string]string{
		"a: 1\n---\nb: 2\n":      "more than one document",
		strings.Repeat("#", 101): "101 bytes, at most 100",
		"a: [1\n":                "line",
	} {
		if _, err := strict.Parse([]byte(text), 100); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error is %v, want %s in it", text, err, says)
		}
	}
	for _, text := range []string{"", "# nothing\n", "null\n"} {
		if root, err := strict.Parse([]byte(text), 100); root != nil || err != nil {
			t.Errorf("%q: got %v, %v; want neither", text, root, err)
		}
	}
}

func TestSlips(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"name", "name", 0}, {"nmae", "name", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := strict.Slips(tt.a, tt.b); got != tt.want {
			t.Errorf("Slips(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
