package auth_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
)

// Deeds with second factors: which code or answer they come with.

// try is which one a deed hands in.
type try int

const (
	noTry      try = iota
	goodTry        // what is asked for, now
	aheadTry       // the code that an app will show next
	againTry       // what was used last
	olderTry       // a code that was never used, older than one that was
	wrongTry       // made up, or given to another site
	foreignTry     // another account's
	goneTry        // of a factor that was removed, or of a set that was replaced
	formerTry      // the answer to an earlier ceremony
)

var tryNames = [...]string{"", "what is right", "what comes next", "the same again", "an older one", "something wrong", "somebody else's", "of what is gone", "for an earlier ceremony"}

// factors reports whether the deed is a step that is about a second factor.
func (d deed) factors() bool {
	switch d.what {
	case "enrol-totp", "enrol-recovery-code", "enrol-passkey", "send-passkey", "remove":
		return true
	}
	return d.proves()
}

// proves reports whether the deed hands in what a second factor proves.
func (d deed) proves() bool {
	return d.what == "totp" || d.what == "recovery-code" || d.what == "passkey"
}

// hands is a step with a second factor.
func hands(by, flow int, what string, t try) deed {
	return deed{what: what, by: by, flow: flow, try: t}
}

func (d deed) asPlain() deed {
	d.plain = true
	return d
}

// pickFactor chooses the code or the answer that is handed in, and notes what it is worth.
func (a *arena) pickFactor(r *request) bool {
	switch r.deed.what {
	case "take-off":
		return a.pickRemoval(r)
	case "totp":
		return a.pickAppCode(r)
	case "enrol-totp":
		return a.pickPairing(r)
	case "recovery-code":
		return a.pickRecoveryCode(r)
	case "passkey":
		return a.pickAnswer(r)
	case "enrol-passkey":
		return a.pickPasskey(r)
	}
	return true
}

// choose is the newest factor of the method that the deed means, or an earlier one.
func (a *arena) choose(account string, m flow.Method, d deed) *factorFacts {
	which := d.link
	for _, x := range slices.Backward(a.l.held.order) {
		if x.method != m || x.gone != (d.try == goneTry) || (x.account != account) != (d.try == foreignTry) || m == flow.RecoveryCode && x.text == "" {
			continue
		}
		if which--; which < 0 {
			return x
		}
	}
	return nil
}

// pickRemoval chooses what is to be taken off. Somebody else's is not found.
func (a *arena) pickRemoval(r *request) bool {
	if r.session == nil {
		return false
	}
	for _, m := range []flow.Method{flow.TOTP, flow.Passkey, flow.RecoveryCode} {
		if x := a.choose(r.session.account, m, r.deed); x != nil {
			r.flow.removes, r.flow.target.Remove = x, x.id
			return true
		}
	}
	return false
}

func (a *arena) pickAppCode(r *request) bool {
	x, now := a.choose(r.flow.whom, flow.TOTP, r.deed), stepOf(r.now)
	if x == nil {
		return false
	}
	switch r.deed.try {
	case aheadTry:
		r.typed.code = codeOf(x.key, now+1)
	case againTry:
		r.typed.code = codeOf(x.key, x.counter)
	case olderTry:
		r.typed.code = codeOf(x.key, x.counter-1)
	case wrongTry:
		r.typed.code = madeUp(x.key, now)
	default:
		r.typed.code = codeOf(x.key, now)
	}
	for _, y := range a.l.heldBy(r.flow.whom) {
		if y.method == flow.TOTP && shows(y.key, r.typed.code, r.now, y.counter) {
			r.typed.fit = true
		}
	}
	return true
}

// madeUp is a code that the app does not show in any of the steps that count.
func madeUp(key string, now int64) string {
	for n := 0; ; n++ {
		code := fmt.Sprintf("%06d", n)
		taken := false
		for s := now - 2; s <= now+2; s++ {
			taken = taken || codeOf(key, s) == code
		}
		if !taken {
			return code
		}
	}
}

