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
	Upstream   Assurance `json:"upstream,omitempty"`   // the level that the connection is configured to vouch for, or that was reached when the device was trusted
	Inherited  bool      `json:"inherited,omitempty"`  // made in an earlier flow and brought by the session
	AuthTime   time.Time `json:"auth_time,omitzero"`   // when the person authenticated at the provider, as it tells; zero if it does not
	Origin     string    `json:"origin,omitempty"`     // which of the provider's sessions it came of, hashed
}

// longestStay is how long before its proof an authentication at a provider may have been to count as made for it.
const longestStay = 10 * time.Minute

// within reports whether the proof is fresh enough. Who comes back from a provider has not shown to be there: the
// browser may have been signed in to it for weeks. So the word of one that does not tell when it saw the person is
// never fresh (ASVS 6.8.4).
func (p Proof) within(age time.Duration, now time.Time) bool {
	at := p.At
	if p.Method.Redirects() {
		if at = p.AuthTime; at.IsZero() {
			return false
		}
	}
	if age == 0 {
		return !p.Inherited && p.At.Sub(at) <= longestStay
	}
	since := now.Sub(at)
	return since >= -clockSkew && since <= age
}

// AssuranceOf returns the level that the proofs reach together (NIST SP 800-63B-4 §2.1–2.2): AAL2 takes a
// passkey that verified its user, a connection that vouches for it, or something known (a password, or a
// provider's word) with something held. Two things held are one factor, and so is a password with a
// mailed code: mail is never a factor.
func AssuranceOf(proofs []Proof) Assurance { return factorsOf(proofs).assurance() }

// factors is what proofs amount to together.
type factors struct{ known, held, both bool }

func factorsOf(proofs []Proof) factors {
	var sum factors
	for i := range proofs {
		sum = sum.with(proofs[i].Method, proofs[i].Verified, proofs[i].Upstream)
	}
	return sum
}

// with adds a proof by the method.
func (x factors) with(m Method, verified bool, upstream Assurance) factors {
	switch m {
	case Password:
		x.known = true
	case Social, SSO:
		x.known = true
		x.both = x.both || upstream >= AAL2
	case TOTP, RecoveryCode, HostFactor:
		x.held = true
	case Passkey:
		x.held = true
		x.both = x.both || verified
	}
	return x
}

func (x factors) assurance() Assurance {
	switch {
	case x.both, x.known && x.held:
		return AAL2
	case x.known, x.held:
		return AAL1
	}
	return 0
}

// Meets reports whether a session with these proofs satisfies t as of now: the level and every demanded
// method, counting only proofs that are no older than t.MaxAge. Proofs of a session count as inherited,
// so a zero MaxAge is never met by them, and neither is an Operation: to confirm one takes a flow of its own.
func Meets(t Target, proofs []Proof, now time.Time) bool {
	if t.Operation != (Operation{}) {
		return false
	}
	fresh := freshProofs(t.MaxAge, proofs, now)
	for m := range t.Methods.each {
		if !proves(fresh, m) {
			return false
		}
	}
	return AssuranceOf(fresh) >= t.Assurance
}

func freshProofs(age time.Duration, proofs []Proof, now time.Time) []Proof {
	return without(proofs, func(p Proof) bool { return !p.within(age, now) })
}

// without returns the proofs but those that leave. The list may be the given one, which is shared.
func without(proofs []Proof, leaves func(Proof) bool) []Proof {
	if !slices.ContainsFunc(proofs, leaves) {
		return proofs
	}
	return slices.DeleteFunc(slices.Clone(proofs), leaves)
}

// with returns a new list, of the proofs and one more.
func with(proofs []Proof, p Proof) []Proof { return append(slices.Clip(proofs), p) }

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
	now := factorsOf(proofs)
	for m := range set.each {
		if now.with(m, verifying, 0).assurance() > now.assurance() {
			lift = lift.With(m)
		}
	}
	return lift
}

// repeatable are the enrolled methods that can be proven afresh.
func (s Subject) repeatable() Methods {
	if s.Reauthenticates {
		return s.Enrolled
	}
	return s.Enrolled &^ MethodsOf(Social)
}

// top returns the highest level that the account can reach with fresh proofs of what it has enrolled.
func top(s Subject) Assurance {
	var all factors
	for m := range s.repeatable().each {
		all = all.with(m, s.VerifyingPasskey, 0)
	}
	return all.assurance()
}
