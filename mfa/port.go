package mfa

import (
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var _ auth.RecoveryCodes = (*Codes)(nil)

// NewSet is Make for auth.FactorStore. The ids of the rows are for the caller to choose.
func (c *Codes) NewSet(account string) (shown []auth.Secret, set []auth.StoredFactor, err error) {
	shown, records, err := c.Make(account)
	for _, r := range records {
		set = append(set, auth.StoredFactor{
			Account: account, Method: flow.RecoveryCode, Handle: r.Selector, Data: r.Key + "." + r.Hash,
		})
	}
	return shown, set, err
}

// Handle is Selector.
func (*Codes) Handle(typed auth.Secret) (handle string, ok bool) { return Selector(typed) }

// Opens is Matches for a row of auth.FactorStore. A row of another account or method opens to nothing.
func (c *Codes) Opens(typed auth.Secret, account string, f auth.StoredFactor) bool {
	r := Record{Selector: f.Handle}
	r.Key, r.Hash, _ = strings.Cut(f.Data, ".")
	if f.Account != account || f.Method != flow.RecoveryCode {
		r = Record{}
	}
	return c.Matches(typed, account, r)
}
