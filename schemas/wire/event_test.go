package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// full has every attribute.
func full() wire.Event {
	return wire.Event{
		ID: "1", Source: "/weir/test", Type: wire.TypeDecision, Subject: "c/shop/cart@v2", Time: at("06:31:00"), DataSchema: wire.SchemaDecision,
		Expiry: at("06:41:00").Add(500 * time.Millisecond), Cause: "f-1.2", Correlation: "i-1", Severity: schemas.SeverityWarning,
		Recorded: at("06:31:01"), PartitionKey: "c/shop/cart", Signature: "c2ln", KeyID: "0123456789abcdef", Data: []byte(`{"a": 1}`),
	}
}

// TestKafkaBinding goes through the rules of the CloudEvents Kafka protocol binding that a sender in binary mode has to keep.
func TestKafkaBinding(t *testing.T) {
	e := full()
	key, value, headers := e.Encode()
	keys := map[string]string{}
	for _, h := range headers {
		keys[h.Key] = h.Value
	}
	t.Run("3.1 the key is partitionkey as it is, and the attribute stays", func(t *testing.T) {
		if string(key) != e.PartitionKey || keys["ce_partitionkey"] != e.PartitionKey {
			t.Errorf("key %q, header %q", key, keys["ce_partitionkey"])
		}
		if key, _, headers := (wire.Event{ID: "1"}).Encode(); key != nil {
			t.Errorf("key %q, headers %v without a partitionkey", key, headers)
		}
	})
	t.Run("3.2.1 content-type is the datacontenttype", func(t *testing.T) {
		if keys["content-type"] != "application/json" || keys["ce_datacontenttype"] != "" {
			t.Errorf("headers %v", headers)
		}
	})
	t.Run("3.2.2 the value is the data", func(t *testing.T) {
		if string(value) != string(e.Data) {
			t.Errorf("value %s", value)
		}
	})
	t.Run("3.2.3 all attributes are headers, in UTF-8, once", func(t *testing.T) {
		want := map[string]string{
			"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/weir/test", "ce_type": wire.TypeDecision, "ce_subject": "c/shop/cart@v2",
			"ce_time": "2025-03-04T06:31:00Z", "ce_dataschema": wire.SchemaDecision, "ce_expirytime": "2025-03-04T06:41:00.5Z",
			"ce_causationid": "f-1.2", "ce_correlationid": "i-1", "ce_severitytext": "WARN", "ce_severitynumber": "13",
			"ce_recordedtime": "2025-03-04T06:31:01Z", "ce_partitionkey": "c/shop/cart", "ce_signature": "c2ln", "ce_keyid": "0123456789abcdef",
			"content-type": "application/json",
		}
		if !reflect.DeepEqual(keys, want) || len(headers) != len(want) {
			t.Errorf("headers %v, want %v", headers, want)
		}
		for _, h := range headers {
			if !utf8.ValidString(h.Key) || !utf8.ValidString(h.Value) {
				t.Errorf("%q is no UTF-8", h)
			}
		}
	})
	t.Run("3.2.3.1 names are ce_ and an attribute's name", func(t *testing.T) {
		name := regexp.MustCompile(`^ce_[a-z0-9]{1,20}$`) // "Naming Conventions"
		for _, h := range headers {
			if h.Key != "content-type" && !name.MatchString(h.Key) {
				t.Errorf("%q is no attribute", h.Key)
			}
		}
	})
	t.Run("what is not there has no header", func(t *testing.T) {
		_, _, headers := wire.Event{ID: "1", Source: "s", Type: "t", Data: []byte("{}")}.Encode()
		want := []wire.Header{
			{"ce_specversion", "1.0"}, {"ce_id", "1"}, {"ce_source", "s"}, {"ce_type", "t"}, {"content-type", "application/json"},
		}
		if !slices.Equal(headers, want) {
			t.Errorf("headers %v, want %v", headers, want)
		}
	})
}

