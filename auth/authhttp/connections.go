package authhttp

import (
	"net/http"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// connectionsView is the part of the account page that tells which providers the account is connected with.
type connectionsView struct {
	Rows []connectionRow
	Add  []form
}

type connectionRow struct {
	Name   string // of the provider
	Email  string // as the provider tells it; may be empty
	Since  stamp
	Used   *stamp // nil for never
	Remove form
}

func (x *exchange) connectionsView(list []auth.Connection, token string) *connectionsView {
	v := &connectionsView{}
	has := map[string]bool{}
	for _, c := range list {
		has[c.Provider] = true
		row := connectionRow{Name: c.ProviderName, Email: c.Email, Since: x.lang.stamp(c.LinkedAt, x.now)}
		if !c.UsedAt.IsZero() {
			used := x.lang.stamp(c.UsedAt, x.now)
			row.Used = &used
		}
		row.Remove = form{
			URL: x.path("/connections/remove"), Submit: x.lang.text("account.disconnect"), Style: "row", Context: c.ProviderName,
			Hidden: []hidden{{"form_token", token}, {"id", c.ID}},
		}
		v.Rows = append(v.Rows, row)
	}
	for _, info := range x.h.svc.Providers() {
		if has[info.ID] {
			continue
		}
		v.Add = append(v.Add, form{
			URL: x.path("/connections/add"), Submit: x.lang.text("account.connect", "name", info.Name), Style: "secondary",
			Hidden: []hidden{{"form_token", token}, {"connection", info.ID}},
		})
	}
	if len(v.Rows) == 0 && len(v.Add) == 0 {
		return nil
	}
	return v
}

// postConnect begins to connect a provider. Whatever is due before, the flow's page asks for.
func postConnect(x *exchange) error {
	return x.beginLinking("connection", func(value string) flow.Target { return flow.Target{Connection: value} })
}

// postDisconnect begins to disconnect one.
func postDisconnect(x *exchange) error {
	return x.beginLinking("id", func(value string) flow.Target { return flow.Target{Remove: value, Enrol: flow.Social} })
}

func (x *exchange) beginLinking(name string, target func(string) flow.Target) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	in, err := x.readForm(toSession, s.ID, name)
	if err != nil {
		return err
	}
	if in.text(name) == "" {
		return refuseBody(errFieldValue)
	}
	if _, err := x.browser(); err != nil {
		return err
	}
	p, err := x.h.svc.Begin(x.r.Context(), auth.BeginRequest{
		Goal: flow.Linking, Target: target(in.text(name)), ReturnTo: x.path("/account"), Client: x.client(),
	})
	if err != nil {
		return err
	}
	return x.proceed(p)
}

// connectionBody is a provider that the account is connected with.
type connectionBody struct {
	ID        string     `json:"id"`
	Provider  string     `json:"provider"`
	Name      string     `json:"name"`
	Email     string     `json:"email,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	UsedAt    *time.Time `json:"used_at,omitempty"`
}

func apiConnections(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	list, err := x.h.svc.Connections(x.r.Context(), s)
	if err != nil {
		return err
	}
	bodies := []connectionBody{}
	for _, c := range list {
		b := connectionBody{ID: c.ID, Provider: c.Provider, Name: c.ProviderName, Email: c.Email, CreatedAt: c.LinkedAt.UTC()}
		if !c.UsedAt.IsZero() {
			used := c.UsedAt.UTC()
			b.UsedAt = &used
		}
		bodies = append(bodies, b)
	}
	return x.writeJSON(http.StatusOK, struct {
		Connections []connectionBody `json:"connections"`
	}{bodies})
}
