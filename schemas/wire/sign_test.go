package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weirmesh/weir/schemas/wire"
)

// TestSignatureIsDSSE checks the signature against the pre-authentication encoding that DSSE's protocol.md gives as its example.
func TestSignatureIsDSSE(t *testing.T) {
	e := wire.Event{DataSchema: "http://example.com/HelloWorld", Data: []byte("hello world")}
	if err := wire.Sign(&e, key()); err != nil {
		t.Fatal(err)
	}
	signature := must(base64.StdEncoding.DecodeString(e.Signature))(t)
	public := ed25519.PublicKey(key()[ed25519.SeedSize:])
	if !ed25519.Verify(public, []byte("DSSEv1 29 http://example.com/HelloWorld 11 hello world"), signature) {
		t.Error("it is not a signature of DSSE's example")
	}
	if e.KeyID != "cd8fa86afd6bf20d" { // as sha256sum says of the 32 bytes
		t.Errorf("key id %s", e.KeyID)
	}
	if err := wire.Verify(e, trust(key())); err != nil {
		t.Error(err)
	}
	e.Signature = base64.URLEncoding.EncodeToString(signature) // verifiers must accept either
	if err := wire.Verify(e, trust(key())); err != nil {
		t.Error(err)
	}
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte("o"), ed25519.SeedSize))
	otherPublic := ed25519.PublicKey(other[ed25519.SeedSize:])
	id := wire.KeyID(ed25519.PublicKey(key()[ed25519.SeedSize:]))
	for _, c := range []struct {
		name    string
		change  func(*wire.Event)
		trusted map[string]ed25519.PublicKey
		want    error
	}{
		{"as it was", func(*wire.Event) {}, trust(key()), nil},
		{"no signature", func(e *wire.Event) { e.Signature = "" }, trust(key()), wire.ErrUnsigned},
		{"another trusted key", func(*wire.Event) {}, trust(other), wire.ErrUnknownKey},
		{"no trusted key", func(*wire.Event) {}, nil, wire.ErrUnknownKey},
		{"no key id", func(e *wire.Event) { e.KeyID = "" }, trust(key()), wire.ErrUnknownKey},
		{"a trusted key that is none", func(*wire.Event) {}, map[string]ed25519.PublicKey{id: {1, 2, 3}}, wire.ErrUnknownKey},
		{"another key under this id", func(*wire.Event) {}, map[string]ed25519.PublicKey{id: otherPublic}, wire.ErrBadSignature},
		{"signed by somebody else", func(e *wire.Event) {
			if err := wire.Sign(e, other); err != nil {
				t.Fatal(err)
			}
			e.KeyID = id
		}, trust(key()), wire.ErrBadSignature},
		{"other data", func(e *wire.Event) { e.Data = append(bytes.Clone(e.Data), ' ') }, trust(key()), wire.ErrBadSignature},
		{"data of another kind", func(e *wire.Event) { e.DataSchema = wire.SchemaOutcome }, trust(key()), wire.ErrBadSignature},
		{"no base64", func(e *wire.Event) { e.Signature = "?" + e.Signature[1:] }, trust(key()), wire.ErrBadSignature},
		{"a line break in it", func(e *wire.Event) { e.Signature = e.Signature[:40] + "\n" + e.Signature[40:] }, trust(key()), wire.ErrBadSignature},
		{"a line break for a digit", func(e *wire.Event) { e.Signature = e.Signature[:87] + "\n" }, trust(key()), wire.ErrBadSignature},
		{"two bytes more", func(e *wire.Event) {
			long := append(must(base64.StdEncoding.DecodeString(e.Signature))(t), 0, 0)
			e.Signature = base64.StdEncoding.EncodeToString(long)
		}, trust(key()), wire.ErrBadSignature},
		{"a short one", func(e *wire.Event) { e.Signature = e.Signature[:84] }, trust(key()), wire.ErrBadSignature},
	} {
		e := signed(t)["decision"]
		c.change(&e)
		if err := wire.Verify(e, c.trusted); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	e := signed(t)["decision"]
	before := e
	for _, key := range []ed25519.PrivateKey{nil, make([]byte, 32), make([]byte, 65)} {
		if err := wire.Sign(&e, key); err == nil || !reflect.DeepEqual(e, before) {
			t.Errorf("signed with a key of %d bytes: %+v", len(key), e)
		}
	}
	if err := wire.Sign(&wire.Event{Data: []byte("{}")}, key()); err == nil {
		t.Error("signed without a dataschema")
	}
}

