package wire

import _ "embed"

// URIs of the JSON Schemas (2020-12) of the data of events, in dataschema. They are names and no addresses: nothing has to be reachable
// to read or check an event. Schemas has the texts.
const (
	SchemaAlert    = "urn:weir:schema:alert:v1"
	SchemaDecision = "urn:weir:schema:decision:v1"
	SchemaOutcome  = "urn:weir:schema:outcome:v1"
)

var (
	//go:embed alert.v1.schema.json
	alertSchema string
	//go:embed decision.v1.schema.json
	decisionSchema string
	//go:embed outcome.v1.schema.json
	outcomeSchema string
)

// Schemas returns the JSON Schema of the data of each type of event, by its URI. The caller owns them.
func Schemas() map[string][]byte {
	return map[string][]byte{SchemaAlert: []byte(alertSchema), SchemaDecision: []byte(decisionSchema), SchemaOutcome: []byte(outcomeSchema)}
}
