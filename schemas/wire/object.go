package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

const maxMembers = 256 // of a JSON object

// codec moves the fields of a value into a JSON object, or out of one. A field is named once, for both ways, and what is checked holds
// for both. The first error stays; what comes after it does nothing.
type codec struct {
	in  map[string]json.RawMessage // nil while writing
	out bytes.Buffer
	err error
}

// encodeObject returns the JSON object of what fields moves.
func encodeObject(fields func(*codec)) ([]byte, error) {
	c := &codec{}
	fields(c)
	if c.err != nil {
		return nil, c.err
	}
	return append(c.out.Bytes(), '}'), nil
}

// decodeObject lets fields move what the JSON object says. All fields have to be there; others are ignored.
func decodeObject(data []byte, fields func(*codec)) error {
	in, err := object(data)
	if err != nil {
		return err
	}
	c := &codec{in: in}
	fields(c)
	return c.err
}

// object returns the members of a JSON object. Names are compared as they are, and one that is there twice is an error: two readers could
// otherwise understand the same bytes differently.
func object(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errors.New("it is no JSON text")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("member %.100q is there twice", name)
		}
		if len(members) == maxMembers {
			return nil, fmt.Errorf("more than %d members", maxMembers)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		members[name] = raw
	}
	return members, nil
}

func (c *codec) reading() bool { return c.in != nil }

func (c *codec) check(name string, ok bool, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf("field %s: %s", name, fmt.Sprintf(format, args...))
	}
}

// move writes what v points to, or reads into it.
func (c *codec) move(name string, v any, nullable bool) {
	if c.err != nil {
		return
	}
	if !c.reading() {
		c.put(name, v)
		return
	}
	raw, there := c.in[name]
	c.check(name, there, "it is missing")
	c.check(name, nullable || string(raw) != "null", "it is null")
	if c.err == nil {
		err := json.Unmarshal(raw, v)
		c.check(name, err == nil, "%v", err)
	}
}

func (c *codec) put(name string, v any) {
	separator := `,"`
	if c.out.Len() == 0 {
		separator = `{"`
	}
	c.out.WriteString(separator + name + `":`)
	e := json.NewEncoder(&c.out)
	e.SetEscapeHTML(false) // people read it
	if err := e.Encode(v); err != nil {
		c.check(name, false, "%v", err)
		return
	}
	c.out.Truncate(c.out.Len() - 1) // the encoder ends with a newline
}
