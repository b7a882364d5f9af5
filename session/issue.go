package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Issue makes a session and ends the one it replaces in the same act. The token is in the answer and
// nowhere else. It returns auth.ErrStale if the account no longer stands as in the request, or if the session
// to replace is gone or is not the one whose token the client holds, and auth.ErrLimit. A request that proves nothing, proves it of somebody else, or
// claims more assurance than its proofs give is a fault: whatever the caller believed, it gets no session.
//
// A session that replaces another is kept signed in if that one was. Its absolute limit is that one's,
// unless the proofs made since then are a sign-in by themselves: a first factor, and all of the
// session's assurance. So a code typed on the last day buys no further week (ASVS 7.3.2).
func (m *Manager) Issue(ctx context.Context, r auth.SessionRequest, now time.Time) (auth.IssuedSession, error) {
	now = wall(now)
	if err := review(r); err != nil {
		return auth.IssuedSession{}, fmt.Errorf("session: issue: %w", err)
	}
	old, err := m.replaced(ctx, r, now)
	if err != nil {
		return auth.IssuedSession{}, fmt.Errorf("session: issue: find the session to replace: %w", err)
	}
	rec := m.record(r, old, now)
	if !rec.ExpiresAt.After(now) {
		return auth.IssuedSession{}, fmt.Errorf("session: issue: its owner signed in too long ago: %w", auth.ErrStale)
	}
	if rec.ID, err = randomID(m.random); err != nil {
		return auth.IssuedSession{}, fmt.Errorf("session: issue: %w", err)
	}
	token, err := m.token(r.Client)
	if err != nil {
		return auth.IssuedSession{}, fmt.Errorf("session: issue: %w", err)
	}
	rec.Hash = sha256.Sum256([]byte(token.Reveal()))
	if err := m.store.CreateSession(ctx, rec, r.Standing, CreateOptions{
		Now: now, Replaces: r.Replaces, Limit: m.limits.MaxPerAccount, Evict: m.limits.EvictOldest,
	}); err != nil {
		return auth.IssuedSession{}, fmt.Errorf("session: issue: %w", err)
	}
	return auth.IssuedSession{Session: sessionOf(&rec), Token: token}, nil
}

// token returns a new token for the client. A native client's has its mark in the text that is hashed.
func (m *Manager) token(c auth.Client) (auth.Secret, error) {
	token, err := auth.RandomSecret(m.random)
	if err == nil && c.Native {
		token = auth.NewSecret(auth.NativeSessionMark + token.Reveal())
	}
	return token, err
}

// review repeats what the login machine guarantees. A session is the one thing that a mistake elsewhere
// must not be able to give away (ASVS 6.3.4; NIST SP 800-63B-4 §5.1: no more assurance than was proven).
func review(r auth.SessionRequest) error {
	counted := countedProofs(r.Proofs)
	switch {
	case r.Account == "":
		return errors.New("the request names no account")
	case r.Standing.Status != flow.Active:
		return fmt.Errorf("the account is %s", r.Standing.Status)
	case len(counted) == 0:
		return errors.New("nothing was proven")
	case slices.ContainsFunc(r.Proofs, func(p flow.Proof) bool { return p.Account != r.Account }):
		return errors.New("a proof is of another account")
	case flow.AssuranceOf(counted) < r.Assurance:
		return fmt.Errorf("the proofs give %s, not %s", flow.AssuranceOf(counted), r.Assurance)
	}
	return nil
}

// replaced returns the session that the new one replaces, nil if there is none. It is looked up by the token
// of the client that acts: nobody but its holder replaces a session, even where its public id is known, and
// nobody moves one from a browser to a native client or back. That it still lives is checked again, and for
// good, by the act that replaces it.
func (m *Manager) replaced(ctx context.Context, r auth.SessionRequest, now time.Time) (*Record, error) {
	if r.Replaces == "" {
		return nil, nil
	}
	token := r.Client.Session.Reveal()
	hash, ok := hashToken(token)
	if !ok || isNative(token) != r.Client.Native {
		return nil, auth.ErrStale
	}
	rec, standing, err := m.store.FindSession(ctx, hash)
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return nil, auth.ErrStale
	case err != nil:
		return nil, err
	case rec.Hash != hash:
		return nil, errors.New("the store returned another session")
	case rec.ID != r.Replaces || rec.Account != r.Account || !alive(&rec, standing, now):
		return nil, auth.ErrStale
	}
	return &rec, nil
}

