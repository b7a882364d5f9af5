package memory

import (
	"crypto/sha256"
	"encoding/base64"
	"sync/atomic"
)

// row is the part of a session by which it is found, 64 bytes. What else there is to say of it stands
// packed in its stripe's texts. A row of account zero is free.
type row struct {
	hash    [32]byte
	id      idKey
	account uint32 // in the stripe's accounts, counted from one
	next    uint32 // the account's next session, or the next free row; zero if there is none
	packed  uint32 // in the stripe's texts
	agent   uint32 // in the stripe's agents
}

// of reports whether the row is still that of the session with the hash, now that its stripe is locked.
func (r *row) of(hash [32]byte) bool { return r.account != 0 && r.hash == hash }

// rows are the sessions of one stripe, numbered from one. A row stays where it is for good. So the indexes,
// which have locks of their own, can read the hash and the id of a row that they know while its stripe
// changes others; these two are written only while no index knows the row.
type rows struct {
	slabs atomic.Pointer[[]*slab] // longer ones replace shorter ones, for those who read without the lock
	made  uint32                  // rows in use or free
	free  uint32                  // the first free one
}

// slab is 2 KiB of rows.
type slab [32]row

// mostRows is how many rows a stripe can have: so many that a number and its stripe fit into 32 bits.
const mostRows = 1<<32/spread - 1

func (r *rows) at(n uint32) *row {
	slabs := *r.slabs.Load()
	n--
	return &slabs[n/uint32(len(slab{}))][n%uint32(len(slab{}))]
}

// take returns a row that is in no index, and its number. There must be one: see stripe.full.
func (r *rows) take() (uint32, *row) {
	if n := r.free; n != 0 {
		taken := r.at(n)
		r.free = taken.next
		return n, taken
	}
	if r.made%uint32(len(slab{})) == 0 {
		var slabs []*slab
		if old := r.slabs.Load(); old != nil {
			slabs = *old
		}
		slabs = append(slabs, new(slab))
		r.slabs.Store(&slabs)
	}
	r.made++
	return r.made, r.at(r.made)
}

// drop frees a row that is in no index any more.
func (r *rows) drop(n uint32) {
	*r.at(n) = row{next: r.free}
	r.free = n
}

// idKey stands for a session's id. Of an id as session.Manager makes them it is the 128 bits that the text
// encodes; of any other, as many of its SHA-256. So two ids have one key only if somebody found a collision.
type idKey [16]byte

// keyOf returns the key of an id and whether the id can be read from it.
func keyOf(id string) (key idKey, whole bool) {
	var raw [17]byte
	if len(id) == idLen {
		if n, err := encoding.Decode(raw[:], []byte(id)); err == nil && n == len(key) {
			return idKey(raw[:]), true
		}
	}
	sum := sha256.Sum256([]byte(id))
	return idKey(sum[:]), false
}

// encoding is strict: no two texts encode the same bits.
var encoding = base64.RawURLEncoding.Strict()

const idLen = 22

func (k idKey) append(b []byte) []byte { return encoding.AppendEncode(b, k[:]) }
