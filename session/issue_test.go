package session_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

func TestIssueFillsTheRecord(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	r := request(proof(flow.Password, start), proof(flow.TOTP, start.Add(time.Minute)), proof(flow.TrustedDevice, start.Add(time.Hour)))
	r.Client = auth.Client{UserAgent: "Firefox", Address: netip.MustParseAddr("203.0.113.77")}
	now := start.Add(2 * time.Minute)
	issued, err := m.Issue(t.Context(), r, now.In(time.FixedZone("somewhere", 3600)))
	require.NoError(t, err)

	require.Len(t, store.sessions, 1)
	rec := store.sessions[sha256.Sum256([]byte(issued.Token.Reveal()))]
	require.Equal(t, session.Record{
		ID: issued.ID, Hash: sha256.Sum256([]byte(issued.Token.Reveal())), Account: anna, Epoch: 1,
		CreatedAt: now, AuthenticatedAt: start.Add(time.Minute), SeenAt: now,
		ExpiresAt: now.Add(12 * time.Hour), EndsAt: start.Add(7 * day),
		Assurance: flow.AAL2, UserAgent: "Firefox", Prefix: netip.MustParsePrefix("203.0.113.0/24"),
		Proofs: []flow.Proof{proof(flow.Password, start), proof(flow.TOTP, start.Add(time.Minute)), proof(flow.TrustedDevice, now)},
	}, rec)
	require.Len(t, issued.ID, 22, "128 bits")

	got, err := m.Authenticate(t.Context(), issued.Token, now)
	require.NoError(t, err)
	require.Equal(t, issued.Session, got)
}

func TestTokensAndIDsAreUnique(t *testing.T) {
	m := newManager(t, forgetful{newFakeStore()})
	r := request(proof(flow.Password, start))
	seen := make(map[string]bool, 200_000)
	for range 100_000 {
		s, err := m.Issue(t.Context(), r, start)
		require.NoError(t, err)
		seen[s.ID], seen[s.Token.Reveal()] = true, true
	}
	require.Len(t, seen, 200_000)
}

// forgetful keeps nothing, so that many sessions take little time.
type forgetful struct{ *fakeStore }

func (forgetful) CreateSession(context.Context, session.Record, auth.Standing, session.CreateOptions) error {
	return nil
}

