package flow

import (
	"slices"
	"time"
)

// Assurance is how sure the library is of who is there, after the authentication assurance levels of
// NIST SP 800-63B-4. The zero value is no assurance at all.
type Assurance uint8

// The levels. AAL3 is reached by no combination yet; asking for it is refused.
const (
	AAL1 Assurance = iota + 1 // one factor
	AAL2                      // two distinct factors
	AAL3                      // two factors, one a hardware key that resists phishing
)

// String returns "none", "aal1", "aal2" or "aal3".
func (a Assurance) String() string {
	return [...]string{"none", "aal1", "aal2", "aal3"}[min(a, AAL3)]
}

// clockSkew is how far ahead another instance's clock may be. A proof from further in the future counts
// as no proof: a clock that was set back must not keep old proofs fresh for ever.
const clockSkew = time.Minute

// Proof is something that was shown to be true of an account.
type Proof struct {
	Method     Method    `json:"method"`
	At         time.Time `json:"at"`
	Account    string    `json:"account"`
	Credential string    `json:"credential,omitempty"` // which of several, when the method has several
	Connection string    `json:"connection,omitempty"` // the provider or connection that vouches, for Social and SSO
	Verified   bool      `json:"verified,omitempty"`   // the passkey verified its user
	Upstream   Assurance `json:"upstream,omitempty"`   // the level that the connection is configured to vouch for
	Inherited  bool      `json:"inherited,omitempty"`  // made in an earlier flow and brought by the session
}

func (p Proof) within(age time.Duration, now time.Time) bool {
	if age == 0 {
		return !p.Inherited
	}
	since := now.Sub(p.At)
	return since >= -clockSkew && since <= age
}

// AssuranceOf returns the level that the proofs reach together (NIST SP 800-63B-4 §2.1–2.2): AAL2 takes a
// passkey that verified its user, a connection that vouches for it, or something known (a password, or a
// provider's word) with something held. Two things held are one factor, and so is a password with a
// mailed code: mail is never a factor.
func AssuranceOf(proofs []Proof) Assurance {
	var known, held, both bool
	for _, p := range proofs {
		switch p.Method {
		case Password:
			known = true
		case Social, SSO:
			known = true
			both = both || p.Upstream >= AAL2
		case TOTP, RecoveryCode, HostFactor:
			held = true
		case Passkey:
			held = true
			both = both || p.Verified
		}
	}
	switch {
	case both, known && held:
		return AAL2
	case known, held:
		return AAL1
	}
	return 0
}

// Meets reports whether a session with these proofs satisfies t as of now: the level and every demanded
// method, counting only proofs that are no older than t.MaxAge. Proofs of a session count as inherited,
// so a zero MaxAge is never met by them.
func Meets(t Target, proofs []Proof, now time.Time) bool {
	fresh := freshProofs(t.MaxAge, proofs, now)
	for _, m := range t.Methods.List() {
		if !proves(fresh, m) {
			return false
		}
	}
	return AssuranceOf(fresh) >= t.Assurance
}

func freshProofs(age time.Duration, proofs []Proof, now time.Time) []Proof {
	var fresh []Proof
	for _, p := range proofs {
		if p.within(age, now) {
			fresh = append(fresh, p)
		}
	}
	return fresh
}

func proves(proofs []Proof, m Method) bool {
	return slices.ContainsFunc(proofs, func(p Proof) bool { return p.Method == m })
}

func provesAny(proofs []Proof, set Methods) bool {
	return slices.ContainsFunc(proofs, func(p Proof) bool { return set.Has(p.Method) })
}

func provesConnection(proofs []Proof, connection string) bool {
	return slices.ContainsFunc(proofs, func(p Proof) bool {
		return p.Method == SSO && p.Connection == connection
	})
}

// raises returns the methods of set that would lift the assurance of proofs. A passkey is taken to
// verify its user only if the account has one that can.
func raises(proofs []Proof, set Methods, verifying bool) Methods {
	var lift Methods
	now := AssuranceOf(proofs)
	for _, m := range set.List() {
		with := append(slices.Clone(proofs), Proof{Method: m, Verified: verifying})
		if AssuranceOf(with) > now {
			lift = lift.With(m)
		}
	}
	return lift
}

// top returns the highest level that the account can reach with what it has enrolled.
func top(s Subject) Assurance {
	var all []Proof
	for _, m := range s.Enrolled.List() {
		all = append(all, Proof{Method: m, Verified: s.VerifyingPasskey})
	}
	return AssuranceOf(all)
}