// record fills in everything but the id and the hash.
func (m *Manager) record(r auth.SessionRequest, old *Record, now time.Time) Record {
	proofs := storedProofs(r.Proofs, now)
	keep := r.Keep
	if old != nil {
		keep = old.Keep
	}
	life := m.limits.of(keep)
	since, whole := signedIn(proofs)
	ends := since.Add(life.Absolute)
	if old != nil && (!whole || !since.After(old.CreatedAt)) {
		ends = old.EndsAt
	}
	return Record{
		Account: r.Account, Epoch: r.Standing.Epochs.Session,
		CreatedAt: now, AuthenticatedAt: latest(countedProofs(proofs)), SeenAt: now,
		ExpiresAt: earlier(now.Add(life.Idle), ends), EndsAt: ends,
		Keep: keep, Assurance: r.Assurance, Proofs: proofs,
		UserAgent: cleanUserAgent(r.Client.UserAgent), Prefix: prefixOf(r.Client.Address),
	}
}

// storedProofs returns the proofs as they are kept: the latest of each kind, since a session that steps up
// every day must not grow for ever; none later than now, since another instance's clock may be ahead; and
// none marked as inherited, which is for the next flow to say.
func storedProofs(proofs []flow.Proof, now time.Time) []flow.Proof {
	var kept []flow.Proof
	for _, p := range proofs {
		p.At, p.Inherited = earlier(wall(p.At), now), false
		if !p.AuthTime.IsZero() {
			p.AuthTime = earlier(wall(p.AuthTime), now)
		}
		i := slices.IndexFunc(kept, func(k flow.Proof) bool { return sameKind(k, p) })
		switch {
		case i < 0:
			kept = append(kept, p)
		case p.At.After(kept[i].At):
			kept[i] = p
		}
	}
	return kept
}

// sameKind reports whether two proofs differ in their times at most, and in which of a provider's sessions they came of.
func sameKind(a, b flow.Proof) bool {
	a.At, b.At = time.Time{}, time.Time{}
	a.AuthTime, b.AuthTime, a.Origin, b.Origin = time.Time{}, time.Time{}, "", ""
	return a == b
}

// countedProofs leaves out the trusted device, which is recorded but proves nothing by itself.
func countedProofs(proofs []flow.Proof) []flow.Proof {
	return slices.DeleteFunc(slices.Clone(proofs), func(p flow.Proof) bool { return p.Method == 0 || p.Method == flow.TrustedDevice })
}

// signedIn returns when the owner last really signed in: the latest time such that the proofs made from
// then on hold a first factor and reach by themselves the level that all reach together. If none do (an
// address was proven, and no first factor), it is the time of the first proof, and whole is false.
func signedIn(proofs []flow.Proof) (since time.Time, whole bool) {
	made := countedProofs(proofs)
	slices.SortFunc(made, func(a, b flow.Proof) int { return b.At.Compare(a.At) })
	first := func(p flow.Proof) bool {
		return flow.MethodsOf(flow.Password, flow.Passkey, flow.Social, flow.SSO).Has(p.Method)
	}
	level := flow.AssuranceOf(made)
	for n := range made {
		if slices.ContainsFunc(made[:n+1], first) && flow.AssuranceOf(made[:n+1]) == level {
			return made[n].At, true
		}
	}
	return made[len(made)-1].At, false
}

func latest(proofs []flow.Proof) time.Time {
	return slices.MaxFunc(proofs, func(a, b flow.Proof) int { return a.At.Compare(b.At) }).At
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// wall returns the time as it is stored: in UTC, without the reading of a monotonic clock.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }

// randomID returns a public id of 128 bits.
func randomID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