func TestNoRandomnessNoSession(t *testing.T) {
	for _, bytes := range []int{0, 15, 16, 47} {
		store := newFakeStore()
		m := newManager(t, store, func(c *session.Config) {
			c.Random = io.MultiReader(io.LimitReader(zeros{}, int64(bytes)), iotest.ErrReader(errDown))
		})
		s, err := m.Issue(t.Context(), request(proof(flow.Password, start)), start)
		require.ErrorIs(t, err, errDown)
		require.Zero(t, s)
		require.Empty(t, store.sessions)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A mistake of the caller gives no session away, and is no refusal that somebody might show.
func TestIssueReviewsTheRequest(t *testing.T) {
	good := func() auth.SessionRequest { return request(proof(flow.Password, start), proof(flow.TOTP, start)) }
	for name, spoil := range map[string]func(*auth.SessionRequest){
		"no account":     func(r *auth.SessionRequest) { r.Account = "" },
		"nothing proven": func(r *auth.SessionRequest) { r.Proofs, r.Assurance = nil, 0 },
		"a trusted device alone": func(r *auth.SessionRequest) {
			r.Proofs, r.Assurance = []flow.Proof{proof(flow.TrustedDevice, start)}, 0
		},
		"a proof of no method":        func(r *auth.SessionRequest) { r.Proofs, r.Assurance = []flow.Proof{proof(0, start)}, 0 },
		"a proof of somebody else":    func(r *auth.SessionRequest) { r.Proofs[1].Account = "acct-ben" },
		"a proof of nobody":           func(r *auth.SessionRequest) { r.Proofs[0].Account = "" },
		"more assurance than proven":  func(r *auth.SessionRequest) { r.Assurance = flow.AAL3 },
		"a second factor not proven":  func(r *auth.SessionRequest) { r.Proofs = r.Proofs[:1] },
		"an account not activated":    func(r *auth.SessionRequest) { r.Standing.Status = flow.Invited },
		"an account that is closed":   func(r *auth.SessionRequest) { r.Standing.Status = flow.Disabled },
		"an account that is locked":   func(r *auth.SessionRequest) { r.Standing.Status = flow.Locked },
		"a standing that was not set": func(r *auth.SessionRequest) { r.Standing = auth.Standing{} },
	} {
		store := newFakeStore()
		m := newManager(t, store)
		_, err := m.Issue(t.Context(), good(), start)
		require.NoError(t, err)
		r := good()
		spoil(&r)
		s, err := m.Issue(t.Context(), r, start)
		require.Error(t, err, name)
		var refusal *auth.DeniedError
		require.False(t, errors.As(err, &refusal), name)
		require.Zero(t, s)
		require.Len(t, store.sessions, 1, name)
	}
}

// A reset that races a sign-in never admits the old password.
func TestIssueOfAnAccountThatChanged(t *testing.T) {
	for _, to := range []auth.Standing{
		{Status: flow.Active, Epochs: flow.Epochs{Security: 2, Session: 1}},
		{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 2}},
		{Status: flow.Disabled, Epochs: flow.Epochs{Security: 1, Session: 1}},
	} {
		m := newManager(t, newFakeStore())
		_, err := m.Align(t.Context(), anna, to)
		require.NoError(t, err)
		s, err := m.Issue(t.Context(), request(proof(flow.Password, start)), start)
		require.ErrorIs(t, err, auth.ErrStale)
		require.Zero(t, s)
	}
}

// Two sign-ins never share a token (ASVS 7.2.2; go-better-auth hands the live session to the next sign-in),
// and a step-up does not raise the token that was there before (ASVS 7.2.4; theauth-go does).
func TestReplacementMakesANewToken(t *testing.T) {
	m := newManager(t, newFakeStore())
	first, second := signIn(t, m, false, start), signIn(t, m, false, start)
	require.False(t, first.Token.Equal(second.Token))
	require.NotEqual(t, first.ID, second.ID)

	now := start.Add(time.Hour)
	up := request(append(inherited(first.Proofs), proof(flow.TOTP, now))...)
	up.Replaces, up.Client.Session = first.ID, first.Token
	third, err := m.Issue(t.Context(), up, now)
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, third.Assurance)
	require.Equal(t, now, third.AuthenticatedAt)
	_, err = m.Authenticate(t.Context(), first.Token, now)
	require.ErrorIs(t, err, denied, "the one before")
	got, err := m.Authenticate(t.Context(), third.Token, now)
	require.NoError(t, err)
	for _, p := range got.Proofs {
		require.False(t, p.Inherited, "which is for the next flow to say")
	}
	_, err = m.Authenticate(t.Context(), second.Token, now)
	require.NoError(t, err, "other browsers stay")
}

// A public id replaces nothing: the token of the session must come with it.
func TestReplacedSessionMustBeThere(t *testing.T) {
	type old struct {
		id    string
		token auth.Secret
	}
	for name, replaces := range map[string]func(*session.Manager) (old, time.Time){
		"unknown": func(*session.Manager) (old, time.Time) { return old{"nothing", token('A')}, start },
		"ended": func(m *session.Manager) (old, time.Time) {
			s := signIn(t, m, false, start)
			require.NoError(t, m.End(t.Context(), anna, s.ID))
			return old{s.ID, s.Token}, start
		},
		"ended with all others": func(m *session.Manager) (old, time.Time) {
			s := signIn(t, m, false, start)
			raised := auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 2}}
			require.NoError(t, m.Raise(t.Context(), anna, standing, raised, ""))
			return old{s.ID, s.Token}, start
		},
		"expired": func(m *session.Manager) (old, time.Time) {
			s := signIn(t, m, false, start)
			return old{s.ID, s.Token}, start.Add(12 * time.Hour)
		},
		"another account's": func(m *session.Manager) (old, time.Time) {
			r := request(flow.Proof{Method: flow.Password, At: start, Account: "acct-ben"})
			r.Account = "acct-ben"
			s, err := m.Issue(t.Context(), r, start)
			require.NoError(t, err)
			return old{s.ID, s.Token}, start
		},
		"without its token": func(m *session.Manager) (old, time.Time) {
			return old{signIn(t, m, false, start).ID, auth.Secret{}}, start
		},
		"with the token of another": func(m *session.Manager) (old, time.Time) {
			return old{signIn(t, m, false, start).ID, signIn(t, m, false, start).Token}, start
		},
		"with its hash for a token": func(m *session.Manager) (old, time.Time) {
			s := signIn(t, m, false, start)
			hash := sha256.Sum256([]byte(s.Token.Reveal()))
			return old{s.ID, auth.NewSecret(base64.RawURLEncoding.EncodeToString(hash[:]))}, start
		},
	} {
		store := newFakeStore()
		m := newManager(t, store)
		was, now := replaces(m)
		calls := store.calls["CreateSession"]
		r := request(proof(flow.Password, now))
		r.Replaces, r.Client.Session = was.id, was.token
		s, err := m.Issue(t.Context(), r, now)
		require.ErrorIs(t, err, auth.ErrStale, name)
		require.Zero(t, s)
		require.Equal(t, calls, store.calls["CreateSession"], name)
	}
}

