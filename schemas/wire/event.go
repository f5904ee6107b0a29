package wire

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/weirmesh/weir/schemas"
)

// Types of events. Another major version of the data is another type.
const (
	TypeAlert    = "dev.weir.alert.v1"
	TypeDecision = "dev.weir.decision.v1"
	TypeOutcome  = "dev.weir.outcome.v1"
)

// MaxData is the most bytes that the data of an event may have. CloudEvents 1.0, "Size Limits", promises that 64 KiB pass everywhere;
// alerts and decisions are far below that, and only the manifests of an outcome may need more.
const MaxData = 256 << 10

// maxAttribute is the most bytes of a context attribute: four names of schemas.MaxName, each character written as U+FFFD.
const maxAttribute = 4 << 10

// ErrTooLarge is in the chain of every error about data above MaxData.
var ErrTooLarge = errors.New("data is too large")

// Event is a CloudEvent 1.0 whose data is a JSON object. Zero values are attributes that are not there.
//
// Only Data and DataSchema are signed. The decoders of data therefore check that the other attributes say what the data says, and nothing
// may be decided by Source, Recorded or KeyID.
type Event struct {
	ID           string // with Source unique, and the same when the same thing is said again
	Source       string // URI reference of who says it, for example "/weir/forecast"
	Type         string
	Subject      string    // what it is about: cluster/namespace/workload@version
	Time         time.Time // when it happened, in event time
	DataSchema   string    // URI of the JSON Schema of Data; see Schemas
	Expiry       time.Time // expirytime extension: no longer useful after it
	Cause        string    // causationid of the correlation extension: id of the event that led to this one
	Correlation  string    // correlationid: what belongs together
	Severity     schemas.Severity
	Recorded     time.Time // recordedtime extension: when it was written, by the writer's clock
	PartitionKey string    // partitioning extension; it is also the key of the Kafka message
	Signature    string    // ours: base64 of an ed25519 signature, see Sign
	KeyID        string    // ours: which key signed, see KeyID
	Data         []byte
}

// attribute is one context attribute in its canonical string encoding (CloudEvents 1.0, "Type System"); "" where it is not there.
type attribute struct {
	name  string
	value interface {
		String() string
		Set(text string) error
	}
	claim bool // the data says the same
}

// attributes lists what the event has beside specversion, datacontenttype and data. Setting one changes the event.
func (e *Event) attributes() []attribute {
	return []attribute{
		{"id", (*text)(&e.ID), true},
		{"source", (*text)(&e.Source), false},
		{"type", (*text)(&e.Type), true},
		{"time", (*instant)(&e.Time), true},
		{"subject", (*text)(&e.Subject), true},
		{"dataschema", (*text)(&e.DataSchema), true},
		{"expirytime", (*instant)(&e.Expiry), true},
		{"causationid", (*text)(&e.Cause), true},
		{"correlationid", (*text)(&e.Correlation), true},
		{"severitytext", severityText{&e.Severity}, false},
		{"severitynumber", (*severityNumber)(&e.Severity), true},
		{"recordedtime", (*instant)(&e.Recorded), false},
		{"partitionkey", (*text)(&e.PartitionKey), true},
		{"keyid", (*text)(&e.KeyID), false},
		{"signature", (*text)(&e.Signature), false},
	}
}

// Validate reports what CloudEvents 1.0 does not allow, and what is too long for us.
func (e Event) Validate() error {
	for _, a := range e.attributes() {
		if err := allowed(a.value.String()); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	switch {
	case e.ID == "" || e.Source == "" || e.Type == "":
		return errors.New("id, source and type must be there")
	case len(e.Data) == 0:
		return errors.New("there is no data")
	case len(e.Data) > MaxData:
		return fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, len(e.Data), MaxData)
	}
	if _, err := url.Parse(e.Source); err != nil {
		return fmt.Errorf("source is no URI reference: %w", err)
	}
	if u, err := url.Parse(e.DataSchema); err != nil || e.DataSchema != "" && !u.IsAbs() {
		return fmt.Errorf("dataschema %.100q is no absolute URI", e.DataSchema)
	}
	return nil
}

// agrees returns an error if an attribute that the data speaks of differs from what it should be by the data.
func (e Event) agrees(want Event) error {
	should := want.attributes()
	for i, a := range e.attributes() {
		if is, must := a.value.String(), should[i].value.String(); a.claim && is != must {
			return fmt.Errorf("%s is %.100q, but the data says %.100q", a.name, is, must)
		}
	}
	return nil
}

// allowed checks the type String: no control characters, no noncharacters, and UTF-8 (Kafka binding, 3.2.3).
func allowed(s string) error {
	switch {
	case len(s) > maxAttribute:
		return fmt.Errorf("%d bytes, more than %d", len(s), maxAttribute)
	case !utf8.ValidString(s):
		return errors.New("no UTF-8")
	case strings.ContainsFunc(s, forbidden):
		return fmt.Errorf("%.100q has a character that CloudEvents does not allow", s)
	}
	return nil
}

func forbidden(r rune) bool {
	return unicode.IsControl(r) || r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef
}

// plain makes a name fit for an attribute, with U+FFFD in place of what is not allowed.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if forbidden(r) {
			return utf8.RuneError
		}
		return r
	}, name)
}

type text string

func (t *text) String() string { return string(*t) }

func (t *text) Set(s string) error {
	*t = text(s)
	return nil
}

type instant time.Time

func (t *instant) String() string {
	if time.Time(*t).IsZero() {
		return ""
	}
	return time.Time(*t).UTC().Format(time.RFC3339Nano)
}

func (t *instant) Set(s string) error {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf("%.100q is no RFC 3339 time", s)
	}
	*t = instant(at.UTC())
	return nil
}

// severityNumber is an Integer of the severity extension, which must not be negative; 0 is no severity.
type severityNumber schemas.Severity

func (n *severityNumber) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.Itoa(int(*n))
}

func (n *severityNumber) Set(s string) error {
	number, err := strconv.ParseUint(s, 10, 31)
	*n = severityNumber(number)
	if err != nil || number == 0 || s[0] == '0' {
		return fmt.Errorf("%.100q is no severity", s)
	}
	return nil
}

// severityText is written for people; severitynumber says the same and counts.
type severityText struct{ of *schemas.Severity }

func (s severityText) String() string {
	if *s.of == 0 {
		return ""
	}
	return s.of.String()
}

func (severityText) Set(string) error { return nil }
