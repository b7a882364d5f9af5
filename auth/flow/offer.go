package flow

import "time"

// offer is one thing that the person may do now. Next shows the offers and Step accepts them: both ask the
// same function, so that nothing can be done that is not shown, and nothing shown that is then refused.
type offer struct {
	deed       deed
	method     Method
	connection string // of departs: empty if the person chooses one
}

// deed is a kind of offer; each stands for one event.
type deed uint8

const (
	identifies deed = iota + 1
	submits
	asks
	departs
	returns
	renews // gives a new password
	enrols
	removes
	moves // names a new address
	accepts
	restarts
	cancels
)

// event returns the event that the offer stands for, without its particulars.
func (o offer) event() Event {
	switch o.deed {
	case identifies:
		return Identify{}
	case submits:
		return Submit{Method: o.method}
	case asks:
		return Ask{Method: o.method}
	case departs:
		return Depart{Method: o.method, Connection: o.connection}
	case returns:
		return Return{Method: o.method, Connection: o.connection}
	case renews:
		return NewPassword{}
	case enrols:
		return Enrol{Method: o.method}
	case removes:
		return Remove{}
	case moves:
		return Move{}
	case accepts:
		return Accept{}
	case restarts:
		return Restart{}
	}
	return Cancel{}
}

// offerOf returns the offer that the event takes up: what identifies the action, its particulars left aside.
// The zero offer, which is never made, is that of an event that is not the person's.
func offerOf(e Event) offer {
	switch e := e.(type) {
	case Identify:
		return offer{deed: identifies}
	case Submit:
		return offer{deed: submits, method: e.Method}
	case Ask:
		return offer{deed: asks, method: e.Method}
	case Depart:
		return offer{departs, e.Method, e.Connection}
	case Return:
		return offer{returns, e.Method, e.Connection}
	case NewPassword:
		return offer{deed: renews}
	case Enrol:
		return offer{deed: enrols, method: e.Method}
	case Remove:
		return offer{deed: removes}
	case Move:
		return offer{deed: moves}
	case Accept:
		return offer{deed: accepts}
	case Restart:
		return offer{deed: restarts}
	case Cancel:
		return offer{deed: cancels}
	}
	return offer{}
}

// offered reports whether the event takes up one of the offers.
func offered(list []offer, e Event) bool {
	taken := offerOf(e)
	for _, o := range list {
		if o == taken || o.deed == departs && o.connection == "" && taken.deed == departs && o.method == taken.method {
			return true
		}
	}
	return false
}

// mostOffers is room for the offers of a step; a longer list only costs an allocation.
const mostOffers = 16

// offers adds everything that the person may do now to the list. The need is the one that is unmet.
func offers(list []offer, need Need, p Policy, f Flow, now time.Time) []offer {
	switch need {
	case Identification:
		list = identifyOffers(list, p, f, now)
	case FirstFactor:
		list = firstOffers(list, p, f, now)
	case Organisation:
		list = append(list, offer{departs, SSO, p.Rules.Connection})
	case PasswordChange:
		list = append(list, offer{deed: renews})
	case NewFactor:
		list = enrolOffers(list, p, f, now)
	case Removal:
		list = append(list, offer{deed: removes})
	case NewAddress:
		list = append(list, offer{deed: moves})
	case ExternalIdentity:
		list = append(list, offer{departs, Social, f.Target.Connection})
	case Acceptance:
		list = append(list, offer{deed: accepts})
	default:
		list = proofOffers(list, options(need, p, f, now), p, f, now)
	}
	if need == Address && f.changesAddress() {
		list = append(list, offer{deed: moves}) // it was mistyped
	}
	if c := f.Challenge; c.Method.Redirects() && c.open(p, now) {
		list = append(list, offer{returns, c.Method, c.Connection})
	}
	if f.Goal.ByStranger() && f.Subject.Account != "" && !onlyByLink(f.Goal) {
		return append(list, offer{deed: restarts})
	}
	return append(list, offer{deed: cancels})
}

func identifyOffers(list []offer, p Policy, f Flow, now time.Time) []offer {
	if !onlyByLink(f.Goal) && mayAsk(p.Entry, f.Goal) {
		list = append(list, offer{deed: identifies})
	}
	switch f.Goal {
	case Activation, Recovery, Reversal:
		return append(list, offer{deed: submits, method: MailLink})
	case SignUp:
		return list
	}
	if p.Entry.Methods.Has(Passkey) {
		list = passkeyOffers(list, submits, p, f, now)
	}
	if p.Entry.Methods.Has(Social) {
		list = append(list, offer{deed: departs, method: Social})
	}
	return list
}

// mayAsk reports whether strangers may ask for the goal at an address of this entry's domain.
func mayAsk(e Entry, g Goal) bool {
	return g != SignUp && g != Recovery || g == SignUp && e.SignUp || g == Recovery && e.Recovery
}

// onlyByLink reports whether the goal begins with a mailed link, which somebody else had sent, and nothing else.
func onlyByLink(g Goal) bool { return g == Activation || g == Reversal }

func firstOffers(list []offer, p Policy, f Flow, now time.Time) []offer {
	if p.Entry.Connection != "" {
		list = append(list, offer{departs, SSO, p.Entry.Connection})
	}
	for m := range p.Entry.Methods.each {
		list = methodOffers(list, m, p, f, now)
	}
	return list
}

// proofOffers offers the methods for a need after the first proof. A mailed code can be typed only while
// one is out, and asked for again once the last one is old enough.
func proofOffers(list []offer, methods Methods, p Policy, f Flow, now time.Time) []offer {
	for m := range methods.each {
		if m != MailCode && m != MailLink {
			list = methodOffers(list, m, p, f, now)
			continue
		}
		if f.Challenge.Method == m && f.Challenge.open(p, now) {
			list = append(list, offer{deed: submits, method: m})
		}
		list = append(list, offer{deed: asks, method: m})
	}
	return list
}

// methodOffers offers a method as it is proven: at once, after a ceremony is asked for, or elsewhere.
func methodOffers(list []offer, m Method, p Policy, f Flow, now time.Time) []offer {
	switch m {
	case Passkey:
		return passkeyOffers(list, submits, p, f, now)
	case Social, SSO:
		return append(list, offer{deed: departs, method: m})
	}
	return append(list, offer{deed: submits, method: m})
}

// passkeyOffers offers a ceremony, and to hand its answer in while one is open.
func passkeyOffers(list []offer, d deed, p Policy, f Flow, now time.Time) []offer {
	list = append(list, offer{deed: asks, method: Passkey})
	if f.Challenge.Method == Passkey && f.Challenge.open(p, now) {
		list = append(list, offer{deed: d, method: Passkey})
	}
	return list
}

func enrolOffers(list []offer, p Policy, f Flow, now time.Time) []offer {
	set := newFactors(p.Rules, f.Proofs)
	if f.Goal == Enrolment {
		set = MethodsOf(f.Target.Enrol)
	}
	for m := range set.each {
		if m == Passkey {
			list = passkeyOffers(list, enrols, p, f, now)
			continue
		}
		list = append(list, offer{deed: enrols, method: m})
	}
	return list
}
