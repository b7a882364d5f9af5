package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/cardea-auth/cardea/auth"
)

// ahead is how many codes may be typed as the next one: somebody who skips a code, or whose code was used up by a
// request that then failed, is not locked out. Each one more makes a guess so much likelier.
const ahead = 3

var _ auth.HostFactor = (*office)(nil)

// Enrol looks for a card that was handed out to the account and has the code next. The card's mark moves with it, and
// with each Check, so that a card which was taken off the account and is added again goes on where it was: the codes
// that somebody may have seen stay used. In a table that is
//
//	UPDATE cards SET used = ? WHERE serial = ? AND used < ?
//
// and the code counts only if that changed a row.
func (o *office) Enrol(_ context.Context, account string, typed auth.Secret, _ time.Time) (auth.HostEnrolment, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.cards {
		if c.account != account || account == "" {
			continue
		}
		place, err := o.place(c, c.used, typed)
		if err != nil {
			return auth.HostEnrolment{}, false, err
		}
		if place > 0 {
			c.used = place
			return auth.HostEnrolment{Handle: c.serial, Counter: int64(place)}, true, nil
		}
	}
	return auth.HostEnrolment{}, false, nil
}

// Check looks for the code among the next ones after the last that was used. Which one that is, the factor says, and
// the library moves it: of two requests with one code, it lets one in.
func (o *office) Check(_ context.Context, f auth.StoredFactor, typed auth.Secret, _ time.Time) (auth.HostUse, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.find(f.Handle)
	if c == nil || c.account != f.Account {
		return auth.HostUse{}, false, errors.New("codelist: the account has a card that was not handed out to it")
	}
	place, err := o.place(c, int(f.Counter), typed)
	if err != nil || place == 0 {
		return auth.HostUse{}, false, err
	}
	c.used = max(c.used, place)
	return auth.HostUse{Counter: int64(place)}, true, nil
}

// place returns the place of the code among the next ones of the card, zero if it is none of them. All of these are
// looked at, in constant time: how long it takes tells nothing of a code.
func (o *office) place(c *card, used int, typed auth.Secret) (place int, err error) {
	code := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1 // as codes are printed and typed
		}
		return r
	}, typed.Reveal())
	for i := max(used, 0); i < min(used+ahead, cardCodes); i++ {
		sum, known := o.hash(c, i+1, code)
		if !known {
			return 0, errors.New("codelist: the key of card " + c.serial + " is gone; hand out a new one")
		}
		place = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], c.hashes[i][:]), i+1, place)
	}
	return place, nil
}

// Report tells the operator what the codes are like; the library adds it to its own report.
func (o *office) Report() auth.ReportSection {
	return auth.ReportSection{Title: "Code cards", Rows: []auth.ReportRow{
		{Name: "codes of a card", Value: fmt.Sprintf("%d of %d digits, in their order", cardCodes, codeDigits), Note: "NIST SP 800-63B-4 §3.1.2.1"},
		{Name: "codes that may be typed as the next one", Value: fmt.Sprint(ahead)},
		{Name: "what is kept of a code", Value: "HMAC-SHA-256 under a key that is not in the table", Note: "NIST SP 800-63B-4 §3.1.2.2, ASVS 6.5.2"},
	}}
}
