package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

const ben = "acct-ben"

func newTrusted(t testing.TB, d *session.Devices, s session.TrustStore) *session.TrustedDevices {
	t.Helper()
	trusted, err := session.NewTrustedDevices(session.TrustedDevicesConfig{Devices: d, Store: s})
	require.NoError(t, err)
	return trusted
}

func trustRequest(account string) auth.TrustRequest {
	return auth.TrustRequest{Account: account, Epoch: 3, Assurance: flow.AAL2, UserAgent: "Firefox/140 \x1b[2J"}
}

func TestTrustedDevicesNeedTheirParts(t *testing.T) {
	_, err := session.NewTrustedDevices(session.TrustedDevicesConfig{})
	require.ErrorContains(t, err, "Devices are required")
	require.ErrorContains(t, err, "Store is required")
}

// TestStolenAndBentTrust is the attacks on a device that anna trusts, beside one of ben's.
func TestStolenAndBentTrust(t *testing.T) {
	ctx := t.Context()
	old, current := masterKey("k1", 1), masterKey("k2", 2)
	d := newDevices(t, old)
	store := memory.New()
	trusted := newTrusted(t, d, store)
	cookie := remember(t, d, remember(t, d, auth.Secret{}, ben, start), anna, start)
	bens := remember(t, d, auth.Secret{}, ben, start)
	native := remember(t, d, auth.NewSecret(auth.NativeDeviceMark), anna, start)
	for _, c := range []auth.Secret{cookie, native} {
		got, err := trusted.Trust(ctx, c, trustRequest(anna), start)
		require.NoError(t, err)
		require.Equal(t, "Firefox/140 [2J", got.UserAgent)
		require.True(t, got.Current)
	}
	_, err := trusted.Trust(ctx, bens, trustRequest(ben), start)
	require.NoError(t, err)
	text := cookie.Reveal()
	crowded := cookie // the account goes out of a cookie that remembers eight later ones; the device keeps its id
	for i := range 8 {
		crowded = remember(t, d, crowded, fmt.Sprint("acct-", i), start)
	}
	rotated := newTrusted(t, newDevices(t, current, old), store)
	resealed := remember(t, newDevices(t, current, old), cookie, anna, start)

	for name, c := range map[string]struct {
		by      *session.TrustedDevices
		cookie  auth.Secret
		account string
		epoch   uint64
		after   time.Duration
		trusted bool
	}{
		"as it is":                          {trusted, cookie, anna, 3, 0, true},
		"a native client's":                 {trusted, native, anna, 3, 0, true},
		"a millisecond before its end":      {trusted, cookie, anna, 3, session.TrustFor - time.Millisecond, true},
		"at its end":                        {trusted, cookie, anna, 3, session.TrustFor, false},
		"by a clock that was set back":      {trusted, cookie, anna, 3, -2 * time.Minute, false},
		"by a clock a little behind":        {trusted, cookie, anna, 3, -time.Minute, true},
		"under a later epoch":               {trusted, cookie, anna, 4, 0, false},
		"under an earlier epoch":            {trusted, cookie, anna, 2, 0, false},
		"under none":                        {trusted, cookie, anna, 0, 0, false},
		"for another account it knows":      {trusted, cookie, ben, 3, 0, false},
		"for an account it does not know":   {trusted, cookie, "acct-eve", 3, 0, false},
		"for no account":                    {trusted, cookie, "", 3, 0, false},
		"another's stolen cookie":           {trusted, bens, anna, 3, 0, false},
		"no cookie":                         {trusted, auth.Secret{}, anna, 3, 0, false},
		"a letter more":                     {trusted, auth.NewSecret(text + "A"), anna, 3, 0, false},
		"its last letter changed":           {trusted, auth.NewSecret(flipLast(text)), anna, 3, 0, false},
		"with ben's device id put in":       {trusted, auth.NewSecret(strings.Replace(bens.Reveal(), field(bens, 2), field(cookie, 2), 1)), anna, 3, 0, false},
		"with the native mark put on":       {trusted, auth.NewSecret(auth.NativeDeviceMark + text), anna, 3, 0, false},
		"with the native mark taken off":    {trusted, auth.NewSecret(strings.TrimPrefix(native.Reveal(), auth.NativeDeviceMark)), anna, 3, 0, false},
		"crowded out of the cookie":         {trusted, crowded, anna, 3, 0, false},
		"after a rotation of keys":          {rotated, cookie, anna, 3, 0, true},
		"sealed anew after it":              {rotated, resealed, anna, 3, 0, true},
		"sealed anew, the old key gone":     {newTrusted(t, newDevices(t, current), store), resealed, anna, 3, 0, true},
		"after its key is gone":             {newTrusted(t, newDevices(t, current), store), cookie, anna, 3, 0, false},
		"by another installation's keys":    {newTrusted(t, newDevices(t, masterKey("k1", 9)), store), cookie, anna, 3, 0, false},
		"in a store that never heard of it": {newTrusted(t, d, memory.New()), cookie, anna, 3, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			level, err := c.by.Trusted(ctx, c.cookie, c.account, c.epoch, start.Add(c.after))
			require.NoError(t, err)
			want := flow.Assurance(0)
			if c.trusted {
				want = flow.AAL2
			}
			require.Equal(t, want, level)
		})
	}
}