// TestFlippedBits changes every bit of each message in turn. Either somebody refuses the message, or it says what it said before: only
// the source, which nothing is decided by, may change, and what has no meaning.
func TestFlippedBits(t *testing.T) {
	for name, event := range signed(t) {
		want := must(decode(event))(t)
		key, value, headers := event.Encode()
		accepted := map[string]int{}
		check := func(where string) {
			got, err := open(key, value, headers)
			if err != nil {
				return
			}
			accepted[where]++
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: a bit of %s makes %+v", name, where, got)
			}
		}
		each(key, func() { check("the key") })
		each(value, func() { check("the data") })
		for i, h := range headers {
			for _, part := range []struct {
				where string
				bytes []byte
				set   func(string)
			}{
				{"the name " + h.Key, []byte(h.Key), func(s string) { headers[i].Key = s }},
				{h.Key, []byte(h.Value), func(s string) { headers[i].Value = s }},
			} {
				each(part.bytes, func() { part.set(string(part.bytes)); check(part.where) })
				part.set(string(part.bytes))
			}
		}
		for where := range accepted {
			switch where {
			case "ce_source": // see Event
			case "content-type", "the name content-type": // Application/json; none means JSON
			case "ce_severitytext", "the name ce_severitytext": // severitynumber counts
			case "ce_subject", "the name ce_subject", "ce_partitionkey", "the name ce_partitionkey", "the key":
				if name != "outcome" { // an outcome's data does not name the target
					t.Errorf("%s: %d flipped bits of %s were accepted", name, accepted[where], where)
				}
			default:
				t.Errorf("%s: %d flipped bits of %s were accepted", name, accepted[where], where)
			}
		}
	}
}

// each calls do with every bit of b flipped, one after the other.
func each(b []byte, do func()) {
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		do()
		b[i/8] ^= 1 << (i % 8)
	}
}

// open does what a reader does who trusts the test's key.
func open(k, value []byte, headers []wire.Header) (any, error) {
	e, err := wire.DecodeEvent(k, value, headers)
	if err != nil {
		return nil, err
	}
	if err := wire.Verify(e, trust(key())); err != nil {
		return nil, err
	}
	return decode(e)
}

// TestForgedAttributesAreRefused puts the attributes of one good event on the data of another.
func TestForgedAttributesAreRefused(t *testing.T) {
	for name, change := range map[string]func(*wire.Event){
		"id":            func(e *wire.Event) { e.ID = "d-00000000000000000000" },
		"type":          func(e *wire.Event) { e.Type = wire.TypeAlert },
		"subject":       func(e *wire.Event) { e.Subject = "c/shop/front" },
		"time":          func(e *wire.Event) { e.Time = e.Time.Add(1) },
		"expirytime":    func(e *wire.Event) { e.Expiry = at("23:59:59") },
		"dataschema":    func(e *wire.Event) { e.DataSchema = wire.SchemaAlert },
		"causationid":   func(e *wire.Event) { e.Cause = "f-1" },
		"correlationid": func(e *wire.Event) { e.Correlation = "i-1" },
		"severity":      func(e *wire.Event) { e.Severity = 13 },
		"partitionkey":  func(e *wire.Event) { e.PartitionKey = "c/shop/front" },
		"no expirytime": func(e *wire.Event) { e.Expiry = at("00:00:00").AddDate(-2024, -2, -3) },
	} {
		e := signed(t)["decision"]
		change(&e)
		if d, err := wire.DecodeDecision(e); err == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
	moved := signed(t)["decision"]
	moved.Source, moved.Recorded = "/weir/elsewhere", at("12:00:00") // nothing is decided by them
	if d, err := wire.DecodeDecision(moved); err != nil || !reflect.DeepEqual(d, decision()) {
		t.Errorf("%+v, error %v", d, err)
	}
}

// TestOpenSSLVerifies runs the recipe of docs/formats/events.md.
func TestOpenSSLVerifies(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	der := must(x509.MarshalPKIXPublicKey(key().Public()))(t)
	write(t, filepath.Join(dir, "signing.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	recipe := block(t, "openssl pkeyutl")
	for name, e := range signed(t) {
		_, _, headers := e.Encode()
		var text strings.Builder
		for _, h := range headers {
			text.WriteString(h.Key + "=" + h.Value + "\n")
		}
		write(t, filepath.Join(dir, "headers"), []byte(text.String()))
		write(t, filepath.Join(dir, "data"), e.Data)
		if out, err := sh(dir, recipe); err != nil || !strings.Contains(out, "Signature Verified Successfully") {
			t.Errorf("%s: %s, error %v", name, out, err)
		}
		write(t, filepath.Join(dir, "data"), append(bytes.Clone(e.Data), ' '))
		if out, err := sh(dir, recipe); err == nil {
			t.Errorf("%s with a changed byte: %s", name, out)
		}
	}
}

func sh(dir, script string) (string, error) {
	c := exec.Command("sh", "-e", "-c", script)
	c.Dir = dir
	out, err := c.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
