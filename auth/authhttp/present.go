package authhttp

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/cardea-auth/cardea/auth/flow"
)

// presentation is a View on its way to a page, with what the page's forms need.
type presentation struct {
	view    flow.View
	url     string // where the forms are sent to
	token   string
	hidden  []hidden // sent along with every form
	named   bool     // each form says which action it is
	typed   string   // the address, as it was typed before
	keep    bool
	missing string // a required field that was left empty

	onlyInputs bool // leave out the actions that nothing is typed for: there is no flow yet to take them in
}

// present makes a page of a View: one heading, the form of the action to take first, the other ways below
// it, and the way out. It decides nothing: what is not in the View is not on the page.
func (x *exchange) present(p presentation) page {
	ways, out := p.ways()
	primary := flow.Action{}
	if len(ways) > 0 {
		primary = ways[0]
	}
	need := "need." + p.view.Need.String()
	shortest, _ := x.h.svc.PasswordLengths()
	c := card{
		Lead: x.lang.either(need+"."+primary.Name+".lead."+p.view.Goal.String(), need+"."+primary.Name+".lead", need+".lead."+p.view.Goal.String(), need+".lead"),
	}
	if p.view.Candidate != "" && p.view.Need == flow.Address {
		c.Lead = x.lang.text("candidate.lead", "address", p.view.Candidate)
	}
	x.showOperation(&c, p.view)
	if p.view.Need != flow.Identification {
		c.Address = p.view.Address
	}
	c.Providers = x.providersView(p, len(ways) > 0)
	for i, a := range ways {
		f := x.form(p, a, i == 0, strconv.Itoa(shortest))
		if i == 0 {
			c.Forms = append(c.Forms, f)
		} else {
			f.Fold = x.lang.either("fold." + a.Name)
			c.Others = append(c.Others, f)
		}
	}
	if c.Providers != nil && p.onlyInputs && len(c.Forms) > 0 {
		c.Forms[0].ID = c.Providers.Outside
	}
	x.wayOut(&c, p, out)
	trouble := x.blame(&c, p)
	heading := x.lang.either(need+".title."+p.view.Goal.String(), need+"."+primary.Name+".title", need+".title", "need.other.title")
	if p.view.Need == flow.Removal && len(p.view.Providers) == 1 {
		heading = x.lang.text("disconnect.title", "name", p.view.Providers[0].Name)
	}
	return page{
		Heading: heading,
		Trouble: trouble, SignIn: p.view.Goal == flow.SignIn, Card: &c,
		recovery: p.view.Recovery, signUp: p.view.SignUp,
	}
}

// ways returns the actions that a form can take, the most usual one first, and the ways out. What takes an object (a
// passkey's answer) has the form of the action that begins the ceremony.
func (p presentation) ways() (ways, out []flow.Action) {
	for _, a := range p.view.Actions {
		takes := func(kind string) bool {
			return slices.ContainsFunc(a.Inputs, func(in flow.Input) bool { return in.Required && in.Kind == kind })
		}
		switch {
		case a.Name == "restart" || a.Name == "cancel":
			out = append(out, a)
		case a.Name == flow.MailLink.String(): // a link is opened, not typed
		case a.Name == social || strings.HasSuffix(a.Name, "-return"): // see providersView; and nobody comes back with a button
		case takes("object") || p.onlyInputs && !takes("text") && a.Name != sendPasskey:
		default:
			ways = append(ways, a)
		}
	}
	slices.SortStableFunc(ways, func(a, b flow.Action) int { return place(a) - place(b) })
	return ways, out
}

// place is where a way stands among others: first what something is typed for, at the end what is only pressed. A
// recovery code is the way out of trouble, and comes after what one has with oneself.
func place(a flow.Action) int {
	switch {
	case a.Name == flow.RecoveryCode.String():
		return 2
	case a.Name == sendPasskey:
		return 1
	case len(a.Inputs) == 0 || a.Inputs[0].Name == "connection":
		return 3
	}
	return 0
}

