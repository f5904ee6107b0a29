package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What Verify finds wrong.
var (
	ErrUnsigned     = errors.New("event is not signed")
	ErrUnknownKey   = errors.New("event is signed with a key that is not trusted")
	ErrBadSignature = errors.New("event's signature does not match its data")
)

// KeyID names a public key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes. It finds a key; it proves nothing.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// Sign sets Signature and KeyID: ed25519 (RFC 8032) over the pre-authentication encoding of DataSchema and Data. The same event and key
// give the same signature. It fails, and leaves the event as it was, if the key is none or the event has no DataSchema.
func Sign(e *Event, key ed25519.PrivateKey) error {
	if len(key) != ed25519.PrivateKeySize {
		return fmt.Errorf("sign event %s: a key of %d bytes, want %d", e.ID, len(key), ed25519.PrivateKeySize)
	}
	if e.DataSchema == "" {
		return fmt.Errorf("sign event %s: it has no dataschema", e.ID)
	}
	e.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, preAuthentication(e.DataSchema, e.Data)))
	e.KeyID = KeyID(ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:]))
	return nil
}

// Verify returns nil if one of the trusted keys, by KeyID, signed the event's DataSchema and Data; else ErrUnsigned, ErrUnknownKey or
// ErrBadSignature. The decoders hold the other attributes to the data, so decode before believing any of them.
func Verify(e Event, trusted map[string]ed25519.PublicKey) error {
	if e.Signature == "" {
		return fmt.Errorf("verify event %.100q: %w", e.ID, ErrUnsigned)
	}
	key, ok := trusted[e.KeyID]
	if !ok || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("verify event %.100q, key %.100q: %w", e.ID, e.KeyID, ErrUnknownKey)
	}
	signature, err := signatureBytes(e.Signature)
	if err != nil || !ed25519.Verify(key, preAuthentication(e.DataSchema, e.Data), signature) {
		return fmt.Errorf("verify event %.100q, key %s: %w", e.ID, e.KeyID, ErrBadSignature)
	}
	return nil
}

// signatureBytes takes standard and URL-safe base64, as DSSE asks, and each signature in one spelling only.
func signatureBytes(text string) ([]byte, error) {
	if len(text) != base64.StdEncoding.EncodedLen(ed25519.SignatureSize) { // which leaves no room for the line breaks that Go skips
		return nil, errors.New("it has not the length of a signature")
	}
	if strings.ContainsAny(text, "-_") {
		return base64.URLEncoding.Strict().DecodeString(text)
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// preAuthentication is PAE of DSSE 1.0, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, with lengths in bytes. The
// payload type is the URI of the data's schema: application/json would let data of one kind pass for another.
func preAuthentication(payloadType string, body []byte) []byte {
	out := []byte("DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(len(body)) + " ")
	return append(out, body...)
}
