package memory

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
)

// spread is over how many locks the sessions are spread; a power of two.
const spread = 64

// sessions are found by the hash of their token, and from their account. An account's standing and all its
// sessions are guarded by one lock, its stripe's, so that what concerns an account is one act. The two
// indexes have locks of their own, for their maps alone. Whoever takes several locks takes them in the order
// stripe, byID, byHash.
type sessions struct {
	seed    maphash.Seed
	stripes [spread]stripe
	byHash  [spread]index[[32]byte]
	byID    [spread]index[string]
}

// stripe is the lock of some of the accounts. The padding keeps two of them off one cache line.
type stripe struct {
	sync.RWMutex
	accounts map[string]*account
	_        [32]byte
}

func (x *sessions) init() {
	x.seed = maphash.MakeSeed()
	for i := range spread {
		x.stripes[i].accounts = map[string]*account{}
		x.byHash[i].first = map[uint64]*entry{}
		x.byID[i].first = map[uint64]*entry{}
	}
}

func (x *sessions) stripe(account string) *stripe {
	return &x.stripes[maphash.String(x.seed, account)%spread]
}

// hashIndex returns the part of the index that a hash belongs to, and its short key there.
func (x *sessions) hashIndex(hash [32]byte) (*index[[32]byte], uint64) {
	return &x.byHash[hash[0]%spread], binary.LittleEndian.Uint64(hash[8:])
}

func (x *sessions) idIndex(id string) (*index[string], uint64) {
	short := maphash.String(x.seed, id)
	return &x.byID[short%spread], short
}

// lookup returns the entry with the hash, or nil. It may end before the caller has locked its account.
func (x *sessions) lookup(hash [32]byte) *entry {
	i, short := x.hashIndex(hash)
	i.RLock()
	defer i.RUnlock()
	return i.get(short, hash, (*entry).key)
}

// add enters the session under its id and its hash, or returns false if either is in use.
func (x *sessions) add(e *entry) bool {
	id, hash := e.id(), e.hash
	ids, shortID := x.idIndex(id)
	hashes, shortHash := x.hashIndex(hash)
	ids.Lock()
	defer ids.Unlock()
	hashes.Lock()
	defer hashes.Unlock()
	if ids.get(shortID, id, (*entry).id) != nil || hashes.get(shortHash, hash, (*entry).key) != nil {
		return false
	}
	ids.put(shortID, id, e)
	hashes.put(shortHash, hash, e)
	return true
}

// remove ends the session. The account's stripe is locked by the caller.
func (x *sessions) remove(e *entry) {
	for at := &e.account.first; *at != nil; at = &(*at).next {
		if *at == e {
			x.unlink(at)
			return
		}
	}
}

// unlink ends the session that the link in its account's list points to.
func (x *sessions) unlink(at **entry) {
	e := *at
	*at = e.next
	e.end()
	id := e.id()
	ids, shortID := x.idIndex(id)
	ids.Lock()
	ids.remove(shortID, id, e)
	ids.Unlock()
	hashes, shortHash := x.hashIndex(e.hash)
	hashes.Lock()
	hashes.remove(shortHash, e.hash, e)
	hashes.Unlock()
}

// index finds entries by a key of which eight bytes stand in the map: the whole key is in the entry, and
// is compared there. Should two keys share their eight bytes, the later one goes into a map of its own.
type index[K comparable] struct {
	sync.RWMutex
	first map[uint64]*entry
	rest  map[K]*entry // nil until it is needed
	_     [24]byte
}

func (i *index[K]) get(short uint64, key K, of func(*entry) K) *entry {
	if e := i.first[short]; e != nil && of(e) == key {
		return e
	}
	return i.rest[key]
}

func (i *index[K]) put(short uint64, key K, e *entry) {
	if i.first[short] == nil {
		i.first[short] = e
		return
	}
	if i.rest == nil {
		i.rest = map[K]*entry{}
	}
	i.rest[key] = e
}

func (i *index[K]) remove(short uint64, key K, e *entry) {
	if i.first[short] == e {
		delete(i.first, short)
		return
	}
	delete(i.rest, key)
}