func flipLast(text string) string {
	last := "A"
	if strings.HasSuffix(text, last) {
		last = "B"
	}
	return text[:len(text)-1] + last
}

// TestTrustIsNotGivenToStrangers: trust is built on a device that signed in to the account, and on nothing less.
func TestTrustIsNotGivenToStrangers(t *testing.T) {
	d, store := newDevices(t, masterKey("k1", 1)), memory.New()
	trusted := newTrusted(t, d, store)
	cookie := remember(t, d, auth.Secret{}, anna, start)
	for name, c := range map[string]struct {
		cookie auth.Secret
		bend   func(r *auth.TrustRequest)
		absent bool // auth.ErrNotFound
	}{
		"no cookie":                        {auth.Secret{}, func(*auth.TrustRequest) {}, true},
		"an altered one":                   {auth.NewSecret(cookie.Reveal() + "A"), func(*auth.TrustRequest) {}, true},
		"of an account it does not know":   {cookie, func(r *auth.TrustRequest) { r.Account = ben }, true},
		"of no account":                    {cookie, func(r *auth.TrustRequest) { r.Account = "" }, false},
		"of a sign-in that proved nothing": {cookie, func(r *auth.TrustRequest) { r.Assurance = 0 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := trustRequest(anna)
			c.bend(&r)
			_, err := trusted.Trust(t.Context(), c.cookie, r, start)
			require.Error(t, err)
			require.Equal(t, c.absent, errors.Is(err, auth.ErrNotFound))
			list, err := trusted.List(t.Context(), cookie, anna, 3, start)
			require.NoError(t, err)
			require.Empty(t, list)
		})
	}
	broken, err := session.NewTrustedDevices(session.TrustedDevicesConfig{Devices: d, Store: store, Random: iotest.ErrReader(errors.New("no entropy"))})
	require.NoError(t, err)
	_, err = broken.Trust(t.Context(), cookie, trustRequest(anna), start)
	require.ErrorContains(t, err, "no entropy")
}

// TestRestampedTrust follows the device that ends all others.
func TestRestampedTrust(t *testing.T) {
	ctx, d := t.Context(), newDevices(t, masterKey("k1", 1))
	trusted := newTrusted(t, d, memory.New())
	own, other := remember(t, d, auth.Secret{}, anna, start), remember(t, d, auth.Secret{}, anna, start)
	for _, c := range []auth.Secret{own, other} {
		_, err := trusted.Trust(ctx, c, trustRequest(anna), start)
		require.NoError(t, err)
	}
	level := func(c auth.Secret, epoch uint64) flow.Assurance {
		l, err := trusted.Trusted(ctx, c, anna, epoch, start)
		require.NoError(t, err)
		return l
	}
	stranger := remember(t, d, auth.Secret{}, anna, start)
	require.ErrorIs(t, trusted.Restamp(ctx, stranger, anna, 3, 4, start), auth.ErrNotFound, "known is not trusted")
	require.ErrorIs(t, trusted.Restamp(ctx, auth.Secret{}, anna, 3, 4, start), auth.ErrNotFound)
	require.ErrorIs(t, trusted.Restamp(ctx, own, anna, 2, 4, start), auth.ErrNotFound)
	require.ErrorIs(t, trusted.Restamp(ctx, own, anna, 3, 4, start.Add(session.TrustFor)), auth.ErrNotFound, "what expired does not move on")
	require.NoError(t, trusted.Restamp(ctx, own, anna, 3, 4, start))
	require.ErrorIs(t, trusted.Restamp(ctx, own, anna, 3, 5, start), auth.ErrNotFound, "once")
	require.Equal(t, flow.AAL2, level(own, 4))
	require.Zero(t, level(own, 3))
	require.Zero(t, level(other, 4))
	_, err := trusted.Trust(ctx, other, trustRequest(anna), start)
	require.ErrorIs(t, err, auth.ErrStale, "a sign-in from before the end of all others")
}

