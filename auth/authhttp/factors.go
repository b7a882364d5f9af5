package authhttp

import (
	"cmp"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// addable are the second factors that people can add, in the order in which the page offers them.
var addable = []flow.Method{flow.Passkey, flow.TOTP, flow.HostFactor, flow.RecoveryCode}

// factorsView is the part of the account page that tells how the account is signed in to, beside the password.
type factorsView struct {
	Rows []factorRow
	Add  []form
}

type factorRow struct {
	Name   string // as its owner called it, or what it is
	Kind   string // what it is, if the name does not say so
	Left   string // how many recovery codes are left
	Since  stamp
	Used   *stamp // nil for never, or not known
	Rename *form  // nil for recovery codes, which are replaced and not kept
	Remove *form
}

func (x *exchange) factorsView(list []auth.Factor, token string) *factorsView {
	v := &factorsView{}
	has := map[flow.Method]bool{}
	for _, f := range list {
		has[f.Method] = true
		v.Rows = append(v.Rows, x.factorRow(f, token))
	}
	for _, m := range addable {
		codes := m == flow.RecoveryCode
		if !x.h.svc.Serves(flow.Enrolment, flow.Target{Enrol: m}) || codes && len(list) == 0 {
			continue
		}
		key := "account.add-" + m.String()
		if codes && has[m] {
			key = "account.replace-" + m.String()
		}
		v.Add = append(v.Add, form{
			URL: x.path("/factors/add"), Submit: x.lang.text(key), Style: "secondary",
			Hidden: []hidden{{"form_token", token}, {"enrol", m.String()}},
		})
	}
	if len(v.Rows) == 0 && len(v.Add) == 0 {
		return nil
	}
	return v
}

func (x *exchange) factorRow(f auth.Factor, token string) factorRow {
	kind := x.lang.either("method."+f.Method.String(), "method.other")
	row := factorRow{Name: cmp.Or(f.Name, kind), Since: x.lang.stamp(f.CreatedAt, x.now)}
	if f.Name != "" {
		row.Kind = kind
	}
	if !f.UsedAt.IsZero() {
		used := x.lang.stamp(f.UsedAt, x.now)
		row.Used = &used
	}
	if f.Method == flow.RecoveryCode {
		row.Left = x.lang.plural("account.codes-left", f.Left)
		return row
	}
	row.Rename = &form{
		URL: x.path("/factors/rename"), Submit: x.lang.text("account.save-name"), Style: "name", Context: row.Name,
		Hidden: []hidden{{"form_token", token}, {"id", f.ID}},
		Fields: []field{{
			Name: "name", ID: "name-" + f.ID, Type: "text", Label: x.lang.text("account.name"), Value: f.Name,
			Autocomplete: "off", Longest: longestDeviceName,
		}},
	}
	row.Remove = &form{
		URL: x.path("/factors/remove"), Submit: x.lang.text("account.untrust"), Style: "row", Context: row.Name,
		Hidden: []hidden{{"form_token", token}, {"enrol", f.Method.String()}, {"id", f.ID}},
	}
	return row
}

// postAddFactor begins to add a second factor. The flow's page goes on, with whatever is due before.
func postAddFactor(x *exchange) error {
	return x.beginFactor([]string{"enrol"}, func(in fields, m flow.Method) (flow.Target, bool) {
		return flow.Target{Enrol: m}, true
	})
}

// postRemoveFactor begins to remove one.
func postRemoveFactor(x *exchange) error {
	return x.beginFactor([]string{"enrol", "id"}, func(in fields, m flow.Method) (flow.Target, bool) {
		return flow.Target{Enrol: m, Remove: in.text("id")}, in.text("id") != ""
	})
}

func (x *exchange) beginFactor(allowed []string, target func(fields, flow.Method) (flow.Target, bool)) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	in, err := x.readForm(toSession, s.ID, allowed...)
	if err != nil {
		return err
	}
	var m flow.Method
	if m.UnmarshalText([]byte(in.text("enrol"))) != nil || m == 0 {
		return refuseBody(errFieldValue)
	}
	t, ok := target(in, m)
	if !ok {
		return refuseBody(errFieldValue)
	}
	if _, err := x.browser(); err != nil {
		return err
	}
	p, err := x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
		Goal: flow.Enrolment, Target: t, ReturnTo: x.path("/account"), Client: x.client(),
	})
	if err != nil {
		return err
	}
	return x.proceed(p)
}

