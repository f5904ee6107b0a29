package lifecycle_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/detect"
	"github.com/weirmesh/weir/detect/lifecycle"
	"github.com/weirmesh/weir/schemas"
)

var subject = lifecycle.Subject{
	Workload: schemas.Workload{Cluster: "c", Namespace: "shop", Name: "checkout", Version: "v2"},
	Signal:   schemas.SignalErrorRate, Model: schemas.Model{Name: "residual", Version: "1"},
}

// score is what a letter of a scenario stands for: . in bounds, o out of bounds, a alarm, C alarm and critical, ? not judged.
func score(letter byte) detect.Score {
	s := detect.Score{Known: true, Observed: 0.01, Expected: 0.01, High: 0.03, Threshold: 6, Pooled: 0.01, Windows: 3, Calls: 60, Failed: 1}
	switch letter {
	case 'o':
		s.Value, s.Pooled, s.Failed = 4.5, 0.05, 3
	case 'a':
		s.Value, s.Pooled, s.Failed = 7, 0.08, 5
	case 'C':
		s.Value, s.Pooled, s.Failed = 12, 0.34, 20
	case '?':
		return detect.Score{}
	}
	return s
}

func window(i int) schemas.ServiceWindow {
	return schemas.ServiceWindow{Workload: subject.Workload, Start: at(i), Length: 10 * time.Second, Calls: 20, Completeness: 1}
}

// play runs a scenario; _ is a window that is missing. It returns what was published.
func play(m *lifecycle.Machine, script string) []schemas.Finding {
	var out []schemas.Finding
	for i := range len(script) {
		var f schemas.Finding
		var ok bool
		if script[i] != '_' {
			f, ok = m.Step(window(i), score(script[i]), nil)
		}
		if !ok {
			f, ok = m.Expire(at(i + 1))
		}
		if ok {
			out = append(out, f)
		}
	}
	return out
}

func short(fs []schemas.Finding) string {
	var parts []string
	for _, f := range fs {
		parts = append(parts, fmt.Sprintf("%d:%s@%d/%s", f.Revision, f.State, int(f.UpdatedAt.Sub(epoch).Seconds())/10, f.Severity))
	}
	return strings.Join(parts, " ")
}

func TestLifeOfAFinding(t *testing.T) {
	gone := strings.Repeat("_", 61)
	for _, c := range []struct{ name, script, want string }{
		{"nothing is wrong", "......", ""},
		{"one alarm is pending and ends without a word", "...a.....", "1:pending@4/WARN"},
		{"two in a row fire", "...aa", "1:pending@4/WARN 2:firing@5/WARN"},
		{"two of three fire", "...a.a", "1:pending@4/WARN 2:firing@6/WARN"},
		{"two of four do not", "...a..a....", "1:pending@4/WARN 1:pending@7/WARN"},
		{"out of bounds without an alarm is nothing", "...ooooo", ""},
		{"an alarm is confirmed by what came before it", "...o.a", "1:firing@6/WARN"},
		{"a window that was not judged does not count", "...a??a", "1:pending@4/WARN 2:firing@7/WARN"},
		{"nor does one that is missing", "...a__a", "1:pending@4/WARN 2:firing@7/WARN"},
		{"six in bounds resolve", "..aa......", "1:pending@3/WARN 2:firing@4/WARN 3:resolved@10/WARN"},
		{"one out of bounds begins the six again", "..aa.....o......", "1:pending@3/WARN 2:firing@4/WARN 3:resolved@16/WARN"},
		{"becoming critical is a revision", "..aaCC", "1:pending@3/WARN 2:firing@4/WARN 3:firing@5/FATAL"},
		{"it does not become less", "..CCaaa......", "1:pending@3/FATAL 2:firing@4/FATAL 3:resolved@13/FATAL"},
		{"silence resolves after ten minutes", "..CC" + gone, "1:pending@3/FATAL 2:firing@4/FATAL 3:resolved@64/FATAL"},
		{"not judging for ten minutes as well", "..CC" + strings.Repeat("?", 61), "1:pending@3/FATAL 2:firing@4/FATAL 3:resolved@64/FATAL"},
		{"a pending one ends silently with it", "..a" + gone + "a", "1:pending@3/WARN 1:pending@65/WARN"},
		{"what was long ago confirms nothing", "..o" + gone + "a", "1:pending@65/WARN"},
		{
			"the next is another finding", "aa......aa",
			"1:pending@1/WARN 2:firing@2/WARN 3:resolved@8/WARN 1:pending@9/WARN 2:firing@10/WARN",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := short(play(lifecycle.NewMachine(subject), c.script)); got != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", c.script, got, c.want)
			}
		})
	}
}