// ASVS 7.3.2: the absolute limit counts from the last real sign-in, and no step-up buys more.
func TestAbsoluteLimitOfAReplacement(t *testing.T) {
	at := func(days int) time.Time { return start.Add(time.Duration(days) * day) }
	password, totp, passkey := flow.Password, flow.TOTP, flow.Passkey
	verified := func(when time.Time) flow.Proof {
		p := proof(passkey, when)
		p.Verified = true
		return p
	}
	for _, c := range []struct {
		name  string
		first []flow.Proof
		steps [][]flow.Proof // each replaces the one before
		ends  time.Time
	}{
		{"a sign-in", []flow.Proof{proof(password, at(0))}, nil, at(7)},
		{"a code adds nothing", []flow.Proof{proof(password, at(0))}, [][]flow.Proof{{proof(totp, at(6))}}, at(7)},
		{"nor do many", []flow.Proof{proof(password, at(0))}, [][]flow.Proof{{proof(totp, at(2))}, {proof(totp, at(4))}, {proof(totp, at(6))}}, at(7)},
		{"the one factor again is a sign-in", []flow.Proof{proof(password, at(0))}, [][]flow.Proof{{proof(password, at(3))}}, at(10)},
		{"one of two again is not", []flow.Proof{proof(password, at(0)), proof(totp, at(0))}, [][]flow.Proof{{proof(password, at(3))}}, at(7)},
		{"both again are", []flow.Proof{proof(password, at(0)), proof(totp, at(0))}, [][]flow.Proof{{proof(password, at(3)), proof(totp, at(3))}}, at(10)},
		{"one after the other, from the elder", []flow.Proof{proof(password, at(0)), proof(totp, at(0))}, [][]flow.Proof{{proof(password, at(3))}, {proof(totp, at(4))}}, at(7)},
		{"a verified passkey is both", []flow.Proof{proof(password, at(0)), proof(totp, at(0))}, [][]flow.Proof{{verified(at(5))}}, at(12)},
		{"a password after a passkey is not", []flow.Proof{verified(at(0))}, [][]flow.Proof{{proof(password, at(5))}}, at(7)},
		{"an address that was proven again is not", []flow.Proof{proof(flow.MailCode, at(0))}, [][]flow.Proof{{proof(flow.MailCode, at(5))}}, at(7)},
		{"a trusted device is not", []flow.Proof{proof(password, at(0))}, [][]flow.Proof{{proof(flow.TrustedDevice, at(5))}}, at(7)},
	} {
		store := newFakeStore()
		m := newManager(t, store, func(c *session.Config) { c.Plain.Idle = 7 * day })
		s, err := m.Issue(t.Context(), request(c.first...), at(0))
		require.NoError(t, err, c.name)
		for _, step := range c.steps {
			r := request(append(inherited(s.Proofs), step...)...)
			r.Replaces, r.Client.Session = s.ID, s.Token
			s, err = m.Issue(t.Context(), r, step[0].At)
			require.NoError(t, err, c.name)
		}
		require.Equal(t, c.ends, store.sessions[sha256.Sum256([]byte(s.Token.Reveal()))].EndsAt, c.name)
		_, err = m.Authenticate(t.Context(), s.Token, c.ends)
		require.ErrorIs(t, err, denied, c.name)
	}
}

// A handoff takes over old proofs, and their age.
func TestSessionOfOldProofs(t *testing.T) {
	m := newManager(t, newFakeStore())
	s, err := m.Issue(t.Context(), request(inherited([]flow.Proof{proof(flow.Password, start)})...), start.Add(7*day-1))
	require.NoError(t, err)
	require.Equal(t, start.Add(7*day), s.ExpiresAt)
	require.Equal(t, start, s.AuthenticatedAt)
	_, err = m.Issue(t.Context(), request(proof(flow.Password, start)), start.Add(7*day))
	require.ErrorIs(t, err, auth.ErrStale)
}