// TestReadsBothModes holds binary mode and structured mode, plain and in base64, to the same event.
func TestReadsBothModes(t *testing.T) {
	e := full()
	key, value, headers := e.Encode()
	members := map[string]any{}
	for _, h := range headers {
		if name, ok := strings.CutPrefix(h.Key, "ce_"); ok {
			members[name] = h.Value
		}
	}
	members["severitynumber"] = 13
	members["unset"] = nil
	members["other"] = map[string]any{"of a newer": "extension"}
	inBase64 := envelope(t, members, "data_base64", fmt.Sprintf("%q", base64.StdEncoding.EncodeToString(e.Data)))
	plain := envelope(t, members, "data", string(e.Data))
	members["datacontenttype"] = "application/json; charset=utf-8"
	typed := envelope(t, members, "data", string(e.Data))
	structured := func(contentType string) []wire.Header { return []wire.Header{{"content-type", contentType}} }
	foreign := []wire.Header{{"x", ""}, {"x", ""}, {"ce_other", "1"}}
	for _, c := range []struct {
		name    string
		key     []byte
		value   []byte
		headers []wire.Header
	}{
		{"binary", key, value, headers},
		{"binary without a key", nil, value, headers},
		{"binary in another order with foreign headers", key, value, append(foreign, reversed(headers)...)},
		{"binary without a content type", key, value, headers[:len(headers)-1]},
		{"binary with charset", key, value, append(headers[:len(headers)-1:len(headers)-1], structured("Application/JSON; charset=utf-8")...)},
		{"structured", key, plain, structured("application/cloudevents+json")},
		{"structured in other letters", key, plain, structured("Application/CloudEvents+JSON; charset=UTF-8")},
		{"structured, its headers do not count", key, plain, append(structured("application/cloudevents+json"), wire.Header{"ce_id", "2"})},
		{"structured, data in base64", key, inBase64, structured("application/cloudevents+json")},
		{"structured with a content type of its own", nil, typed, structured("application/cloudevents+json")},
	} {
		got, err := wire.DecodeEvent(c.key, c.value, c.headers)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: %+v, error %v", c.name, got, err)
		}
	}
}

// envelope is the JSON event format with data as it is.
func envelope(t *testing.T, members map[string]any, name, data string) []byte {
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSuffix(string(text), "}") + `,"` + name + `":` + data + "}")
}

func reversed(headers []wire.Header) []wire.Header {
	headers = slices.Clone(headers)
	slices.Reverse(headers)
	return headers
}

func TestRefusedMessages(t *testing.T) {
	_, value, headers := full().Encode()
	change := func(key, value string) func() []wire.Header {
		return func() []wire.Header {
			out := slices.DeleteFunc(slices.Clone(headers), func(h wire.Header) bool { return h.Key == key })
			if value == "" {
				return out
			}
			return append(out, wire.Header{Key: key, Value: value})
		}
	}
	add := func(more ...wire.Header) func() []wire.Header {
		return func() []wire.Header { return append(slices.Clone(headers), more...) }
	}
	structured := func() []wire.Header { return []wire.Header{{"content-type", "application/cloudevents+json"}} }
	for _, c := range []struct {
		name, value string
		headers     func() []wire.Header
		err         string
	}{
		{"no specversion", string(value), change("ce_specversion", ""), `specversion "" is not readable`},
		{"another specversion", string(value), change("ce_specversion", "0.3"), `specversion "0.3" is not readable`},
		{"no id", string(value), change("ce_id", ""), "id, source and type must be there"},
		{"no source", string(value), change("ce_source", ""), "id, source and type must be there"},
		{"no type", string(value), change("ce_type", ""), "id, source and type must be there"},
		{"two ids", "{}", add(wire.Header{"ce_id", "2"}), `header "ce_id" is there twice`},
		{"an empty subject", "{}", func() []wire.Header { return append(change("ce_subject", "")(), wire.Header{"ce_subject", ""}) }, "subject is empty"},
		{"two signatures", "{}", add(wire.Header{"ce_signature", "b3RoZXI="}), `header "ce_signature" is there twice`},
		{"two content types", "{}", add(wire.Header{"content-type", "application/json"}), `header "content-type" is there twice`},
		{"a source that is no URI reference", string(value), change("ce_source", ":%zz"), "source is no URI reference"},
		{"a relative dataschema", string(value), change("ce_dataschema", "decision"), "is no absolute URI"},
		{"no time", string(value), change("ce_time", "yesterday"), `"yesterday" is no RFC 3339 time`},
		{"no expiry", string(value), change("ce_expirytime", "1741069860"), "is no RFC 3339 time"},
		{"a negative severity", string(value), change("ce_severitynumber", "-1"), "is no severity"},
		{"severity zero", string(value), change("ce_severitynumber", "0"), "is no severity"},
		{"a severity with a sign", string(value), change("ce_severitynumber", "+13"), "is no severity"},
		{"a line break", string(value), change("ce_subject", "a\nb"), "a character that CloudEvents does not allow"},
		{"a noncharacter", string(value), change("ce_subject", "a\uffffb"), "a character that CloudEvents does not allow"},
		{"another noncharacter", string(value), change("ce_subject", "a\ufdd0b"), "a character that CloudEvents does not allow"},
		{"no UTF-8", string(value), change("ce_subject", "a\xff"), "no UTF-8"},
		{"a long attribute", string(value), change("ce_subject", strings.Repeat("a", 4097)), "4097 bytes, more than 4096"},
		{"many attributes", string(value), add(many(64)...), "more than 64 attributes"},
		{"data that is no JSON", string(value), change("content-type", "application/avro"), "is not readable here"},
		{"a content type that is none", string(value), change("content-type", "application/json; charset"), "is not readable here"},
		{"a tombstone", "", add(), "there is no data"},
		{"much data", strings.Repeat(" ", wire.MaxData+1), add(), "262145 bytes, more than 262144"},
		{"another event format", "{}", change("content-type", "application/cloudevents+avro"), "is not readable here"},
		{"a batch", "[]", change("content-type", "application/cloudevents-batch+json"), "is not readable here"},
		{"an envelope that is no JSON", "{", structured, "it is no JSON text"},
		{"an envelope that is no object", "[]", structured, "it is no JSON object"},
		{"an envelope in Latin-1", "{\"id\":\"\xe9\"}", structured, "it is no JSON text"},
		{"an envelope with two ids", `{"id":"1","i\u0064":"2"}`, structured, `member "id" is there twice`},
		{"an envelope with a number as id", `{"specversion":"1.0","id":1}`, structured, `member "id": it is no string`},
		{"an envelope without specversion", `{"id":"1"}`, structured, `specversion "" is not readable`},
		{"an envelope without data", `{"specversion":"1.0","id":"1","source":"s","type":"t"}`, structured, "there is no data"},
		{"an envelope with data twice", `{"data":{},"data_base64":"e30="}`, structured, "both data and data_base64"},
		{"an envelope with bad base64", `{"data_base64":"?"}`, structured, `member "data_base64"`},
		{"a large envelope", strings.Repeat(" ", 2*wire.MaxData+1), structured, "too large"},
	} {
		e, err := wire.DecodeEvent(nil, []byte(c.value), c.headers())
		if err == nil || !strings.Contains(err.Error(), c.err) || !reflect.DeepEqual(e, wire.Event{}) {
			t.Errorf("%s: %+v, error %v, want %q", c.name, e, err, c.err)
		}
	}
	if e, err := wire.DecodeEvent([]byte("c/shop/other"), value, headers); err == nil {
		t.Errorf("another key: %+v", e)
	}
}

