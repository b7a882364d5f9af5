package authhttp

import (
	"net/http"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// accountView is what the account page shows.
type accountView struct {
	Address   string
	Name      string
	Sessions  []sessionRow
	EndOthers *form
	Devices   []deviceRow // those that are trusted
	RemoveAll *form
	Factors   *factorsView // nil where there are none and none can be added
	// Connections are the providers; nil where there are none.
	Connections *connectionsView
	Activity    []activityRow
	SignOut     form
	Password    string // where to change it
	Move        string // where to change the address; empty if that is not offered
}

type sessionRow struct {
	Device  device
	Network string
	Seen    stamp
	Begun   stamp
	Keep    bool
	Current bool
	End     *form // nil for the current one, which is ended by signing out
}

func showAccount(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	account, err := x.h.svc.Account(x.r.Context(), s.Account)
	if err != nil {
		return err
	}
	x.speak(account)
	list, err := x.h.svc.Sessions(x.r.Context(), s)
	if err != nil {
		return err
	}
	devices, err := x.h.svc.TrustedDevices(x.r.Context(), s, x.client())
	if err != nil {
		return err
	}
	factors, err := x.h.svc.Factors(x.r.Context(), s)
	if err != nil {
		return err
	}
	connections, err := x.h.svc.Connections(x.r.Context(), s)
	if err != nil {
		return err
	}
	activity, err := x.h.svc.Activity(x.r.Context(), s)
	if err != nil {
		return err
	}
	token, err := x.h.formToken(toSession, s.ID)
	if err != nil {
		return err
	}
	view := accountView{
		Address: account.Display, Name: account.Name, Password: x.path("/password"), Sessions: x.rows(list, token),
		SignOut: form{URL: x.path("/sign-out"), Submit: x.lang.text("submit.sign-out"), Style: "secondary", Hidden: []hidden{{"form_token", token}}},
	}
	view.Connections = x.connectionsView(connections, token)
	view.Factors, view.Activity = x.factorsView(factors, token), x.activityRows(activity)
	if x.h.svc.Serves(flow.Enrolment, newAddress) {
		view.Move = x.path("/address")
	}
	view.Devices, view.RemoveAll = x.deviceRows(devices, token)
	if others := len(list) - 1; others > 0 {
		view.EndOthers = &form{
			URL: x.path("/sessions/end"), Submit: x.lang.plural("account.end-others", others), Style: "danger",
			Hidden: []hidden{{"form_token", token}, {"others", "on"}},
		}
	}
	return x.render(http.StatusOK, "account", page{Heading: x.lang.text("account.title"), Account: &view, Wide: true})
}

func (x *exchange) rows(list []auth.Session, token string) []sessionRow {
	rows := make([]sessionRow, 0, len(list))
	for _, s := range list {
		row := sessionRow{
			Device: x.device(s.UserAgent), Network: network(s.Prefix), Keep: s.Keep, Current: s.Current,
			Seen: x.lang.stamp(s.SeenAt, x.now), Begun: x.lang.stamp(s.CreatedAt, x.now),
		}
		if !s.Current {
			row.End = &form{
				URL: x.path("/sessions/end"), Submit: x.lang.text("account.end"), Style: "row", Context: row.Device.text,
				Hidden: []hidden{{"form_token", token}, {"id", s.ID}},
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// postEnd ends one session, or all but this one; from a form or from JSON.
func postEnd(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	allowed := []string{"id", "others"}
	if x.native {
		allowed = append(allowed, "device_token") // so that the client which ends the others stays a trusted one
	}
	in, err := x.readChange(s, allowed...)
	if err != nil {
		return err
	}
	if in.has("id") == in.flag("others") || in.has("id") && in.text("id") == "" || in.has("id") && in.has("device_token") {
		return refuseBody(errFieldValue)
	}
	x.deviceToken = in.text("device_token")
	ctx, notice := x.r.Context(), "session-ended"
	if in.flag("others") {
		err, notice = x.h.svc.EndOtherSessions(ctx, s, x.client()), "others-ended"
	} else {
		err = x.h.svc.EndSession(ctx, s, in.text("id"))
	}
	if err != nil {
		return err
	}
	if in.text("id") == s.ID {
		return x.signedOut()
	}
	if x.json {
		return x.writeJSON(http.StatusOK, struct{}{})
	}
	if err := x.leaveNotice(notice); err != nil {
		return err
	}
	return x.redirect(x.path("/account"))
}

// readChange reads a change to the session's account: JSON, or a form whose token is bound to the session.
func (x *exchange) readChange(s auth.Session, allowed ...string) (fields, error) {
	if x.json {
		return x.readJSON(allowed...)
	}
	return x.readForm(toSession, s.ID, allowed...)
}

func showSignOut(x *exchange) error {
	s, err := x.session()
	if denial(err) != nil {
		return x.redirect(x.path("/sign-in"))
	}
	if err != nil {
		return err
	}
	token, err := x.h.formToken(toSession, s.ID)
	if err != nil {
		return err
	}
	p := x.message("sign-out", link{x.h.cfg.Home, x.lang.text("link.back"), false})
	p.Card.Forms = []form{{
		URL: x.path("/sign-out"), Submit: x.lang.text("submit.sign-out"), Style: "primary",
		Hidden: []hidden{{"form_token", token}},
	}}
	return x.render(http.StatusOK, "sign-out", p)
}

// postSignOut ends the session. Whoever has none is signed out already.
func postSignOut(x *exchange) error {
	s, err := x.session()
	if denial(err) != nil {
		if x.json {
			return err
		}
		return x.signedOut()
	}
	if err != nil {
		return err
	}
	if _, err := x.readChange(s); err != nil {
		return err
	}
	if err := x.h.svc.SignOut(x.r.Context(), s); err != nil {
		return err
	}
	if address := x.signOutElsewhere(s); address != "" {
		return x.signedOutHere(address)
	}
	return x.signedOut()
}

// signedOut takes the session's cookie back, and the flow's too: nobody goes on with a form that the
// person before them left open. The device stays known: that is for its next sign-in. (ASVS 14.3.1) A native
// client has nothing here that could be taken back.
func (x *exchange) signedOut() error {
	if !x.native {
		x.dropSession()
	}
	if x.json {
		return x.writeJSON(http.StatusOK, struct{}{})
	}
	if err := x.leaveNotice("signed-out"); err != nil {
		return err
	}
	return x.redirect(x.path("/sign-in"))
}

func (x *exchange) dropSession() {
	x.h.dropCookie(x.w, x.h.cookies.session)
	x.h.dropCookie(x.w, x.h.cookies.flow)
	if cookie(x.r, x.h.cookies.confirmation) != "" {
		x.h.dropCookie(x.w, x.h.cookies.confirmation)
	}
	if !x.h.cfg.KeepSiteData {
		x.w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	}
}