// "Keep me signed in" goes on through a step-up, and a step-up cannot tick the box.
func TestKeepCarriesOn(t *testing.T) {
	for _, keep := range []bool{false, true} {
		m := newManager(t, newFakeStore())
		s := signIn(t, m, keep, start)
		signIn(t, m, !keep, start.Add(-time.Second)) // other browsers, which were asked before
		signIn(t, m, !keep, start.Add(time.Second))  // and after
		now := start.Add(time.Hour)
		r := request(append(inherited(s.Proofs), proof(flow.TOTP, now))...)
		r.Replaces, r.Client.Session, r.Keep = s.ID, s.Token, !keep
		s, err := m.Issue(t.Context(), r, now)
		require.NoError(t, err)
		require.Equal(t, keep, s.Keep)
		idle := map[bool]time.Duration{false: 12 * time.Hour, true: 30 * day}[keep]
		require.Equal(t, now.Add(idle), s.ExpiresAt)
	}
}

// A proof that another instance dated later than now is one of now: it must not move a limit into the future.
func TestProofFromTheFuture(t *testing.T) {
	store := newFakeStore()
	s, err := newManager(t, store).Issue(t.Context(), request(proof(flow.Password, start.Add(1000*day))), start)
	require.NoError(t, err)
	require.Equal(t, start, s.AuthenticatedAt)
	require.Equal(t, start, s.Proofs[0].At)
	for _, rec := range store.sessions {
		require.Equal(t, start.Add(7*day), rec.EndsAt)
	}
}

// A session that steps up every day does not grow, and keeps what makes its level.
func TestProofsDoNotPileUp(t *testing.T) {
	m := newManager(t, newFakeStore())
	verified := proof(flow.Passkey, start)
	verified.Verified, verified.Credential = true, "key-1"
	s, err := m.Issue(t.Context(), request(verified), start)
	require.NoError(t, err)
	for n := 1; n <= 50; n++ {
		now := start.Add(time.Duration(n) * time.Hour)
		unverified := verified
		unverified.Verified, unverified.At = false, now
		r := request(append(inherited(s.Proofs), unverified, proof(flow.TOTP, now))...)
		r.Replaces, r.Client.Session = s.ID, s.Token
		s, err = m.Issue(t.Context(), r, now)
		require.NoError(t, err)
		require.Len(t, s.Proofs, 3)
		require.Equal(t, flow.AAL2, flow.AssuranceOf(s.Proofs))
	}
}

func TestUserAgentIsCleaned(t *testing.T) {
	long := strings.Repeat("a", 255)
	for given, want := range map[string]string{
		"Mozilla/5.0 (X11)":             "Mozilla/5.0 (X11)",
		"":                              "",
		"\x1b[31mred\x00\r\nX: y\u0085": "[31mredX: y",
		"a\u202eb\u2066c\u200bd\ufeff":  "abcd",
		"a\xffb\xc0\xaf":                "a\ufffdb\ufffd\ufffd",
		"  blank\t":                     "blank",
		long + "bc":                     long + "b",
		long + "\u00fcb":                long, // two bytes do not fit, and half a letter is none
		strings.Repeat("\u20ac", 100):   strings.Repeat("\u20ac", 85),
	} {
		r := request(proof(flow.Password, start))
		r.Client.UserAgent = given
		s, err := newManager(t, newFakeStore()).Issue(t.Context(), r, start)
		require.NoError(t, err)
		require.Equal(t, want, s.UserAgent)
		require.True(t, utf8.ValidString(s.UserAgent))
	}
}

func TestAddressIsCutToItsNetwork(t *testing.T) {
	for given, want := range map[string]string{
		"203.0.113.77":           "203.0.113.0/24",
		"::ffff:203.0.113.77":    "203.0.113.0/24",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1::/48",
		"fe80::1:2:3:4%eth0":     "fe80::/48",
		"::1":                    "::/48",
		"127.0.0.1":              "127.0.0.0/24",
		"::ffff:203.0.113.77%25": "203.0.113.0/24",
	} {
		r := request(proof(flow.Password, start))
		r.Client.Address = netip.MustParseAddr(given)
		s, err := newManager(t, newFakeStore()).Issue(t.Context(), r, start)
		require.NoError(t, err)
		require.Equal(t, want, s.Prefix.String(), given)
	}
	require.Equal(t, netip.Prefix{}, signIn(t, newManager(t, newFakeStore()), false, start).Prefix, "no address")
}

// Nothing that is printed of a fault holds a token or its hash.
func TestFaultsHoldNoToken(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	s := signIn(t, m, false, start)
	store.fail["FindSession"] = errDown
	_, err := m.Authenticate(t.Context(), s.Token, start)
	hash := sha256.Sum256([]byte(s.Token.Reveal()))
	for _, secret := range []string{s.Token.Reveal(), fmt.Sprintf("%x", hash), fmt.Sprint(hash)} {
		require.NotContains(t, fmt.Sprintf("%+v", err), secret)
	}
}