func (x *exchange) wayOut(c *card, p presentation, out []flow.Action) {
	for _, a := range out {
		f := x.form(p, a, false, "")
		f.Style = "quiet"
		switch {
		case a.Name == "restart" && c.Address != "":
			c.NotYou = &f
		case p.view.Goal != flow.SignIn: // who is only signing in closes the page
			c.WayOut = &f
		}
	}
}

func (x *exchange) form(p presentation, a flow.Action, primary bool, shortest string) form {
	f := form{
		URL: p.url, Style: "secondary", Hidden: []hidden{{"form_token", p.token}},
		Submit: x.lang.either("submit."+p.view.Need.String()+"."+a.Name+"."+p.view.Goal.String(), "submit."+p.view.Need.String()+"."+a.Name, "submit."+a.Name, "submit.other"),
	}
	if primary && (a.Name == sendPasskey || !strings.HasPrefix(a.Name, "send-")) { // what was just sent need not be sent again at once
		f.Style = "primary"
	}
	for _, h := range p.hidden {
		if h.Value != "" {
			f.Hidden = append(f.Hidden, h)
		}
	}
	if a.Name == sendPasskey {
		x.ceremony(&f, p)
	} else if p.named {
		f.Hidden = append(f.Hidden, hidden{"action", a.Name})
	}
	if a.Connection != "" {
		f.Hidden = append(f.Hidden, hidden{"connection", a.Connection})
		f.Submit = x.lang.text("submit.connection", "connection", a.Connection)
	}
	both := slices.ContainsFunc(a.Inputs, func(in flow.Input) bool { return in.Name == "new_password" })
	for _, in := range a.Inputs {
		if in.Kind == "object" || in.Name == "connection" && a.Connection != "" {
			continue
		}
		fl := x.field(a.Name, in, both, shortest)
		fl.Label = cmp.Or(x.lang.either("input."+in.Name+"."+p.view.Goal.String()), fl.Label)
		switch in.Name {
		case "identifier":
			fl.Value = p.typed
			if p.onlyInputs && offers(p.view, sendPasskey) {
				fl.Autocomplete += " webauthn"
			}
		case "keep":
			fl.Checked = p.keep
		case "password", "new_password":
			f.Username = p.view.Address
		}
		f.Fields = append(f.Fields, fl)
	}
	if primary && len(f.Fields) > 0 && f.Fields[0].Value == "" {
		f.Fields[0].Focus = true
	}
	return f
}

// field describes one input for people, their password managers and their keyboards.
func (x *exchange) field(action string, in flow.Input, both bool, shortest string) field {
	f := field{
		Name: in.Name, ID: action + "-" + in.Name, Type: "text", Required: in.Required,
		Label: x.lang.either("input."+in.Name+"."+action, "input."+in.Name), Hint: x.lang.either("hint." + in.Name),
	}
	if f.Label == "" {
		f.Label = x.lang.text("input.other")
	}
	switch in.Name {
	case "identifier":
		f.Autocomplete, f.InputMode = "username", "email"
		if action == "new-address" {
			f.Autocomplete = "email" // the name of the account is the present one, until the code came back
		}
	case "password":
		f.Type, f.Autocomplete = "password", "current-password"
		if both {
			f.Label = x.lang.text("input.password.current")
		}
	case "new_password":
		f.Type, f.Autocomplete = "password", "new-password"
		f.Hint, f.Rules = x.lang.text("hint.new_password", "min", shortest), "minlength: "+shortest+";"
	case "name":
		f.Autocomplete, f.Longest = "off", longestDeviceName
	case "code":
		f.Autocomplete, f.InputMode = "one-time-code", "numeric"
		if action == flow.RecoveryCode.String() || action == flow.MailLink.String() || strings.HasSuffix(action, flow.HostFactor.String()) {
			f.Autocomplete, f.InputMode = "off", "text"
		}
	}
	if in.Kind == "flag" {
		f.Type = "checkbox"
		f.Checked = in.Name == "end_others" // whoever changes a password mostly wants the others out
	}
	return f
}