// pickPairing is a code of the app whose key was shown, or of the one that another flow has shown.
func (a *arena) pickPairing(r *request) bool {
	key := r.flow.app.key
	if r.deed.try == foreignTry {
		key = ""
		for _, f := range a.l.begun {
			if f != r.flow && f.app.key != "" && f.app.key != r.flow.app.key {
				key = f.app.key
			}
		}
	}
	if key == "" {
		return false
	}
	if r.typed.code = codeOf(key, stepOf(r.now)); r.deed.try == wrongTry {
		r.typed.code = madeUp(key, stepOf(r.now))
	}
	app := r.flow.app
	r.typed.fit = app.key != "" && app.account == r.flow.whom && shows(app.key, r.typed.code, r.now, 0)
	return true
}

func (a *arena) pickRecoveryCode(r *request) bool {
	d := r.deed
	if d.try == againTry {
		d.try = goneTry
	}
	x := a.choose(r.flow.whom, flow.RecoveryCode, d)
	if x == nil || x.used != (r.deed.try == againTry) {
		return false
	}
	if r.typed.code = x.text; d.try == wrongTry {
		last := byte('A')
		if x.text[len(x.text)-1] == last {
			last = 'B'
		}
		r.typed.code = x.text[:len(x.text)-1] + string(last)
	}
	r.typed.fit = d.try == goodTry && x.account == r.flow.whom
	return true
}

// pickAnswer has a passkey answer the ceremony. An adversary's browser does not look at which passkeys are asked for.
func (a *arena) pickAnswer(r *request) bool {
	f, d := r.flow, r.deed
	c := f.ceremony
	if c == nil {
		return false
	}
	if d.try == againTry {
		r.typed = c.answer
		return a.worth(r, c) && r.typed.credential != ""
	}
	if d.try == formerTry {
		if c = a.former(f); c == nil {
			return false
		}
	}
	account := f.whom
	if !f.proven() {
		account = a.ids[isAnn]
	}
	x := a.choose(account, flow.Passkey, d)
	if x == nil {
		return false
	}
	if d.try == wrongTry {
		x.device.Origin = "https://app.example.evil.example"
		defer func() { x.device.Origin = site }()
	}
	answer, err := x.device.Get(unnamed(c.options))
	if err != nil {
		return false // it cannot do what is demanded
	}
	if x.plain {
		x.told++
	}
	r.typed = typed{credential: answer.Reveal(), factor: x, told: x.told, ceremony: c}
	c.answer = r.typed
	return a.worth(r, f.ceremony)
}

// worth notes whether the answer is one to the ceremony that is open, by a passkey that counts here.
func (a *arena) worth(r *request, open *ceremonyFacts) bool {
	f, t := r.flow, &r.typed
	if t.factor == nil {
		return false
	}
	p := a.l.people[t.factor.account]
	t.fit = t.ceremony == open && !open.taken && !open.enrols && r.now.Before(open.at.Add(shellLimits.Challenge)) &&
		r.deed.try != wrongTry && !t.factor.gone && (!t.factor.plain || t.told > t.factor.counter) &&
		f.admits(p) && (t.factor.account == f.whom || !f.proven() && f.goal == flow.SignIn)
	return true
}

// former is the latest ceremony, of any flow, before the one that is open.
func (a *arena) former(f *flowFacts) *ceremonyFacts {
	for _, c := range slices.Backward(a.l.held.ceremonies) {
		if c != f.ceremony && !c.enrols {
			return c
		}
	}
	return nil
}

// unnamed are the options without the passkeys that they ask for.
func unnamed(options []byte) []byte {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(options, &o); err != nil {
		panic(err)
	}
	delete(o, "allowCredentials")
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return text
}

// pickPasskey makes a new passkey, in a device of its own.
func (a *arena) pickPasskey(r *request) bool {
	c := r.flow.ceremony
	if r.deed.try == formerTry {
		c = nil
		for _, other := range a.l.held.ceremonies {
			if other.enrols && other != r.flow.ceremony {
				c = other
			}
		}
	}
	if c == nil || !c.enrols {
		return false
	}
	device := authtest.NewAuthenticator(site)
	device.Verifies, device.Counts = !r.deed.plain, r.deed.plain
	answer, err := device.Create(c.options)
	if err != nil {
		return false
	}
	open := r.flow.ceremony
	r.typed = typed{credential: answer.Reveal(), ceremony: c, device: device}
	r.typed.fit = c == open && !c.taken && r.now.Before(c.at.Add(shellLimits.Challenge))
	return true
}