func many(n int) (headers []wire.Header) {
	for i := range n {
		headers = append(headers, wire.Header{Key: fmt.Sprintf("ce_x%d", i), Value: "1"})
	}
	return headers
}

// TestTheSDKAgrees gives the headers of events to the CloudEvents SDK, and its JSON format to us.
func TestTheSDKAgrees(t *testing.T) {
	events := signed(t)
	events["full"] = full()
	for name, e := range events {
		key, value, headers := e.Encode()
		theirs := cloudevents.New(cloudevents.CloudEventsVersionV1)
		for _, h := range headers {
			set(&theirs, h)
		}
		if err := theirs.SetData(cloudevents.ApplicationJSON, json.RawMessage(value)); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		envelope, err := json.Marshal(theirs)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := wire.DecodeEvent(key, envelope, []wire.Header{{"content-type", cloudevents.ApplicationCloudEventsJSON}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// They may space data differently, which is what data_base64 is for.
		if !sameJSON(t, ours.Data, e.Data) {
			t.Errorf("%s: data %s, want %s", name, ours.Data, e.Data)
		}
		if ours.Data = e.Data; !reflect.DeepEqual(ours, e) {
			t.Errorf("%s: %+v, want %+v", name, ours, e)
		}
	}
}

func set(e *cloudevents.Event, h wire.Header) {
	switch name := strings.TrimPrefix(h.Key, "ce_"); name {
	case "id":
		e.SetID(h.Value)
	case "source":
		e.SetSource(h.Value)
	case "type":
		e.SetType(h.Value)
	case "subject":
		e.SetSubject(h.Value)
	case "dataschema":
		e.SetDataSchema(h.Value)
	case "time":
		t, _ := time.Parse(time.RFC3339, h.Value)
		e.SetTime(t)
	case "specversion":
		e.SetSpecVersion(h.Value)
	case "content-type":
		e.SetDataContentType(h.Value)
	default:
		e.SetExtension(name, h.Value)
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		t.Fatalf("%s or %s is no JSON", a, b)
	}
	return reflect.DeepEqual(x, y)
}