// postRenameFactor gives a second factor another name; from a form or from JSON.
func postRenameFactor(x *exchange) error {
	return x.changeOwn("factor-renamed", []string{"id", "name"}, func(s auth.Session, in fields) error {
		if in.text("id") == "" || !in.has("name") {
			return refuseBody(errFieldValue)
		}
		return x.h.svc.RenameFactor(x.r.Context(), s, in.text("id"), in.text("name"))
	})
}

// pairingView is a new authenticator app on the page that has it confirmed.
type pairingView struct {
	QR  template.HTML
	Key string
	URI template.URL
}

func (x *exchange) pairingView(p *auth.Pairing) (*pairingView, error) {
	if p == nil {
		return nil, nil
	}
	svg, err := x.h.svc.QR(*p, x.lang.text("pairing.qr"))
	if err != nil {
		return nil, err
	}
	return &pairingView{
		QR:  template.HTML(svg.Reveal()), //nolint:gosec // made of modules, with the title escaped
		Key: p.Text.Reveal(),
		URI: template.URL(p.URI.Reveal()), //nolint:gosec // otpauth: with every part escaped
	}, nil
}

// codesPage shows recovery codes, this once: only the answer that makes them has them.
func (x *exchange) codesPage(p auth.Progress) error {
	v := &codesView{}
	for _, c := range p.Codes {
		v.Codes = append(v.Codes, c.Reveal())
	}
	text := x.lang.text("codes.file", "product", x.h.cfg.Product, "origin", x.h.cfg.Origin) + "\r\n\r\n" + strings.Join(v.Codes, "\r\n") + "\r\n"
	v.File = template.URL("data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(text))) //nolint:gosec // base64
	out := x.message("codes", link{x.path("/account"), x.lang.text("link.codes-kept"), true})
	out.Card.Recovery = v
	return x.render(http.StatusOK, "message", out)
}

func provedBy(s auth.Session, m flow.Method) bool {
	return slices.ContainsFunc(s.Proofs, func(p flow.Proof) bool { return p.Method == m })
}

// codeUsedPage comes after a sign-in with a recovery code: whoever needed one lacks the factor that it stood in for,
// and has one code less for the next time.
func (x *exchange) codeUsedPage(p auth.Progress) error {
	list, err := x.h.svc.Factors(x.r.Context(), p.Session.Session)
	if err != nil {
		return err
	}
	left := 0
	for _, f := range list {
		left += f.Left
	}
	target := p.ReturnTo
	if !localPath(target) && !webURL(target) && !loopbackURL(target) {
		target = x.h.cfg.Home
	}
	out := x.message("code-used",
		link{x.path("/account"), x.lang.text("link.code-used"), true}, link{target, x.lang.text("link.continue"), false})
	out.Card.Lead = x.lang.plural("code-used.left", left) + " " + out.Card.Lead
	return x.render(http.StatusOK, "message", out)
}

// codesView is a set of recovery codes on the one page that has them.
type codesView struct {
	Codes []string
	File  template.URL
}

// factorBody is a second factor. Nothing in it proves anything.
type factorBody struct {
	ID        string      `json:"id"`
	Method    flow.Method `json:"method"`
	Name      string      `json:"name,omitempty"`
	CreatedAt time.Time   `json:"created_at"`
	UsedAt    *time.Time  `json:"used_at,omitempty"`
	Left      int         `json:"left,omitempty"` // recovery codes that were not used
}

func apiFactors(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	list, err := x.h.svc.Factors(x.r.Context(), s)
	if err != nil {
		return err
	}
	bodies := []factorBody{}
	for _, f := range list {
		b := factorBody{ID: f.ID, Method: f.Method, Name: f.Name, CreatedAt: f.CreatedAt.UTC(), Left: f.Left}
		if !f.UsedAt.IsZero() {
			used := f.UsedAt.UTC()
			b.UsedAt = &used
		}
		bodies = append(bodies, b)
	}
	return x.writeJSON(http.StatusOK, struct {
		Factors []factorBody `json:"factors"`
	}{bodies})
}

// pairingBody is a new authenticator app that waits for a code.
type pairingBody struct {
	URI string `json:"uri"` // otpauth://, for a QR code
	Key string `json:"key"` // for typing
}

func factorBodies(p auth.Progress) (*pairingBody, []string) {
	var pairing *pairingBody
	if p.Pairing != nil {
		pairing = &pairingBody{p.Pairing.URI.Reveal(), p.Pairing.Text.Reveal()}
	}
	var codes []string
	for _, c := range p.Codes {
		codes = append(codes, c.Reveal())
	}
	return pairing, codes
}