// blame puts the sentence of a refusal beside the field that it concerns, or on top if there is none.
func (x *exchange) blame(c *card, p presentation) bool {
	sentence, name := "", p.missing
	switch {
	case p.missing != "":
		sentence = x.lang.either("required."+p.missing, "required.other")
	case p.view.Refusal != nil:
		sentence, name = x.refused(*p.view.Refusal), concerns[p.view.Refusal.Reason]
		if p.view.Refusal.Problem != "" {
			name = concerns[flow.PasswordRejected] // also where it is the server that cannot check it
		}
		if p.view.Refusal.Reason == flow.BadCredentials && !p.view.Goal.ByStranger() {
			sentence = x.lang.text("reason.bad-credentials.signed-in") // the address is out of question
		}
	default:
		return false
	}
	if p.view.Refusal != nil && untyped[p.view.Refusal.Reason] {
		c.Alert = sentence
		return true
	}
	at := -1
	var typed []field
	if len(c.Forms) > 0 {
		typed = c.Forms[0].Fields
	}
	for i := range typed {
		if typed[i].Type == "checkbox" {
			continue
		}
		typed[i].Focus = false
		if at < 0 || typed[i].Name == name {
			at = i
		}
	}
	if at < 0 {
		c.Alert = sentence
		return true
	}
	typed[at].Error, typed[at].Focus = sentence, true
	return true
}

// concerns names the field that a refusal is about; others are about the first one.
var concerns = map[flow.Reason]string{
	flow.BadCredentials: "password", flow.PasswordRejected: "new_password", flow.WrongCode: "code",
	flow.AddressRejected: "identifier", flow.AddressTaken: "identifier",
}

// untyped are the refusals of what nobody typed: no field is to blame.
var untyped = map[flow.Reason]bool{
	flow.PasskeyRefused: true, flow.NotConnected: true, flow.IdentityTaken: true, flow.WrongPerson: true,
	flow.ProviderFailed: true, flow.ProviderDeclined: true, flow.NotRecent: true,
}

// message is a page that says one thing: the texts key.title and key.text.
func (x *exchange) message(key string, links ...link) page {
	return page{Heading: x.lang.text(key + ".title"), Card: &card{Lead: x.lang.text(key + ".text"), Links: links}}
}

// problemPage tells a refusal of a whole request, or a fault, and leads on.
func (x *exchange) problemPage(p problem) page {
	heading := x.lang.either("ended."+p.refusal.Reason.String(), "error."+strconv.Itoa(p.status), "error.other")
	out := page{Heading: heading, Trouble: true, Card: &card{Lead: x.sentence(p)}}
	on := link{x.h.cfg.Home, x.lang.text("link.home", "product", x.h.cfg.Product), true}
	switch p.refusal.Reason {
	case stepUpRequired:
		out.Card.Lead = x.lang.text("refused.step-up")
		on = link{x.confirmURL(p.target, x.cameFrom()), x.lang.text("link.confirm"), true}
	case sessionRequired:
		out.Card.Lead = x.lang.text("refused.session")
		on = link{with(x.path("/sign-in"), "return_to", x.cameFrom()), x.lang.text("link.sign-in"), true}
	case cookieRequired, flow.Expired, flow.Stale:
		on = link{x.path("/sign-in"), x.lang.text("link.restart"), true}
	case forbidden, flow.Busy:
		on = link{x.again(), x.lang.text("link.again"), true}
	}
	out.Card.Links = []link{on}
	return out
}

// again is the page that shows the form which was just refused.
func (x *exchange) again() string {
	if rt, ok := x.h.find(x.r.URL.Path); ok && rt.get != nil {
		return x.r.URL.Path
	}
	return x.path("/account")
}
