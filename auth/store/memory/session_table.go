package memory

// table finds rows by 32 bits of a key's hash; whoever asks compares the key itself. It is an array of slots,
// without pointers, which is searched from the place that the hash points to up to the first empty slot.
// The place is the hash scaled to the length, so the length need not be a power of two: a table grows by a
// quarter, and at least seven of ten slots are in use where a doubled one would leave half of them empty.
type table struct {
	slots []slot
	used  int
}

// slot is empty if ref is zero.
type slot struct{ hash, ref uint32 }

const fewestSlots = 8

func (t *table) home(hash uint32) int { return int(uint64(hash) * uint64(len(t.slots)) >> 32) }

func (t *table) after(i int) int {
	if i++; i < len(t.slots) {
		return i
	}
	return 0
}

// find returns the first ref under the hash that is the wanted one, or zero.
func (t *table) find(hash uint32, wanted func(ref uint32) bool) uint32 {
	if t.used == 0 {
		return 0
	}
	for i := t.home(hash); t.slots[i].ref != 0; i = t.after(i) {
		if s := t.slots[i]; s.hash == hash && wanted(s.ref) {
			return s.ref
		}
	}
	return 0
}

// put adds a ref that is not in the table. At most seven of eight slots are in use, so a search ends soon.
func (t *table) put(hash, ref uint32) {
	if (t.used+1)*8 > len(t.slots)*7 {
		t.resize(max(fewestSlots, len(t.slots)+len(t.slots)/4))
	}
	t.place(slot{hash, ref})
	t.used++
}

func (t *table) place(s slot) {
	i := t.home(s.hash)
	for t.slots[i].ref != 0 {
		i = t.after(i)
	}
	t.slots[i] = s
}

// remove takes out a ref that is in the table. The slots behind it move up, so that no search stops at the
// gap. A table that is mostly empty shrinks.
func (t *table) remove(hash, ref uint32) {
	gap := t.home(hash)
	for t.slots[gap].ref != ref {
		gap = t.after(gap)
	}
	for i := t.after(gap); t.slots[i].ref != 0; i = t.after(i) {
		if t.reaches(t.home(t.slots[i].hash), gap, i) {
			t.slots[gap] = t.slots[i]
			gap = i
		}
	}
	t.slots[gap] = slot{}
	t.used--
	if len(t.slots) > fewestSlots && t.used*3 < len(t.slots) {
		t.resize(max(fewestSlots, t.used*3/2))
	}
}

// reaches reports whether a search from home passes the gap before it comes to i.
func (t *table) reaches(home, gap, i int) bool {
	if gap <= i {
		return home <= gap || home > i
	}
	return home <= gap && home > i
}

func (t *table) resize(n int) {
	old := t.slots
	t.slots = make([]slot, n)
	for _, s := range old {
		if s.ref != 0 {
			t.place(s)
		}
	}
}
