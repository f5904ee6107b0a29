package join

// none marks an empty link.
const none = int32(-1)

// entry is what a generation knows under one span identity.
type entry struct {
	key     uint64
	origin  int32  // index of the span's origin, or none if only its children were seen
	waiting int32  // first child that waits for this span, or none
	sent    int32  // this span's own call to a declared peer, as long as nobody answered for it, or none
	retry   bool   // this span sends and says that it repeats a call
	under   bool   // the span above it, of the same instance, says so; as far as that was known when this one came
	above   uint64 // the identity of the span above, if this one sends and that one was not known when it came; else 0
}

// table is an open-addressing hash table with linear probing. A general map costs about ten times as much here, and this is the
// hottest lookup of the data path. Key 0 marks a free slot.
type table struct {
	slots []entry
	used  int
}

const minSlots = 1 << 10

// find returns the entry of key, or nil. The pointer is valid until the next put.
func (t *table) find(key uint64) *entry {
	if t.used == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		switch t.slots[i].key {
		case key:
			return &t.slots[i]
		case 0:
			return nil
		}
	}
}

// put returns the entry of key and makes it if need be. The pointer is valid until the next put.
func (t *table) put(key uint64) *entry {
	if 4*t.used >= 3*len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	i := key & mask
	for t.slots[i].key != 0 && t.slots[i].key != key {
		i = (i + 1) & mask
	}
	if t.slots[i].key == 0 {
		t.slots[i] = entry{key: key, origin: none, waiting: none, sent: none}
		t.used++
	}
	return &t.slots[i]
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]entry, max(minSlots, 2*len(old)))
	mask := uint64(len(t.slots) - 1)
	for _, e := range old {
		if e.key == 0 {
			continue
		}
		i := e.key & mask
		for t.slots[i].key != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = e
	}
}
