package authhttp

import (
	"net/http"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// activityRow is something that happened with the account.
type activityRow struct {
	What    string
	Methods string // how, where What does not say so
	Device  string // empty if nobody's device was in it
	Network string
	Times   string // how often; empty for once
	First   stamp  // of several
	At      stamp
	Attempt bool // nothing came of it
}

func (x *exchange) activityRows(list []auth.Activity) (rows []activityRow) {
	for _, a := range list {
		row := activityRow{
			Network: network(a.Network), At: x.lang.stamp(a.At, x.now),
			Attempt: a.What == auth.ActivityAttemptFailed || a.What == auth.ActivitySecondStepFailed,
		}
		row.What, row.Methods = x.told(a)
		if a.UserAgent != "" {
			row.Device = x.device(a.UserAgent).text
		}
		if a.Count > 1 {
			row.Times, row.First = x.lang.plural("account.times", a.Count), x.lang.stamp(a.FirstAt, x.now)
		}
		rows = append(rows, row)
	}
	return rows
}

// told says what happened, and the methods where that leaves them open.
func (x *exchange) told(a auth.Activity) (text, methods string) {
	key, list := "activity."+string(a.What), a.Methods.List()
	if len(list) == 1 && x.lang.has(key+"."+list[0].String()) {
		return x.lang.text(key + "." + list[0].String()), ""
	}
	switch a.What {
	case auth.ActivitySignedIn, auth.ActivityNewDevice, auth.ActivityAttemptFailed, auth.ActivitySecondStepFailed,
		auth.ActivityFactorAdded, auth.ActivityFactorRemoved, auth.ActivityIdentityLinked:
		var names []string
		for _, m := range list {
			names = append(names, x.lang.either("method."+m.String(), "method.other"))
		}
		methods = strings.Join(names, ", ")
	}
	return x.lang.either(key, "activity.other"), methods
}

// activityBody is something that happened with the account. Nothing in it opens or ends anything.
type activityBody struct {
	What      auth.ActivityWhat `json:"what"`
	Methods   []flow.Method     `json:"methods"`
	Device    string            `json:"device,omitempty"`
	UserAgent string            `json:"user_agent,omitempty"`
	Network   string            `json:"network,omitempty"`
	Count     int               `json:"count"`
	FirstAt   time.Time         `json:"first_at"`
	At        time.Time         `json:"at"`
}

func apiActivity(x *exchange) error {
	s, err := x.session()
	if err != nil {
		return err
	}
	list, err := x.h.svc.Activity(x.r.Context(), s)
	if err != nil {
		return err
	}
	bodies := []activityBody{}
	for _, a := range list {
		b := activityBody{
			What: a.What, Methods: append([]flow.Method{}, a.Methods.List()...), UserAgent: a.UserAgent,
			Count: a.Count, FirstAt: a.FirstAt.UTC(), At: a.At.UTC(),
		}
		if a.UserAgent != "" {
			b.Device = x.device(a.UserAgent).text
		}
		if a.Network.IsValid() {
			b.Network = a.Network.String()
		}
		bodies = append(bodies, b)
	}
	return x.writeJSON(http.StatusOK, struct {
		Activity []activityBody `json:"activity"`
	}{bodies})
}
