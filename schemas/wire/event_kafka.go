package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
)

// CloudEvents Kafka protocol binding 1.0: https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md
const (
	headerContentType = "content-type"
	headerPrefix      = "ce_" // 3.2.3.1: attributes are prefixed
	specVersion       = "1.0"
	contentJSON       = "application/json"
	contentStructured = "application/cloudevents" // prefix of the media types of structured mode, 3
)

// maxAttributes is how many attributes of an event are read, ours and those that others added.
const maxAttributes = 64

// Encode returns the Kafka message of the event in binary content mode: data is the value as it is, everything else is a header (3.2).
// The key is the partition key (3.1). value is e.Data itself. Encode does not check anything; see Validate.
func (e Event) Encode() (key, value []byte, headers []Header) {
	headers = []Header{{headerPrefix + "specversion", specVersion}}
	for _, a := range e.attributes() {
		if v := a.value.String(); v != "" {
			headers = append(headers, Header{headerPrefix + a.name, v})
		}
	}
	headers = append(headers, Header{headerContentType, contentJSON})
	if e.PartitionKey != "" {
		key = []byte(e.PartitionKey)
	}
	return key, e.Data, headers
}

// DecodeEvent reads a Kafka message in binary or structured (application/cloudevents+json) content mode, and validates the event.
// Attributes that it does not know are ignored. The event keeps value.
func DecodeEvent(key, value []byte, headers []Header) (Event, error) {
	e, err := decodeEvent(value, headers)
	if err == nil {
		err = e.Validate()
	}
	// The key may be missing (3.1), but where it is there it places the message, and must do so as the event says.
	if err == nil && len(key) > 0 && e.PartitionKey != "" && string(key) != e.PartitionKey {
		err = fmt.Errorf("the message's key %.100q is not its partitionkey %.100q", key, e.PartitionKey)
	}
	if err != nil {
		return Event{}, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}

func decodeEvent(value []byte, headers []Header) (Event, error) {
	attributes, contentType, err := ofHeaders(headers)
	if err != nil {
		return Event{}, err
	}
	// 3: the prefix of the content type, in any case of letters, tells the mode.
	if len(contentType) < len(contentStructured) || !strings.EqualFold(contentType[:len(contentStructured)], contentStructured) {
		attributes["datacontenttype"] = contentType // 3.2.1
		return ofAttributes(attributes, value)
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != contentStructured+"+json" {
		return Event{}, fmt.Errorf("the event format %.100q is not readable here", contentType)
	}
	attributes, data, err := ofEnvelope(value)
	if err != nil {
		return Event{}, err
	}
	return ofAttributes(attributes, data)
}

// ofHeaders returns the attributes without their prefix. Each may be there at most once (CloudEvents 1.0, "Context Attributes").
func ofHeaders(headers []Header) (attributes map[string]string, contentType string, err error) {
	attributes = map[string]string{}
	typed := false
	for _, h := range headers {
		name, ours := strings.CutPrefix(h.Key, headerPrefix)
		_, twice := attributes[name]
		switch {
		case h.Key == headerContentType && !typed:
			contentType, typed = h.Value, true
		case h.Key == headerContentType || ours && twice:
			return nil, "", fmt.Errorf("header %.100q is there twice", h.Key)
		case ours && len(attributes) == maxAttributes:
			return nil, "", fmt.Errorf("more than %d attributes", maxAttributes)
		case ours:
			attributes[name] = h.Value
		}
	}
	return attributes, contentType, nil
}

// ofEnvelope reads the JSON event format, https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md
func ofEnvelope(value []byte) (attributes map[string]string, data []byte, err error) {
	if len(value) > 2*MaxData { // base64 takes four thirds
		return nil, nil, fmt.Errorf("%w: an envelope of %d bytes", ErrTooLarge, len(value))
	}
	members, err := object(value)
	if err != nil {
		return nil, nil, err
	}
	attributes = map[string]string{}
	for name, raw := range members {
		switch {
		case string(raw) == "null": // 2.2: as if it were not there
		case name == "data": // 3.1.2: as it is, so that a signature over it holds
			data = raw
		case name == "data_base64":
			err = json.Unmarshal(raw, &data)
		case raw[0] == '"':
			var s string
			err = json.Unmarshal(raw, &s)
			attributes[name] = s
		case name == "severitynumber": // 2.2: an Integer is a number
			attributes[name] = string(raw)
		case known(name):
			err = errors.New("it is no string")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("member %.100q: %w", name, err)
		}
	}
	if members["data"] != nil && members["data_base64"] != nil {
		return nil, nil, errors.New("both data and data_base64 are there") // 3.1.1
	}
	return attributes, data, nil
}

func known(name string) bool {
	for _, a := range new(Event).attributes() {
		if a.name == name {
			return true
		}
	}
	return name == "specversion" || name == "datacontenttype"
}

func ofAttributes(attributes map[string]string, data []byte) (Event, error) {
	if v := attributes["specversion"]; v != specVersion {
		return Event{}, fmt.Errorf("specversion %.100q is not readable here, want %s", v, specVersion)
	}
	if c := attributes["datacontenttype"]; c != "" { // absent means JSON, as in the JSON format 3.1.2
		if media, _, err := mime.ParseMediaType(c); err != nil || media != contentJSON {
			return Event{}, fmt.Errorf("data of type %.100q is not readable here, want %s", c, contentJSON)
		}
	}
	e := Event{Data: data}
	for _, a := range e.attributes() {
		v, there := attributes[a.name]
		if !there {
			continue
		}
		if v == "" {
			return Event{}, fmt.Errorf("%s is empty", a.name)
		}
		if err := a.value.Set(v); err != nil {
			return Event{}, fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return e, nil
}
