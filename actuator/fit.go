package actuator

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/weirmesh/weir/schemas"
)

const (
	// maxShown is how many bytes of JSON the manifests and patches of an outcome may take, so that its event stays one (wire.MaxData).
	maxShown = 200 << 10
	// maxSaid is how long a sentence may be.
	maxSaid = 4000
)

// fit leaves out what is too large to be kept or sent: a ConfigMap's worth of annotations must not stop the outcomes of others.
func fit(o schemas.DecisionOutcome) schemas.DecisionOutcome {
	for _, text := range []*string{&o.Before, &o.After, &o.Diff, &o.Patch, &o.Inverse, &o.Validation} {
		*text = strings.ToValidUTF8(*text, "?")
	}
	o.Reason, o.Object, o.ReadFrom, o.Validation = clip(o.Reason), clip(o.Object), clip(o.ReadFrom), clip(o.Validation)
	text, err := json.Marshal([]string{o.Before, o.After, o.Diff, o.Patch, o.Inverse})
	if err == nil && len(text) <= maxShown {
		return o
	}
	o.Before, o.After, o.Diff = "", "", ""
	if len(o.Patch)+len(o.Inverse) > maxShown/8 {
		o.Patch, o.Inverse = "", ""
	}
	o.Reason = clip(o.Reason + " The object is too large to be shown here.")
	return o
}

// clip shortens a sentence.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= maxSaid {
		return s
	}
	end := maxSaid
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + " ..."
}