func TestAWarningIsAcceptedAfterSixHoursACriticalOneNever(t *testing.T) {
	warning := play(lifecycle.NewMachine(subject), strings.Repeat("a", 2200))
	if got, want := short(warning[:3]), "1:pending@1/WARN 2:firing@2/WARN 3:resolved@2162/WARN"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	text := warning[2].Explanation
	if !strings.Contains(text, "taken as how things are") || !strings.Contains(text, "nothing says that it was repaired") {
		t.Errorf("explanation %q", text)
	}
	if got := short(play(lifecycle.NewMachine(subject), strings.Repeat("C", 9000))); got != "1:pending@1/FATAL 2:firing@2/FATAL" {
		t.Errorf("critical: %s", got)
	}
}

func TestFindingSaysWhatIsWrong(t *testing.T) {
	m := lifecycle.NewMachine(subject)
	for i := range 3 {
		m.Step(window(i), score('.'), nil)
	}
	m.Step(window(3), score('C'), nil)
	f, ok := m.Step(window(4), score('C'), []lifecycle.Sibling{{Version: "v1", Value: 0.004}})
	if !ok || f.State != schemas.Firing {
		t.Fatalf("got %v %v", f.State, ok)
	}
	want := "34 % of the calls to checkout@v2 fail since 00:00:30 UTC (20 of 60 in the last 30 s); 1.0 % are usual, expected below 3.0 %. " +
		"v1 is at 0.4 %."
	if f.Explanation != want {
		t.Errorf("explanation\n%s\nwant\n%s", f.Explanation, want)
	}
	if f.ID != schemas.FindingID(schemas.FindingErrors, subject.Workload, subject.Signal, at(3), subject.Model) || f.IncidentID != f.ID {
		t.Errorf("id %s, incident %s", f.ID, f.IncidentID)
	}
	if !f.StartedAt.Equal(at(3)) || !f.UpdatedAt.Equal(at(5)) || !f.ResolvedAt.IsZero() {
		t.Errorf("times %v %v %v", f.StartedAt, f.UpdatedAt, f.ResolvedAt)
	}
	if len(f.Inputs) != 5 || f.Inputs[4] != window(4).ID() {
		t.Errorf("inputs %v", f.Inputs)
	}
	if len(f.Evidence) != 5 || f.Evidence[2] != (schemas.Fact{Name: "failed_calls", Value: 20}) {
		t.Errorf("evidence %v", f.Evidence)
	}
}

func TestSilenceIsNotCalledHealthy(t *testing.T) {
	all := play(lifecycle.NewMachine(subject), "CC"+strings.Repeat("_", 61))
	f := all[len(all)-1]
	want := "No telemetry of checkout@v2 could be judged since 00:00:20 UTC, so it is not known whether it recovered; " +
		"its last error rate was 1.0 %."
	if f.State != schemas.Resolved || f.Explanation != want || !f.ResolvedAt.Equal(f.UpdatedAt) {
		t.Errorf("%s at %v: %s", f.State, f.ResolvedAt, f.Explanation)
	}
}

// Whatever the scores are: revisions rise by one from 1, a finding fires only after two windows out of bounds among three, and the same
// scores give the same findings.
func TestAnyScores(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 400)
		for i := range script {
			script[i] = "......oaC?_"[rng.IntN(11)]
		}
		published := play(lifecycle.NewMachine(subject), string(script))
		if again := play(lifecycle.NewMachine(subject), string(script)); short(again) != short(published) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		open := map[string]schemas.Finding{}
		for _, f := range published {
			before := open[f.ID]
			if f.Revision != before.Revision+1 || before.State == schemas.Resolved || f.Severity < before.Severity {
				t.Fatalf("seed %d: %d:%s after %d:%s", seed, f.Revision, f.State, before.Revision, before.State)
			}
			if f.State == schemas.Firing && before.State != schemas.Firing && outAmongThree(script, f.UpdatedAt) < 2 {
				t.Fatalf("seed %d: fires at %v with fewer than two windows out of bounds", seed, f.UpdatedAt)
			}
			if (f.State == schemas.Resolved) == f.ResolvedAt.IsZero() {
				t.Fatalf("seed %d: %s, resolved at %v", seed, f.State, f.ResolvedAt)
			}
			open[f.ID] = f
		}
	}
}

func outAmongThree(script []byte, until time.Time) (out int) {
	judged := 0
	for i := int(until.Sub(epoch)/(10*time.Second)) - 1; i >= 0 && judged < 3; i-- {
		switch script[i] {
		case '?', '_':
			continue
		case 'o', 'a', 'C':
			out++
		}
		judged++
	}
	return out
}
