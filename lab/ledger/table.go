package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A ledger is a header and records, all of one size, in the byte order of the machine:
//
//	header: magic, version, length of the process's name (each 8 bytes), the name
//	record: state, counter (each 8 bytes), the key's text
//
// The state of a record is 0 as long as nothing, or not all, of its key is written; then it is the text's length and, in the upper half,
// its CRC-32. It is written last and in one piece, so that neither a reader nor a restart sees half of a key.
const (
	magic   = 0x3152_4744_4c52_4957
	version = 1

	recordSize = 256
	records    = MaxKeys + 1
	tableSize  = (1 + records) * recordSize

	nameAt = 24
	textAt = 16

	overflow = 0 // the first record is Overflow's
)

// table is the content of a ledger's file.
type table []byte

func (t table) word(at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&t[at])) // at is divisible by 8, and a mapping begins with a page
}

func recordAt(i int) int { return (1 + i) * recordSize }

func (t table) state(record int) *atomic.Uint64 { return t.word(recordAt(record)) }

func (t table) count(record int) *atomic.Uint64 { return t.word(recordAt(record) + 8) }

func (t table) text(record, length int) []byte {
	at := recordAt(record) + textAt
	return t[at : at+length]
}

// publish writes a key into a free record. It reports false for a key that cannot be stored.
func (t table) publish(record int, k Key) bool {
	text, ok := k.text()
	if !ok {
		return false
	}
	copy(t.text(record, len(text)), text)
	t.state(record).Store(stateOf(text))
	return true
}

func stateOf(text []byte) uint64 { return uint64(crc32.ChecksumIEEE(text))<<32 | uint64(len(text)) }

// read calls each for every record in use, and returns the process's name.
func (t table) read(each func(k Key, record int, n uint64)) (string, error) {
	if t.word(0).Load() != magic {
		return "", errors.New("it does not begin as a ledger does")
	}
	if v := t.word(8).Load(); v != version {
		return "", fmt.Errorf("it is of version %d, not %d", v, version)
	}
	length := t.word(16).Load()
	if length > recordSize-nameAt {
		return "", errors.New("its header is damaged")
	}
	for i := range records {
		state := t.state(i).Load()
		if state == 0 {
			break
		}
		k, err := t.key(i, state)
		if err != nil {
			return "", fmt.Errorf("record %d: %w", i, err)
		}
		each(k, i, t.count(i).Load())
	}
	return string(t[nameAt : nameAt+length]), nil
}

func (t table) key(record int, state uint64) (Key, error) {
	length := state & 0xffff_ffff
	if length > recordSize-textAt {
		return Key{}, fmt.Errorf("its key is said to be %d bytes long", length)
	}
	text := t.text(record, int(length))
	if stateOf(text) != state {
		return Key{}, errors.New("its key does not fit its checksum")
	}
	return parseKey(string(text))
}

const separator = "\x00"

// text returns a key as it is stored, and false if it cannot be.
func (k Key) text() ([]byte, bool) {
	parts := []string{k.Side, k.From, k.To, k.Endpoint, k.Outcome}
	text := strings.Join(parts, separator)
	return []byte(text), len(text) <= recordSize-textAt && strings.Count(text, separator) == len(parts)-1
}

func parseKey(text string) (Key, error) {
	p := strings.Split(text, separator)
	if len(p) != 5 {
		return Key{}, fmt.Errorf("its key has %d parts", len(p))
	}
	return Key{Side: p[0], From: p[1], To: p[2], Endpoint: p[3], Outcome: p[4]}, nil
}

// emptyTable is the content of a ledger in which nothing has been counted.
func emptyTable(process string) ([]byte, error) {
	if len(process) > recordSize-nameAt {
		return nil, fmt.Errorf("process name %q is longer than %d bytes", process, recordSize-nameAt)
	}
	t := make([]byte, tableSize)
	order := binary.NativeEndian
	order.PutUint64(t, magic)
	order.PutUint64(t[8:], version)
	order.PutUint64(t[16:], uint64(len(process)))
	copy(t[nameAt:], process)
	text, _ := Overflow().text()
	copy(t[recordAt(overflow)+textAt:], text)
	order.PutUint64(t[recordAt(overflow):], stateOf(text))
	return t, nil
}

func mapTable(file *os.File, protection int) (table, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != tableSize {
		return nil, fmt.Errorf("it is %d bytes long, not %d", info.Size(), tableSize)
	}
	t, err := syscall.Mmap(int(file.Fd()), 0, tableSize, protection, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map it: %w", err)
	}
	return t, nil
}

func (t table) unmap() error { return syscall.Munmap(t) }
