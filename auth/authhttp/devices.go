package authhttp

import (
	"cmp"
	"net/http"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// longestDeviceName is how long a name may be that a form takes, in UTF-16 units, which is what browsers count.
// The service has the last word, in code points.
const longestDeviceName = 64

type deviceRow struct {
	Name    string // as its owner called it, or the summary of its User-Agent
	Device  device
	Named   bool // the summary says more than the name
	Since   stamp
	Used    stamp
	Until   stamp
	Current bool
	Rename  form
	Remove  form
}

// deviceRows lists the trusted devices and, if there are several, ends the trust in all of them.
func (x *exchange) deviceRows(list []auth.TrustedDevice, token string) (rows []deviceRow, all *form) {
	for _, d := range list {
		device := x.device(d.UserAgent)
		row := deviceRow{
			Name: cmp.Or(d.Name, device.text), Device: device, Named: d.Name != "", Current: d.Current,
			Since: x.lang.stamp(d.CreatedAt, x.now), Used: x.lang.stamp(d.SeenAt, x.now), Until: x.lang.until(d.ExpiresAt),
		}
		row.Remove = form{
			URL: x.path("/devices/remove"), Submit: x.lang.text("account.untrust"), Style: "row", Context: row.Name,
			Hidden: []hidden{{"form_token", token}, {"id", d.ID}},
		}
		row.Rename = form{
			URL: x.path("/devices/rename"), Submit: x.lang.text("account.save-name"), Style: "name", Context: row.Name,
			Hidden: []hidden{{"form_token", token}, {"id", d.ID}},
			Fields: []field{{
				Name: "name", ID: "name-" + d.ID, Type: "text", Label: x.lang.text("account.name"), Value: d.Name,
				Autocomplete: "off", Longest: longestDeviceName,
			}},
		}
		rows = append(rows, row)
	}
	if len(rows) > 1 {
		all = &form{
			URL: x.path("/devices/remove"), Submit: x.lang.plural("account.untrust-all", len(rows)), Style: "danger",
			Hidden: []hidden{{"form_token", token}, {"all", "on"}},
		}
	}
	return rows, all
}

// until is the day on which something ends.
func (c *catalog) until(t time.Time) stamp {
	t = t.UTC()
	return stamp{Relative: c.date(t), Exact: c.exact(t), Machine: t.Format(time.RFC3339)}
}

// postRename gives a trusted device another name; from a form or from JSON.
func postRename(x *exchange) error {
	return x.changeOwn("device-renamed", []string{"id", "name"}, func(s auth.Session, in fields) error {
		if in.text("id") == "" || !in.has("name") {
			return refuseBody(errFieldValue)
		}
		return x.h.svc.RenameTrustedDevice(x.r.Context(), s, in.text("id"), in.text("name"))
	})
}

// postRemove ends the trust in one device, or in all; from a form or from JSON.
func postRemove(x *exchange) error {
	return x.changeOwn("device-removed", []string{"id", "all"}, func(s auth.Session, in fields) error {
		switch {
		case in.has("id") == in.flag("all") || in.has("id") && in.text("id") == "":
			return refuseBody(errFieldValue)
		case in.flag("all"):
			return x.h.svc.RemoveTrustedDevices(x.r.Context(), s)
		}
		return x.h.svc.RemoveTrustedDevice(x.r.Context(), s, in.text("id"))
	})
}

// changeOwn makes a change to something of the session's account, a device or a factor, and leads back to its page.
func (x *exchange) changeOwn(notice string, allowed []string, change func(auth.Session, fields) error) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	in, err := x.readChange(s, allowed...)
	if err != nil {
		return err
	}
	if err := change(s, in); err != nil {
		return err
	}
	if x.json {
		return x.writeJSON(http.StatusOK, struct{}{})
	}
	if in.flag("all") {
		notice = "devices-removed"
	}
	if err := x.leaveNotice(notice); err != nil {
		return err
	}
	return x.redirect(x.path("/account"))
}

// deviceBody is a trusted device. Nothing in it stands for the device.
type deviceBody struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"` // as its owner called it
	Device    string    `json:"device"`
	UserAgent string    `json:"user_agent"`
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current"`
}

func apiDevices(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	list, err := x.h.svc.TrustedDevices(x.r.Context(), s, x.client())
	if err != nil {
		return err
	}
	bodies := []deviceBody{}
	for _, d := range list {
		bodies = append(bodies, deviceBody{
			ID: d.ID, Name: d.Name, Device: x.device(d.UserAgent).text, UserAgent: d.UserAgent,
			CreatedAt: d.CreatedAt.UTC(), SeenAt: d.SeenAt.UTC(), ExpiresAt: d.ExpiresAt.UTC(), Current: d.Current,
		})
	}
	return x.writeJSON(http.StatusOK, struct {
		Devices []deviceBody `json:"devices"`
	}{bodies})
}
