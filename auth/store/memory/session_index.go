package memory

import (
	"hash/maphash"
	"sync"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

// spread is over how many locks the sessions are spread; a power of two.
const spread = 64

// sessions are found by the hash of their token, and from their account. An account's standing and all its
// sessions are guarded by one lock, its stripe's, so that what concerns an account is one act. The two
// indexes of all sessions have locks of their own, for their tables alone. Whoever takes several locks takes
// them in the order stripe, byID, byHash.
//
// No pointer leads to a session, and none from it: its row stands in a slab, the rest of it in its stripe's
// texts, and numbers say where. So the garbage collector looks into none of them, however many there are.
type sessions struct {
	seed    maphash.Seed
	stripes [spread]stripe
	byHash  [spread]index
	byID    [spread]index
}

// stripe holds some of the accounts, and their sessions. The padding keeps two of them off one cache line.
type stripe struct {
	sync.RWMutex
	number   uint32
	accounts []account // numbered from one
	byName   table     // of the accounts
	rows     rows
	texts    texts
	agents   agents
	_        [64]byte
}

// index finds rows of all stripes, by refs that say which stripe and which row in it.
type index struct {
	sync.RWMutex
	table
	_ [8]byte
}

func (x *sessions) init() {
	x.seed = maphash.MakeSeed()
	for i := range x.stripes {
		st := &x.stripes[i]
		st.number = uint32(i)
		st.texts.refs = st.refs
	}
}

func (st *stripe) ref(n uint32) uint32 { return n*spread + st.number }

// refs gives each whatever refers to one of the stripe's texts.
func (st *stripe) refs(each func(*uint32)) {
	for i := range st.accounts {
		each(&st.accounts[i].packed)
	}
	for n := uint32(1); n <= st.rows.made; n++ {
		each(&st.rows.at(n).packed)
	}
}

// full reports whether the stripe has no place for one more session or account: many gigabytes are taken.
func (st *stripe) full() bool {
	return st.rows.free == 0 && st.rows.made >= mostRows || st.texts.held() >= mostText
}

// resolve returns the stripe and the row that a ref of an index names.
func (x *sessions) resolve(ref uint32) (*stripe, uint32) {
	return &x.stripes[ref%spread], ref / spread
}

func (x *sessions) row(ref uint32) *row {
	st, n := x.resolve(ref)
	return st.rows.at(n)
}

// split returns where in spread parts something belongs, and its hash within the part.
func split(hash uint64) (part int, short uint32) { return int(hash % spread), uint32(hash >> 32) }

// stripe returns the account's stripe and the hash under which byName has the account.
func (x *sessions) stripe(account string) (*stripe, uint32) {
	part, short := split(maphash.String(x.seed, account))
	return &x.stripes[part], short
}

func (x *sessions) hashIndex(hash *[32]byte) (*index, uint32) {
	part, short := split(maphash.Bytes(x.seed, hash[:]))
	return &x.byHash[part], short
}

func (x *sessions) idIndex(id *idKey) (*index, uint32) {
	part, short := split(maphash.Bytes(x.seed, id[:]))
	return &x.byID[part], short
}

// lookup returns where the session with the hash is, or nil. It may end before the caller has locked the
// stripe, and the row may be another session's by then.
func (x *sessions) lookup(hash *[32]byte) (*stripe, uint32) {
	i, short := x.hashIndex(hash)
	i.RLock()
	defer i.RUnlock()
	ref := i.find(short, func(ref uint32) bool { return x.row(ref).hash == *hash })
	if ref == 0 {
		return nil, 0
	}
	return x.resolve(ref)
}

// add makes a row of the session, in the stripe that the caller has locked, and enters it in both indexes.
// It returns auth.ErrTaken if either has such a session.
func (x *sessions) add(st *stripe, r *session.Record) (uint32, error) {
	id, whole := keyOf(r.ID)
	ids, shortID := x.idIndex(&id)
	hashes, shortHash := x.hashIndex(&r.Hash)
	ids.Lock()
	defer ids.Unlock()
	hashes.Lock()
	defer hashes.Unlock()
	if ids.find(shortID, func(ref uint32) bool { return x.row(ref).id == id }) != 0 ||
		hashes.find(shortHash, func(ref uint32) bool { return x.row(ref).hash == r.Hash }) != 0 {
		return 0, auth.ErrTaken
	}
	n, row := st.rows.take()
	row.hash, row.id, row.agent = r.Hash, id, st.agents.take(r.UserAgent)
	st.texts.set(&row.packed, pack(r, whole))
	ids.put(shortID, st.ref(n))
	hashes.put(shortHash, st.ref(n))
	return n, nil
}

// remove ends a session of the account. The stripe is locked by the caller.
func (x *sessions) remove(st *stripe, a, n uint32) {
	for at := &st.accounts[a-1].first; *at != 0; at = &st.rows.at(*at).next {
		if *at == n {
			x.unlink(st, at)
			return
		}
	}
}

// unlink ends the session that the link in its account's list names. The indexes forget it first.
func (x *sessions) unlink(st *stripe, at *uint32) {
	n := *at
	row := st.rows.at(n)
	*at = row.next
	ids, shortID := x.idIndex(&row.id)
	ids.Lock()
	ids.remove(shortID, st.ref(n))
	ids.Unlock()
	hashes, shortHash := x.hashIndex(&row.hash)
	hashes.Lock()
	hashes.remove(shortHash, st.ref(n))
	hashes.Unlock()
	st.agents.drop(row.agent)
	st.texts.drop(&row.packed)
	st.rows.drop(n)
}
