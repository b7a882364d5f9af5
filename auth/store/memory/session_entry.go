package memory

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unique"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// account is what the sessions know of an account, and the first of its sessions.
type account struct {
	id       string
	standing auth.Standing
	stripe   *stripe
	first    *entry
}

// find returns the account's session of this id. A nil account has none.
func (a *account) find(id string) *entry {
	if a == nil || id == "" {
		return nil
	}
	for e := a.first; e != nil; e = e.next {
		if e.id() == id {
			return e
		}
	}
	return nil
}

// entry is one session: what changes in fields, what does not in fixed, packed. Times are microseconds.
// All of it is guarded by the account's stripe, but for hash, account and fixed, which never change.
type entry struct {
	hash    [32]byte
	account *account
	next    *entry // of the same account
	epoch   uint64
	seen    int64
	expires int64
	fixed   string                // see pack
	agent   unique.Handle[string] // browsers are few and sessions many
}

// dead is the epoch of a session that ended while somebody was about to read it; no account reaches it.
const dead = ^uint64(0)

func newEntry(r session.Record, a *account) *entry {
	return &entry{
		hash: r.Hash, account: a, epoch: r.Epoch,
		seen: r.SeenAt.UnixMicro(), expires: r.ExpiresAt.UnixMicro(),
		fixed: pack(r), agent: unique.Make(r.UserAgent),
	}
}

func (e *entry) key() [32]byte { return e.hash }

func (e *entry) end() { e.epoch = dead }

func (e *entry) ended() bool { return e.epoch == dead }

// alive reports whether the session is of the epoch, or of a later one, and expires after now.
func (e *entry) alive(epoch uint64, now time.Time) bool {
	return e.epoch >= epoch && e.expires > now.UnixMicro()
}

// record returns the session as it was created and touched. Its proofs are the caller's own.
func (e *entry) record() session.Record {
	r := session.Record{
		Hash: e.hash, Account: e.account.id, Epoch: e.epoch,
		SeenAt: moment(e.seen), ExpiresAt: moment(e.expires), UserAgent: e.agent.Value(),
	}
	unpack(e.fixed, &r)
	return r
}

func (e *entry) id() string {
	u := unpacker{e.fixed}
	return u.text()
}

func (e *entry) created() time.Time {
	u := unpacker{e.fixed}
	u.text()
	return moment(u.number())
}

func moment(micro int64) time.Time { return time.UnixMicro(micro).UTC() }

// pack writes what never changes of a session into one string: the id, the times, the rest. Later times are
// differences to earlier ones, which makes them short.
func pack(r session.Record) string {
	b := make([]byte, 0, 128)
	b = packText(b, r.ID)
	created, authenticated := r.CreatedAt.UnixMicro(), r.AuthenticatedAt.UnixMicro()
	b = binary.AppendVarint(b, created)
	b = binary.AppendVarint(b, authenticated-created)
	b = binary.AppendVarint(b, r.EndsAt.UnixMicro()-created)
	b = append(b, bit(r.Keep), byte(r.Assurance))
	b = packPrefix(b, r.Prefix)
	b = binary.AppendUvarint(b, uint64(len(r.Proofs)))
	for _, p := range r.Proofs {
		b = packProof(b, p, r.Account, authenticated)
	}
	return string(b)
}

// packProof writes the account of a proof only if it is another one than the session's, which should not be.
func packProof(b []byte, p flow.Proof, account string, authenticated int64) []byte {
	other := p.Account != account
	b = append(b, byte(p.Method), bit(p.Verified)|bit(p.Inherited)<<1|bit(other)<<2, byte(p.Upstream))
	b = binary.AppendVarint(b, p.At.UnixMicro()-authenticated)
	if other {
		b = packText(b, p.Account)
	}
	return packText(packText(b, p.Credential), p.Connection)
}

// packPrefix writes the address, of no bytes if there is none, and how many of its bits count.
func packPrefix(b []byte, p netip.Prefix) []byte {
	address := p.Addr().AsSlice()
	return append(packText(b, string(address)), byte(p.Bits()))
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

func unpack(fixed string, r *session.Record) {
	u := unpacker{fixed}
	r.ID = u.text()
	created := u.number()
	authenticated := created + u.number()
	r.CreatedAt, r.AuthenticatedAt, r.EndsAt = moment(created), moment(authenticated), moment(created+u.number())
	r.Keep, r.Assurance = u.byte() == 1, flow.Assurance(u.byte())
	r.Prefix = u.prefix()
	n := u.count()
	if n == 0 {
		return
	}
	r.Proofs = make([]flow.Proof, n)
	for i := range r.Proofs {
		u.proof(&r.Proofs[i], r.Account, authenticated)
	}
}

// unpacker reads what pack wrote. Texts share the packed string's memory.
type unpacker struct{ rest string }

func (u *unpacker) proof(p *flow.Proof, account string, authenticated int64) {
	p.Method = flow.Method(u.byte())
	flags := u.byte()
	p.Verified, p.Inherited = flags&1 != 0, flags&2 != 0
	p.Upstream = flow.Assurance(u.byte())
	p.At = moment(authenticated + u.number())
	p.Account = account
	if flags&4 != 0 {
		p.Account = u.text()
	}
	p.Credential, p.Connection = u.text(), u.text()
}

func (u *unpacker) prefix() netip.Prefix {
	address, bits := u.text(), int(u.byte())
	switch len(address) {
	case 4:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte([]byte(address))), bits)
	case 16:
		return netip.PrefixFrom(netip.AddrFrom16([16]byte([]byte(address))), bits)
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
	var n uint64
	for shift := 0; ; shift += 7 {
		b := u.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}

// number reads a signed varint.
func (u *unpacker) number() int64 {
	n := u.count()
	return int64(n>>1) ^ -int64(n&1)
}

func (u *unpacker) text() string {
	n := u.count()
	text := u.rest[:n]
	u.rest = u.rest[n:]
	return text
}
