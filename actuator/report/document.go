package report

import (
	"time"

	"github.com/weirmesh/weir/actuator/report/chart"
	"github.com/weirmesh/weir/actuator/report/say"
)

// Report is the document: what JSON writes, and all that Markdown and HTML read. Times are event time in UTC; numbers are in the unit that
// stands beside them; what is null is not known. The JSON Schema (Schema) describes each field.
type Report struct {
	Schema    string     `json:"schema"`
	Title     string     `json:"title"`
	Mode      string     `json:"mode"`
	Digest    string     `json:"digest"`
	At        time.Time  `json:"at"`
	From      time.Time  `json:"from"`
	DataFrom  time.Time  `json:"data_from,omitzero"`
	DataTo    time.Time  `json:"data_to,omitzero"`
	Replay    bool       `json:"replay"`
	Counts    Counts     `json:"counts"`
	Proposals []Proposal `json:"proposals"`
	Declined  []Declined `json:"declined"`
	Findings  []Finding  `json:"findings"`
	Stopped   []Stopped  `json:"stopped"`
	Expired   []Expired  `json:"expired"`
	Next      []string   `json:"next"`
}

// Counts are of the whole input; the lists of a report hold at most the limit each.
type Counts struct {
	Decisions        int `json:"decisions"`
	Proposals        int `json:"proposals"`
	Targets          int `json:"targets_without_proposal"`
	Refused          int `json:"refused"`
	Superseded       int `json:"superseded"`
	Expired          int `json:"expired"`
	FindingsFiring   int `json:"findings_firing"`
	FindingsPending  int `json:"findings_pending"`
	FindingsResolved int `json:"findings_resolved"`
}

// Target is what a decision or finding is about. Name is how the report calls it: as short as it can be without standing for two.
type Target struct {
	Name      string `json:"name"`
	Tenant    string `json:"tenant"`
	Cluster   string `json:"cluster"`
	Region    string `json:"region"`
	Namespace string `json:"namespace"`
	Workload  string `json:"workload"`
	Version   string `json:"version"`
}

// Interval is what a signal is expected to be.
type Interval struct {
	Signal   string   `json:"signal"`
	Expected *float64 `json:"expected"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	Unit     string   `json:"unit"`
	Text     string   `json:"text"`
}

// Proposal is what Weir would do now: one target's newest decision, with those it renews.
type Proposal struct {
	Rank           int          `json:"rank"`
	DecisionID     string       `json:"decision_id"`
	Kind           string       `json:"kind"`
	Target         Target       `json:"target"`
	Action         string       `json:"action"`
	Current        float64      `json:"current"`
	Proposed       float64      `json:"proposed"`
	Unit           string       `json:"unit"`
	Urgency        string       `json:"urgency"`
	Code           string       `json:"code"`
	Reason         string       `json:"reason"`
	Counterfactual string       `json:"counterfactual"`
	Since          time.Time    `json:"since"`
	MadeAt         time.Time    `json:"made_at"`
	ValidUntil     time.Time    `json:"valid_until"`
	Renewals       int          `json:"renewals"`
	Expects        Interval     `json:"expects"`
	Evidence       []say.Fact   `json:"evidence"`
	Chart          *chart.Chart `json:"chart"`
	Change         Change       `json:"change"`
	Cause          *Cause       `json:"cause"`
	Model          string       `json:"model"`
	ModelVersion   string       `json:"model_version"`
	KeyID          string       `json:"key_id"`
	Replay         bool         `json:"replay"`
}

// Cause is the finding that led to a proposal. State and what follows are "" where the finding itself is not known.
type Cause struct {
	FindingID   string    `json:"finding_id"`
	State       string    `json:"state"`
	Severity    string    `json:"severity"`
	StartedAt   time.Time `json:"started_at,omitzero"`
	Explanation string    `json:"explanation"`
}

// The states of a Change.
const (
	ChangeRendered   = "rendered"    // current state was read, the difference is known
	ChangeNotRead    = "not_read"    // the actuator could not read the current state
	ChangeNotChecked = "not_checked" // the actuator has not come to the decision yet
)

// Change is what would be changed in the mesh.
type Change struct {
	State      string `json:"state"`
	Object     string `json:"object"`
	Rule       string `json:"rule"`
	Reason     string `json:"reason"`
	Diff       string `json:"diff"`
	Patch      string `json:"patch"`
	Inverse    string `json:"inverse"`
	Command    string `json:"command"`
	Undo       string `json:"undo"`
	Validation string `json:"validation"`
	ReadFrom   string `json:"read_from"`
}

// Declined is one reason why nothing is proposed, with the targets that share it.
type Declined struct {
	Kind    string    `json:"kind"`
	Code    string    `json:"code"`
	Reason  string    `json:"reason"`
	Example bool      `json:"example"` // the reason is that of one target, those of others differ in it
	Count   int       `json:"count"`
	Targets []Target  `json:"targets"` // the first few
	AsOf    time.Time `json:"as_of"`   // when the oldest of these decisions was made
	Stale   bool      `json:"stale"`   // at least one of them has expired
}

// Finding is something that is or was wrong.
type Finding struct {
	FindingID   string       `json:"finding_id"`
	IncidentID  string       `json:"incident_id"`
	Revision    int          `json:"revision"`
	Kind        string       `json:"kind"`
	State       string       `json:"state"`
	Severity    string       `json:"severity"`
	Target      Target       `json:"target"`
	StartedAt   time.Time    `json:"started_at"`
	UpdatedAt   time.Time    `json:"updated_at"`
	ResolvedAt  time.Time    `json:"resolved_at,omitzero"`
	Observed    *float64     `json:"observed"`
	Expects     Interval     `json:"expects"`
	Text        string       `json:"text"`
	Explanation string       `json:"explanation"`
	Evidence    []say.Fact   `json:"evidence"`
	LedTo       []string     `json:"led_to"`
	Chart       *chart.Chart `json:"chart"`
}

// Stopped is proposals of one target that the same rule refused or that lost against another.
type Stopped struct {
	Kind   string    `json:"kind"`
	Target Target    `json:"target"`
	Stage  string    `json:"stage"`
	Rule   string    `json:"rule"`
	Count  int       `json:"count"`
	LastAt time.Time `json:"last_at"`
	LastID string    `json:"last_decision_id"`
	Action string    `json:"action"`
	Reason string    `json:"reason"`
}

// Expired is proposals of one target that nobody renewed.
type Expired struct {
	Kind   string    `json:"kind"`
	Target Target    `json:"target"`
	Count  int       `json:"count"`
	First  time.Time `json:"first_made_at"`
	Last   time.Time `json:"last_valid_until"`
	LastID string    `json:"last_decision_id"`
	Action string    `json:"action"`
	Reason string    `json:"reason"`
}
