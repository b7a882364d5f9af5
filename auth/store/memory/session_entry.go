package memory

import (
	"bytes"
	"encoding/binary"
	"iter"
	"net/netip"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// account is what the sessions know of an account. Its id and its standing stand packed in the texts.
type account struct {
	packed uint32
	first  uint32 // the last made of its sessions; zero if it has none
}

// account returns the number of the account, or zero if nothing is known of it. The short hash is from
// sessions.stripe.
func (st *stripe) account(id string, short uint32) uint32 {
	return st.byName.find(short, func(n uint32) bool {
		_, known := st.standing(n)
		return string(known) == id
	})
}

// standing returns what is known of the account, and its id. Of account zero nothing is.
func (st *stripe) standing(a uint32) (auth.Standing, []byte) {
	if a == 0 {
		return auth.Standing{}, nil
	}
	u := unpacker{st.texts.get(st.accounts[a-1].packed)}
	s := auth.Standing{Epochs: flow.Epochs{Security: u.count(), Session: u.count()}, Status: flow.Status(u.byte())}
	return s, u.rest
}

// stand sets what is known of the account, and makes its acquaintance if a is zero. It returns its number.
func (st *stripe) stand(a uint32, id string, short uint32, to auth.Standing) uint32 {
	if a == 0 {
		st.accounts = append(st.accounts, account{})
		a = uint32(len(st.accounts))
		st.byName.put(short, a)
	}
	b := make([]byte, 0, 160)
	b = binary.AppendUvarint(b, to.Epochs.Security)
	b = binary.AppendUvarint(b, to.Epochs.Session)
	b = append(append(b, byte(to.Status)), id...)
	st.texts.set(&st.accounts[a-1].packed, b)
	return a
}

// sessions yields the numbers and the rows of the account's sessions, the last made first.
func (st *stripe) sessions(a uint32) iter.Seq2[uint32, *row] {
	return func(yield func(uint32, *row) bool) {
		if a == 0 {
			return
		}
		for n := st.accounts[a-1].first; n != 0; {
			row := st.rows.at(n)
			if !yield(n, row) {
				return
			}
			n = row.next
		}
	}
}

// find returns the account's session of this id and its number, or nil.
func (st *stripe) find(a uint32, id string) (uint32, *row) {
	key, _ := keyOf(id)
	for n, row := range st.sessions(a) {
		if row.id == key {
			return n, row
		}
	}
	return 0, nil
}

// life is what of a session is asked for most, and what changes. Times are microseconds.
type life struct {
	epoch                  uint64
	created, seen, expires int64
}

func (st *stripe) life(r *row) life {
	u := unpacker{st.texts.get(r.packed)}
	return u.life()
}

// live sets the session's life.
func (st *stripe) live(r *row, l life) {
	u := unpacker{st.texts.get(r.packed)}
	u.life()
	st.texts.set(&r.packed, append(l.pack(make([]byte, 0, 160)), u.rest...))
}

// living is a session that is alive.
type living struct {
	n uint32
	life
}

// alive returns the account's sessions that are of the epoch, or of a later one, and expire after now, the
// last made first.
func (st *stripe) alive(a uint32, epoch uint64, now time.Time) []living {
	var live []living
	for n, row := range st.sessions(a) {
		if l := st.life(row); l.alive(epoch, now) {
			live = append(live, living{n, l})
		}
	}
	return live
}

// link puts a new session in front of the account's others.
func (st *stripe) link(a, n uint32) {
	row := st.rows.at(n)
	row.account, row.next = a, st.accounts[a-1].first
	st.accounts[a-1].first = n
}

// alive reports whether the session is of the epoch, or of a later one, and expires after now.
func (l life) alive(epoch uint64, now time.Time) bool {
	return l.epoch >= epoch && l.expires > now.UnixMicro()
}

// record returns the session as it was created and touched, and its account's standing. Nothing in it is
// the store's memory.
func (st *stripe) record(r *row) (session.Record, auth.Standing) {
	known, account := st.standing(r.account)
	rec := session.Record{Hash: r.hash, UserAgent: st.agents.text(r.agent)}
	unpack(st.texts.get(r.packed), r.id, account, &rec)
	return rec, known
}

func moment(micro int64) time.Time { return time.UnixMicro(micro).UTC() }

// pack writes a session but for what stands in its row: its life, the times, the rest. Later times are
// differences to earlier ones, which makes them short. The id is written unless its key holds the whole of it.
func pack(r *session.Record, whole bool) []byte {
	l := life{r.Epoch, r.CreatedAt.UnixMicro(), r.SeenAt.UnixMicro(), r.ExpiresAt.UnixMicro()}
	b := l.pack(make([]byte, 0, 160))
	authenticated := r.AuthenticatedAt.UnixMicro()
	b = binary.AppendVarint(b, authenticated-l.created)
	b = binary.AppendVarint(b, r.EndsAt.UnixMicro()-l.created)
	b = append(b, bit(r.Keep)|bit(whole)<<1, byte(r.Assurance))
	if !whole {
		b = packText(b, r.ID)
	}
	b = packPrefix(b, r.Prefix)
	b = binary.AppendUvarint(b, uint64(len(r.Proofs)))
	for _, p := range r.Proofs {
		b = packProof(b, p, r.Account, authenticated)
	}
	return b
}

func (l life) pack(b []byte) []byte {
	b = binary.AppendUvarint(b, l.epoch)
	b = binary.AppendVarint(b, l.created)
	b = binary.AppendVarint(b, l.seen-l.created)
	return binary.AppendVarint(b, l.expires-l.seen)
}

// packProof writes the account of a proof only if it is another one than the session's, which should not be, and what a
// provider told only if one did.
func packProof(b []byte, p flow.Proof, account string, authenticated int64) []byte {
	other := p.Account != account
	b = append(b, byte(p.Method), bit(p.Verified)|bit(p.Inherited)<<1|bit(other)<<2|bit(!p.AuthTime.IsZero())<<3|bit(p.Origin != "")<<4, byte(p.Upstream))
	b = binary.AppendVarint(b, p.At.UnixMicro()-authenticated)
	if other {
		b = packText(b, p.Account)
	}
	b = packText(packText(b, p.Credential), p.Connection)
	if !p.AuthTime.IsZero() {
		b = binary.AppendVarint(b, p.AuthTime.UnixMicro()-authenticated)
	}
	if p.Origin != "" {
		b = packText(b, p.Origin)
	}
	return b
}

// packPrefix writes how long an address is, zero if there is none, how many of its bits count, and its bytes
// without the zeros at the end, of which a network's address has many.
func packPrefix(b []byte, p netip.Prefix) []byte {
	address := p.Addr().AsSlice()
	b = append(b, byte(len(address)), byte(p.Bits()))
	return packText(b, string(bytes.TrimRight(address, "\x00")))
}

func packText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// unpack reads what pack wrote. The id and the account become one piece of memory.
func unpack(packed []byte, key idKey, account []byte, r *session.Record) {
	u := unpacker{packed}
	l := u.life()
	authenticated, ends := l.created+u.number(), l.created+u.number()
	flags := u.byte()
	r.Keep, r.Assurance = flags&1 != 0, flow.Assurance(u.byte())
	names := make([]byte, 0, 160) // for longer ones it grows
	if flags&2 != 0 {
		names = key.append(names)
	} else {
		names = append(names, u.text()...)
	}
	idEnds := len(names)
	text := string(append(names, account...))
	r.ID, r.Account = text[:idEnds], text[idEnds:]
	r.Epoch, r.CreatedAt, r.SeenAt, r.ExpiresAt = l.epoch, moment(l.created), moment(l.seen), moment(l.expires)
	r.AuthenticatedAt, r.EndsAt = moment(authenticated), moment(ends)
	r.Prefix = u.prefix()
	if n := u.count(); n > 0 {
		r.Proofs = make([]flow.Proof, n)
	}
	for i := range r.Proofs {
		u.proof(&r.Proofs[i], r.Account, authenticated)
	}
}

// unpacker reads what pack wrote.
type unpacker struct{ rest []byte }

func (u *unpacker) life() life {
	l := life{epoch: u.count(), created: u.number()}
	l.seen = l.created + u.number()
	l.expires = l.seen + u.number()
	return l
}

func (u *unpacker) proof(p *flow.Proof, account string, authenticated int64) {
	p.Method = flow.Method(u.byte())
	flags := u.byte()
	p.Verified, p.Inherited = flags&1 != 0, flags&2 != 0
	p.Upstream = flow.Assurance(u.byte())
	p.At = moment(authenticated + u.number())
	p.Account = account
	if flags&4 != 0 {
		p.Account = string(u.text())
	}
	p.Credential, p.Connection = string(u.text()), string(u.text())
	if flags&8 != 0 {
		p.AuthTime = moment(authenticated + u.number())
	}
	if flags&16 != 0 {
		p.Origin = string(u.text())
	}
}

func (u *unpacker) prefix() netip.Prefix {
	length, bits := u.byte(), int(u.byte())
	var address [16]byte
	copy(address[:], u.text())
	switch length {
	case 4:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(address[:])), bits)
	case 16:
		return netip.PrefixFrom(netip.AddrFrom16(address), bits)
	}
	return netip.Prefix{}
}

func (u *unpacker) byte() byte {
	b := u.rest[0]
	u.rest = u.rest[1:]
	return b
}

// count reads an unsigned varint.
func (u *unpacker) count() uint64 {
	n, width := binary.Uvarint(u.rest)
	u.rest = u.rest[width:]
	return n
}

// number reads a signed varint.
func (u *unpacker) number() int64 {
	n, width := binary.Varint(u.rest)
	u.rest = u.rest[width:]
	return n
}

func (u *unpacker) text() []byte {
	n := u.count()
	text := u.rest[:n]
	u.rest = u.rest[n:]
	return text
}
