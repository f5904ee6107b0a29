package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Unreadable is the value of the dead letter of something that could not be read: how long it was and its SHA-256, as JSON. What it said stays
// behind, because it could be anything. Who has the original, at the source and offset that the headers name, can tell that it is the one.
func Unreadable(value []byte) []byte {
	sum := sha256.Sum256(value)
	return []byte(`{"bytes":` + strconv.Itoa(len(value)) + `,"sha256":"` + hex.EncodeToString(sum[:]) + `"}`)
}
