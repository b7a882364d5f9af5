package session

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

const (
	// KnownFor is how long a browser is known after it completed a sign-in; transports keep the cookie as
	// long. A day begun counts as a whole one.
	KnownFor = 365 * day

	deviceVersion   = "1"
	nativeVersion   = auth.NativeDeviceMark + deviceVersion
	maxKnown        = 8   // accounts in one cookie; the one remembered first goes out
	maxDeviceCookie = 512 // bytes; longer ones are not looked at
	tagBytes        = 16
)

// DevicesConfig is what Devices are made from.
type DevicesConfig struct {
	// Keys are required.
	Keys auth.Keys
	// Random is the source of device ids; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

// Devices recognises browsers that completed a sign-in before. Nothing is stored: the cookie holds a
// random device id, and for each account a tag that only the holder of the keys can make or read. So the
// cookie of a browser proves nothing about accounts that did not sign in there, and does not tell which
// did. Being known opens nothing; it gives an owner a throttling lane that strangers cannot fill.
//
// The cookie is fields joined by dots: the version, the name of the key, the device id, then for each
// account the name of the tag's key, the day in days since 1970 and the tag, and last the MAC of all
// before it. It has less than 512 bytes. Each tag names its own key, so that after a rotation the new key
// signs a cookie whose older tags stay readable. A native client's token is the same, but for the mark
// auth.NativeDeviceMark in front of the version, where the MAC covers it. Devices is safe for concurrent use;
// make it with NewDevices.
type Devices struct {
	keys   auth.DerivedKeys
	random io.Reader
}

var _ auth.Devices = (*Devices)(nil)

// NewDevices returns Devices, or an error if there are no keys.
func NewDevices(cfg DevicesConfig) (*Devices, error) {
	if cfg.Keys.IsZero() {
		return nil, errors.New("session: invalid DevicesConfig: Keys are required")
	}
	d := &Devices{keys: cfg.Keys.Derive("known device"), random: cfg.Random}
	if d.random == nil {
		d.random = rand.Reader
	}
	return d, nil
}

// device is what a cookie says, the account remembered last first.
type device struct {
	version  string // tells a native client's token from a browser's cookie
	id       string
	accounts []knownAccount
}

type knownAccount struct {
	key string // the name of the key that the tag is made with
	day int    // of the sign-in, in days since 1970
	tag string
}

// Known reports whether the cookie says, and proves, that this browser completed a sign-in to the account
// within the last year. The work depends on the cookie alone, never on the account.
func (d *Devices) Known(cookie auth.Secret, account string, now time.Time) bool {
	dev, ok := d.open(cookie)
	if !ok || account == "" {
		return false
	}
	known := false
	for _, k := range dev.accounts {
		if same, _ := d.compare(k, dev.id, account); same && k.current(now) {
			known = true
		}
	}
	return known
}

// Device returns the id of the device that the cookie belongs to, empty if the cookie is absent or altered.
func (d *Devices) Device(cookie auth.Secret) string {
	dev, ok := d.open(cookie)
	if !ok {
		return ""
	}
	return dev.id
}

// Remember returns the cookie with the account added as of now. A cookie that is absent, altered or made
// with a key that is gone is replaced by a new one; if it began with auth.NativeDeviceMark, by a native
// client's token. An error means that randomness failed or no account was named.
func (d *Devices) Remember(cookie auth.Secret, account string, now time.Time) (auth.Secret, error) {
	if account == "" {
		return auth.Secret{}, errors.New("session: remember device: no account")
	}
	dev, ok := d.open(cookie)
	if !ok {
		id, err := randomID(d.random)
		if err != nil {
			return auth.Secret{}, fmt.Errorf("session: remember device: %w", err)
		}
		dev.version, dev.id = deviceVersion, id
		if strings.HasPrefix(cookie.Reveal(), auth.NativeDeviceMark) {
			dev.version = nativeVersion
		}
	}
	key := d.keys.Current()
	tag, _ := d.tag(key, dev.id, account)
	accounts := []knownAccount{{key, dayOf(now), tag}}
	for _, k := range dev.accounts {
		same, readable := d.compare(k, dev.id, account)
		if len(accounts) < maxKnown && readable && !same && k.current(now) {
			accounts = append(accounts, k)
		}
	}
	return d.seal(device{dev.version, dev.id, accounts}), nil
}

// seal writes the cookie under the current key.
func (d *Devices) seal(dev device) auth.Secret {
	key := d.keys.Current()
	fields := []string{dev.version, key, dev.id}
	for _, k := range dev.accounts {
		fields = append(fields, k.key, strconv.Itoa(k.day), k.tag)
	}
	body := strings.Join(fields, ".")
	sum, _ := d.keys.MAC(key, "cookie", body)
	return auth.NewSecret(body + "." + base64.RawURLEncoding.EncodeToString(sum[:]))
}

// open reads a cookie. Nothing in it is believed, and no field is looked at but the key's name, before the
// MAC over all of it was checked.
func (d *Devices) open(cookie auth.Secret) (device, bool) {
	text := cookie.Reveal()
	end := strings.LastIndexByte(text, '.')
	if end < 0 || len(text) > maxDeviceCookie {
		return device{}, false
	}
	body := text[:end]
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text[end+1:])
	fields := strings.Split(body, ".")
	if err != nil || len(text)-end-1 != base64.RawURLEncoding.EncodedLen(len(sum)) || len(fields) < 6 || len(fields)%3 != 0 {
		return device{}, false
	}
	if fields[0] != deviceVersion && fields[0] != nativeVersion || !d.keys.Check(fields[1], sum, "cookie", body) {
		return device{}, false
	}
	dev := device{version: fields[0], id: fields[2]}
	for f := fields[3:]; len(f) > 0; f = f[3:] {
		n, err := strconv.Atoi(f[1])
		if err != nil {
			return device{}, false
		}
		dev.accounts = append(dev.accounts, knownAccount{f[0], n, f[2]})
	}
	return dev, true
}

// tag returns the account's tag on a device; ok is false if there is no such key.
func (d *Devices) tag(key, id, account string) (tag string, ok bool) {
	sum, ok := d.keys.MAC(key, "account", id, account)
	return base64.RawURLEncoding.EncodeToString(sum[:tagBytes]), ok
}

// compare reports whether k is the account's, in constant time, and whether its key is still there to tell.
func (d *Devices) compare(k knownAccount, id, account string) (same, readable bool) {
	want, readable := d.tag(k.key, id, account)
	return readable && subtle.ConstantTimeCompare([]byte(want), []byte(k.tag)) == 1, readable
}

// current reports whether the sign-in is less than a year ago, and not later than another instance's
// clock can make it.
func (k knownAccount) current(now time.Time) bool {
	age := dayOf(now) - k.day
	return -1 <= age && age < int(KnownFor/day)
}

// dayOf returns the number of whole days since 1970.
func dayOf(t time.Time) int { return int(t.Unix() / int64(day/time.Second)) }