// TestTrustedDevicesAreListed with what their owner knows them by, and no hash or cookie.
func TestTrustedDevicesAreListed(t *testing.T) {
	ctx, d := t.Context(), newDevices(t, masterKey("k1", 1))
	trusted := newTrusted(t, d, memory.New())
	var cookies []auth.Secret
	for i := range session.MaxTrusted + 1 {
		now := start.Add(time.Duration(i) * time.Second)
		cookies = append(cookies, remember(t, d, auth.Secret{}, anna, now))
		_, err := trusted.Trust(ctx, cookies[i], trustRequest(anna), now)
		require.NoError(t, err)
	}
	now := start.Add(time.Hour)
	list, err := trusted.List(ctx, cookies[3], anna, 3, now)
	require.NoError(t, err)
	require.Len(t, list, session.MaxTrusted)
	require.Equal(t, start.Add(session.MaxTrusted*time.Second), list[0].SeenAt)
	require.Equal(t, start.Add(time.Second), list[session.MaxTrusted-1].SeenAt, "the first one went out")
	for _, one := range list {
		require.Equal(t, one.SeenAt.Equal(start.Add(3*time.Second)), one.Current)
	}
	require.NoError(t, trusted.Used(ctx, cookies[3], anna, 3, now))
	require.NoError(t, trusted.Used(ctx, auth.Secret{}, anna, 3, now))
	list, err = trusted.List(ctx, auth.Secret{}, anna, 3, now)
	require.NoError(t, err)
	require.Equal(t, now, list[0].SeenAt)
	require.False(t, list[0].Current)

	require.NoError(t, trusted.Rename(ctx, anna, list[0].ID, "Desk"))
	_, err = trusted.Trust(ctx, cookies[3], trustRequest(anna), now)
	require.NoError(t, err)
	list, err = trusted.List(ctx, auth.Secret{}, anna, 3, now)
	require.NoError(t, err)
	require.Equal(t, "Desk", list[0].Name, "trusted anew, it keeps its name")

	require.NoError(t, trusted.Remove(ctx, anna, list[0].ID))
	require.ErrorIs(t, trusted.Remove(ctx, anna, list[0].ID), auth.ErrNotFound)
	require.ErrorIs(t, trusted.Remove(ctx, ben, list[1].ID), auth.ErrNotFound)
	level, err := trusted.Trusted(ctx, cookies[3], anna, 3, now)
	require.NoError(t, err)
	require.Zero(t, level)
	require.NoError(t, trusted.RemoveAll(ctx, anna))
	list, err = trusted.List(ctx, auth.Secret{}, anna, 3, now)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestNamesOfTrustedDevices(t *testing.T) {
	ctx, d := t.Context(), newDevices(t, masterKey("k1", 1))
	trusted := newTrusted(t, d, memory.New())
	cookie := remember(t, d, auth.Secret{}, anna, start)
	device, err := trusted.Trust(ctx, cookie, trustRequest(anna), start)
	require.NoError(t, err)
	for typed, want := range map[string]string{
		"Laptop": "Laptop", "  Ann's \t laptop\r\n": "Ann's laptop", "e\u0301": "\u00e9", "a\x00b\x1b": "ab",
		"\u202egpj.exe": "gpj.exe", "a\u200bb": "ab", "\xff\xfe": "", " ": "", "": "", "\u200b\u2060": "",
		"B\u00fcro \U0001f4bb": "B\u00fcro \U0001f4bb", "<script>": "<script>",
		strings.Repeat("\u00e9", 64): strings.Repeat("\u00e9", 64), strings.Repeat("e\u0301", 64): strings.Repeat("\u00e9", 64),
		" " + strings.Repeat("x", 64) + " ": strings.Repeat("x", 64), strings.Repeat("\U0001f4bb", 64): strings.Repeat("\U0001f4bb", 64),
	} {
		require.NoError(t, trusted.Rename(ctx, anna, device.ID, typed), "%q", typed)
		list, err := trusted.List(ctx, cookie, anna, 3, start)
		require.NoError(t, err)
		require.Equal(t, want, list[0].Name, "%q", typed)
	}
	for _, long := range []string{strings.Repeat("x", 65), strings.Repeat("\U0001f4bb", 65), strings.Repeat(" ", 1<<20), strings.Repeat("e\u0301", 65)} {
		require.ErrorIs(t, trusted.Rename(ctx, anna, device.ID, long), flow.Deny(flow.Malformed))
	}
	require.ErrorIs(t, trusted.Rename(ctx, ben, device.ID, "mine"), auth.ErrNotFound)
}

// lyingTrust is a store that answers what it is told to.
type lyingTrust struct {
	session.TrustStore
	record session.TrustRecord
	err    error
}

func (s lyingTrust) FindTrust(context.Context, string, [32]byte) (session.TrustRecord, error) {
	return s.record, s.err
}

// TestTrustOfAStoreThatLies: an answer about another device, or none at all, is a fault, never a yes or a no.
func TestTrustOfAStoreThatLies(t *testing.T) {
	d := newDevices(t, masterKey("k1", 1))
	cookie := remember(t, d, auth.Secret{}, anna, start)
	broken := errors.New("the disk is on fire")
	for name, s := range map[string]lyingTrust{
		"fails":             {err: broken},
		"answers nothing":   {},
		"answers another's": {record: session.TrustRecord{Account: anna, Device: [32]byte{1}, Epoch: 3, Assurance: flow.AAL2, ExpiresAt: start.Add(time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			trusted := newTrusted(t, d, s)
			level, err := trusted.Trusted(t.Context(), cookie, anna, 3, start)
			require.Error(t, err)
			require.Zero(t, level)
			require.NotContains(t, err.Error(), cookie.Reveal())
			err = trusted.Restamp(t.Context(), cookie, anna, 3, 4, start)
			require.Error(t, err)
			require.NotErrorIs(t, err, auth.ErrNotFound)
		})
	}
}

// seeingTrust remembers what it was asked for.
type seeingTrust struct {
	session.TrustStore
	devices *[][32]byte
}

func (s seeingTrust) FindTrust(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error) {
	*s.devices = append(*s.devices, device)
	return s.TrustStore.FindTrust(ctx, account, device)
}

// TestRowsOfADeviceDoNotTellOfEachOther: two accounts on one browser are two devices to whoever reads the database.
// The store is asked the same for every account, known to the device or not.
func TestRowsOfADeviceDoNotTellOfEachOther(t *testing.T) {
	d := newDevices(t, masterKey("k1", 1))
	cookie := remember(t, d, remember(t, d, auth.Secret{}, ben, start), anna, start)
	var seen [][32]byte
	trusted := newTrusted(t, d, seeingTrust{memory.New(), &seen})
	for _, account := range []string{anna, ben, "acct-eve"} {
		_, err := trusted.Trusted(t.Context(), cookie, account, 3, start)
		require.NoError(t, err)
	}
	require.Len(t, seen, 3)
	require.NotEqual(t, seen[0], seen[1])
	require.NotEqual(t, seen[1], seen[2])
}

func FuzzDeviceName(f *testing.F) {
	for _, seed := range []string{"Laptop", "e\u0301", "\xff", "\u202ex", strings.Repeat("x", 65), " a  b "} {
		f.Add(seed)
	}
	d := newDevices(f, masterKey("k1", 1))
	trusted := newTrusted(f, d, memory.New())
	cookie := remember(f, d, auth.Secret{}, anna, start)
	device, err := trusted.Trust(context.Background(), cookie, trustRequest(anna), start)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, typed string) {
		named := func(name string) string {
			if trusted.Rename(t.Context(), anna, device.ID, name) != nil {
				return ""
			}
			list, err := trusted.List(t.Context(), cookie, anna, 3, start)
			require.NoError(t, err)
			return list[0].Name
		}
		name := named(typed)
		require.True(t, utf8.ValidString(name))
		require.LessOrEqual(t, utf8.RuneCountInString(name), session.MaxDeviceName)
		require.Equal(t, strings.TrimSpace(name), name)
		for _, c := range name {
			require.True(t, unicode.IsGraphic(c), "%q", name)
		}
		require.Equal(t, name, named(name), "a clean name is left alone")
	})
}
