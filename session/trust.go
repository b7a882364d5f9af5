package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

const (
	// TrustFor is how long a device is trusted. Using it does not prolong it: a device that is lost in daily use
	// must not stay trusted for ever.
	TrustFor = 30 * day
	// MaxTrusted is how many devices an account may trust; one more ends the trust in the one that was trusted
	// first.
	MaxTrusted = 50
	// MaxDeviceName is how long the name of a trusted device may be, in code points.
	MaxDeviceName = 64
)

// TrustedDevicesConfig is what TrustedDevices are made from.
type TrustedDevicesConfig struct {
	// Devices and Store are required. Devices must be those that the service remembers sign-ins with.
	Devices *Devices
	Store   TrustStore
	// Random is the source of public ids; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

// TrustedDevices keeps which devices people chose to trust. A device is trusted by an account if its cookie
// proves that it completed a sign-in to that account, as Devices say, and the store has a record of the two that
// has not expired and is of the account's present session epoch. So a copy of the database trusts no device, for
// it makes no cookies, and a cookie alone is not trusted, for its owner can end the trust. The record names the
// device by a hash that has the account in it: the rows do not tell which accounts share a device. It is safe for
// concurrent use; make it with NewTrustedDevices.
type TrustedDevices struct {
	devices *Devices
	store   TrustStore
	random  io.Reader
}

var _ auth.TrustedDevices = (*TrustedDevices)(nil)

// NewTrustedDevices returns TrustedDevices, or an error that names every problem of the configuration at once.
func NewTrustedDevices(cfg TrustedDevicesConfig) (*TrustedDevices, error) {
	var problems []error
	if cfg.Devices == nil {
		problems = append(problems, errors.New("Devices are required"))
	}
	if cfg.Store == nil {
		problems = append(problems, errors.New("Store is required"))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("session: invalid TrustedDevicesConfig:\n%w", errors.Join(problems...))
	}
	t := &TrustedDevices{devices: cfg.Devices, store: cfg.Store, random: cfg.Random}
	if t.random == nil {
		t.random = rand.Reader
	}
	return t, nil
}

// Trusted returns the level that was reached when the cookie's device was trusted by the account, zero if it is
// not trusted under this session epoch, or not known to the account. A cookie that opens costs one read of the
// store whatever account is asked for, one that does not costs none: how long it takes says nothing about
// accounts. A store that fails is a fault.
func (t *TrustedDevices) Trusted(ctx context.Context, cookie auth.Secret, account string, epoch uint64, now time.Time) (flow.Assurance, error) {
	hash, ok := t.hash(cookie, account)
	if !ok {
		return 0, nil
	}
	rec, err := t.store.FindTrust(ctx, account, hash)
	known := t.devices.Known(cookie, account, now)
	switch {
	case errors.Is(err, auth.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("session: find trust: %w", err)
	case rec.Device != hash || rec.Account != account:
		return 0, errors.New("session: find trust: the store returned another device's")
	case !known || !trusts(&rec, epoch, now):
		return 0, nil
	}
	return rec.Assurance, nil
}

// trusts reports whether the record counts. One that was seen later than another instance's clock can explain
// does not: a clock that was set back must not revive trust that ended.
func trusts(r *TrustRecord, epoch uint64, now time.Time) bool {
	return r.Epoch == epoch && now.Before(r.ExpiresAt) && !r.SeenAt.After(now.Add(clockSkew))
}

// Trust makes the cookie's device a trusted one for TrustFor, in the place of its earlier trust, whose name
// stays. It returns auth.ErrStale if the account has trust of a later session epoch, and auth.ErrNotFound for a
// cookie that is altered or knows nothing of the account. A request that names no account or no level is a fault.
func (t *TrustedDevices) Trust(ctx context.Context, cookie auth.Secret, r auth.TrustRequest, now time.Time) (auth.TrustedDevice, error) {
	now = wall(now)
	if r.Account == "" || r.Assurance == 0 {
		return auth.TrustedDevice{}, errors.New("session: trust device: the request names no account or no level")
	}
	hash, ok := t.hash(cookie, r.Account)
	if !ok || !t.devices.Known(cookie, r.Account, now) {
		return auth.TrustedDevice{}, fmt.Errorf("session: trust device: the device is not known: %w", auth.ErrNotFound)
	}
	id, err := randomID(t.random)
	if err != nil {
		return auth.TrustedDevice{}, fmt.Errorf("session: trust device: %w", err)
	}
	rec := TrustRecord{
		ID: id, Account: r.Account, Device: hash, UserAgent: cleanUserAgent(r.UserAgent), Assurance: r.Assurance,
		Epoch: r.Epoch, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(TrustFor),
	}
	if err := t.store.PutTrust(ctx, rec, now, MaxTrusted); err != nil {
		return auth.TrustedDevice{}, fmt.Errorf("session: trust device: %w", err)
	}
	d := trustedDevice(&rec)
	d.Current = true
	return d, nil
}

// Used records that the device signed in. One that is not trusted is no error.
func (t *TrustedDevices) Used(ctx context.Context, cookie auth.Secret, account string, epoch uint64, now time.Time) error {
	hash, ok := t.hash(cookie, account)
	if !ok {
		return nil
	}
	if err := t.store.TouchTrust(ctx, account, hash, epoch, wall(now)); err != nil {
		return fmt.Errorf("session: record use of device: %w", err)
	}
	return nil
}

// Restamp moves the device's trust on to a later session epoch, if it is of exactly the epoch in from and counts
// now; else it returns auth.ErrNotFound.
func (t *TrustedDevices) Restamp(ctx context.Context, cookie auth.Secret, account string, from, to uint64, now time.Time) error {
	level, err := t.Trusted(ctx, cookie, account, from, now)
	if err != nil {
		return err
	}
	hash, ok := t.hash(cookie, account)
	if !ok || level == 0 {
		return fmt.Errorf("session: restamp trust: %w", auth.ErrNotFound)
	}
	if err := t.store.RestampTrust(ctx, account, hash, from, to); err != nil {
		return fmt.Errorf("session: restamp trust: %w", err)
	}
	return nil
}

// List returns the account's devices that are trusted now, under the session epoch, the last used first, at most
// MaxTrusted of them. The one of the cookie is marked.
func (t *TrustedDevices) List(ctx context.Context, cookie auth.Secret, account string, epoch uint64, now time.Time) ([]auth.TrustedDevice, error) {
	records, err := t.store.ListTrust(ctx, account, epoch, now, MaxTrusted)
	if err != nil {
		return nil, fmt.Errorf("session: list trust: %w", err)
	}
	hash, ok := t.hash(cookie, account)
	list := make([]auth.TrustedDevice, 0, len(records))
	for i := range records {
		d := trustedDevice(&records[i])
		d.Current = ok && records[i].Device == hash && t.devices.Known(cookie, account, now)
		list = append(list, d)
	}
	return list, nil
}

// Rename gives a device of the account another name: in Unicode's form NFC, without what cannot be seen or turns
// the writing direction, each run of spaces one space. An empty name, or one of which nothing is left, takes its
// name away. One of more than MaxDeviceName code points is a *DeniedError (Malformed), and an unknown device, or
// another account's, auth.ErrNotFound.
func (t *TrustedDevices) Rename(ctx context.Context, account, id, name string) error {
	name, ok := cleanName(name)
	if !ok {
		return flow.Deny(flow.Malformed)
	}
	if err := t.store.RenameTrust(ctx, account, id, name); err != nil {
		return fmt.Errorf("session: rename device: %w", err)
	}
	return nil
}

// cleanName returns a name as it is listed; ok is false if it is too long. What is far too long is not looked at.
func cleanName(text string) (name string, ok bool) {
	if len(text) > 4*utf8.UTFMax*MaxDeviceName {
		return "", false
	}
	var b strings.Builder
	for _, c := range norm.NFC.String(text) { // bytes that are no UTF-8 come as utf8.RuneError
		switch {
		case unicode.IsSpace(c):
			b.WriteByte(' ')
		case unicode.IsGraphic(c) && c != utf8.RuneError:
			b.WriteRune(c)
		}
	}
	name = strings.Join(strings.Fields(b.String()), " ")
	return name, utf8.RuneCountInString(name) <= MaxDeviceName
}

// Remove ends the trust in a device of the account. An unknown one, and one of another account, is
// auth.ErrNotFound.
func (t *TrustedDevices) Remove(ctx context.Context, account, id string) error {
	if err := t.store.RemoveTrust(ctx, account, id); err != nil {
		return fmt.Errorf("session: remove trust: %w", err)
	}
	return nil
}

// RemoveAll ends the trust in all devices of the account.
func (t *TrustedDevices) RemoveAll(ctx context.Context, account string) error {
	if err := t.store.RemoveAllTrust(ctx, account); err != nil {
		return fmt.Errorf("session: remove all trust: %w", err)
	}
	return nil
}

// SweepTrusted deletes at most limit records whose trust expired by now and returns how many.
func (t *TrustedDevices) SweepTrusted(ctx context.Context, now time.Time, limit int) (int, error) {
	n, err := t.store.SweepTrust(ctx, now, limit)
	if err != nil {
		return n, fmt.Errorf("session: sweep trust: %w", err)
	}
	return n, nil
}

// Report returns the limits in force for the policy report.
func (t *TrustedDevices) Report() auth.ReportSection {
	return auth.ReportSection{Title: "Trusted devices", Rows: []auth.ReportRow{
		{Name: "trusted for", Value: auth.ReportDuration(TrustFor), Note: "from when it was chosen, beside a code that was right; using the device does not prolong it"},
		{Name: "devices of one account", Value: fmt.Sprintf("%d, one more ends the first", MaxTrusted)},
		{Name: "ends too", Value: "with all sessions, when its owner removes it, and when the account is closed", Note: "ending all others keeps the device that does it"},
		{Name: "stands in for a second factor", Value: "only where the rules say so, and a factor was proven when it was chosen"},
	}}
}

// hash returns what stands for the cookie's device within the account; ok is false if the cookie is absent or
// altered. The device's id has 128 random bits, so a plain hash gives nothing of it away.
func (t *TrustedDevices) hash(cookie auth.Secret, account string) (hash [sha256.Size]byte, ok bool) {
	id := t.devices.Device(cookie)
	if id == "" || account == "" {
		return hash, false
	}
	return sha256.Sum256([]byte("trusted device\x00" + id + "\x00" + account)), true // an id has no NUL in it
}

func trustedDevice(r *TrustRecord) auth.TrustedDevice {
	return auth.TrustedDevice{
		ID: r.ID, Account: r.Account, Name: r.Name, Assurance: r.Assurance,
		CreatedAt: r.CreatedAt, SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt, UserAgent: r.UserAgent,
	}
}
