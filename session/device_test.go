package session_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

func masterKey(id string, fill byte) auth.Key {
	k := auth.Key{ID: id}
	for i := range k.Bytes {
		k.Bytes[i] = fill
	}
	return k
}

func newDevices(t testing.TB, current auth.Key, older ...auth.Key) *session.Devices {
	t.Helper()
	keys, err := auth.NewKeys(current, older...)
	require.NoError(t, err)
	d, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, err)
	return d
}

func remember(t testing.TB, d *session.Devices, cookie auth.Secret, account string, now time.Time) auth.Secret {
	t.Helper()
	cookie, err := d.Remember(cookie, account, now)
	require.NoError(t, err)
	require.Less(t, len(cookie.Reveal()), 512)
	require.Regexp(t, `^[A-Za-z0-9._-]+$`, cookie.Reveal(), "it needs no quoting in a cookie")
	return cookie
}

func TestDevicesNeedKeys(t *testing.T) {
	_, err := session.NewDevices(session.DevicesConfig{})
	require.ErrorContains(t, err, "Keys are required")
}

func TestKnownDevice(t *testing.T) {
	d := newDevices(t, masterKey("k1", 1))
	cookie := remember(t, d, auth.Secret{}, anna, start)
	require.True(t, d.Known(cookie, anna, start))
	require.False(t, d.Known(cookie, "acct-ben", start), "it says nothing of others")
	require.False(t, d.Known(cookie, "", start))
	require.False(t, d.Known(auth.Secret{}, anna, start))
	require.NotContains(t, cookie.Reveal(), anna)

	both := remember(t, d, cookie, "acct-ben", start)
	require.True(t, d.Known(both, anna, start))
	require.True(t, d.Known(both, "acct-ben", start))
	require.Equal(t, field(cookie, 2), field(both, 2), "one browser, one id")

	again := remember(t, d, both, anna, start)
	require.Len(t, strings.Split(again.Reveal(), "."), 4+2*3, "an account is there once")

	other := remember(t, d, auth.Secret{}, anna, start)
	require.NotEqual(t, field(cookie, 2), field(other, 2))
	require.NotEqual(t, field(cookie, 5), field(other, 5), "one account has other tags elsewhere: they cannot be compared")
	require.False(t, newDevices(t, masterKey("k1", 2)).Known(cookie, anna, start), "another installation's cookie")

	_, err := d.Remember(cookie, "", start)
	require.Error(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", cookie, cookie, cookie), cookie.Reveal())
}

func field(cookie auth.Secret, n int) string { return strings.Split(cookie.Reveal(), ".")[n] }

func TestKnownForAYear(t *testing.T) {
	d := newDevices(t, masterKey("k1", 1))
	cookie := remember(t, d, auth.Secret{}, anna, start)
	midnight := start.Truncate(day)
	require.True(t, d.Known(cookie, anna, midnight.Add(session.KnownFor-1)))
	require.False(t, d.Known(cookie, anna, midnight.Add(session.KnownFor)))
	require.True(t, d.Known(cookie, anna, midnight.Add(-day)), "another instance's clock")
	require.False(t, d.Known(cookie, anna, midnight.Add(-day-1)), "a clock that was set back")

	later := remember(t, d, cookie, "acct-ben", midnight.Add(session.KnownFor))
	require.Len(t, strings.Split(later.Reveal(), "."), 4+3, "what is over is not carried on")
	renewed := remember(t, d, cookie, anna, midnight.Add(100*day))
	require.True(t, d.Known(renewed, anna, midnight.Add(session.KnownFor)), "each sign-in begins the year anew")
}

func TestOldestAccountGoesOut(t *testing.T) {
	d := newDevices(t, masterKey("abcdefghijklmnop", 1))
	var cookie auth.Secret
	account := func(n int) string { return fmt.Sprintf("acct-%d", n) }
	for n := range 10 {
		cookie = remember(t, d, cookie, account(n), start)
	}
	for n := range 10 {
		require.Equal(t, n >= 2, d.Known(cookie, account(n), start), account(n))
	}
}

func TestDeviceKeyRotation(t *testing.T) {
	k1, k2, k3 := masterKey("k1", 1), masterKey("k2", 2), masterKey("k3", 3)
	cookie := remember(t, newDevices(t, k1), auth.Secret{}, anna, start)

	both := newDevices(t, k2, k1)
	require.True(t, both.Known(cookie, anna, start), "the old key still reads")
	cookie = remember(t, both, cookie, "acct-ben", start)
	require.Equal(t, "k2", field(cookie, 1), "the new key signs")
	require.True(t, both.Known(cookie, anna, start))
	require.True(t, both.Known(cookie, "acct-ben", start))

	gone := newDevices(t, k2)
	require.False(t, gone.Known(cookie, anna, start), "what only the old key can tell is forgotten with it")
	require.True(t, gone.Known(cookie, "acct-ben", start))
	cookie = remember(t, gone, cookie, "acct-eva", start)
	require.Len(t, strings.Split(cookie.Reveal(), "."), 4+2*3)

	fresh := remember(t, newDevices(t, k3), cookie, anna, start)
	require.NotEqual(t, field(cookie, 2), field(fresh, 2), "a cookie that cannot be checked gives its id to nobody")
}

func TestDeviceWithoutRandomness(t *testing.T) {
	keys, err := auth.NewKeys(masterKey("k1", 1))
	require.NoError(t, err)
	d, err := session.NewDevices(session.DevicesConfig{Keys: keys, Random: iotest.ErrReader(errDown)})
	require.NoError(t, err)
	cookie, err := d.Remember(auth.Secret{}, anna, start)
	require.ErrorIs(t, err, errDown)
	require.True(t, cookie.IsZero())
}

// A MAC of the same keys made for another purpose is no cookie.
func TestDeviceCookieOfAnotherPurpose(t *testing.T) {
	keys, err := auth.NewKeys(masterKey("k1", 1))
	require.NoError(t, err)
	d, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, err)
	cookie := remember(t, d, auth.Secret{}, anna, start).Reveal()
	body := cookie[:strings.LastIndexByte(cookie, '.')]
	for _, purpose := range []string{"flow handle", "decoy", "known device "} {
		sum, _ := keys.Derive(purpose).MAC("k1", "cookie", body)
		require.False(t, d.Known(auth.NewSecret(body+"."+base64.RawURLEncoding.EncodeToString(sum[:])), anna, start))
	}
	for _, parts := range [][]string{{body}, {"account", body}, {"cookie", body, ""}} {
		sum, _ := keys.Derive("known device").MAC("k1", parts...)
		require.False(t, d.Known(auth.NewSecret(body+"."+base64.RawURLEncoding.EncodeToString(sum[:])), anna, start))
	}
}

// Every single altered character, and every cut, unmakes a cookie.
func TestAlteredDeviceCookie(t *testing.T) {
	d := newDevices(t, masterKey("k1", 1))
	cookie := remember(t, d, remember(t, d, auth.Secret{}, "acct-ben", start), anna, start).Reveal()
	require.True(t, d.Known(auth.NewSecret(cookie), anna, start))
	for i := range cookie {
		require.False(t, d.Known(auth.NewSecret(cookie[:i]), anna, start))
		require.False(t, d.Known(auth.NewSecret(cookie[i+1:]), anna, start))
		for _, c := range "A0.-_ \n=%" {
			if altered := cookie[:i] + string(c) + cookie[i+1:]; altered != cookie {
				require.False(t, d.Known(auth.NewSecret(altered), anna, start), altered)
			}
			require.False(t, d.Known(auth.NewSecret(cookie[:i]+string(c)+cookie[i:]), anna, start))
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(cookie) - 1
	for i := 1; i < 4; i++ { // the other three characters with the same four bits that count
		require.False(t, d.Known(auth.NewSecret(cookie[:last]+string(alphabet[strings.IndexByte(alphabet, cookie[last])|i])), anna, start))
	}
	for _, end := range []string{"\n", "=", ".", "A", strings.Repeat("A", 1<<20)} {
		require.False(t, d.Known(auth.NewSecret(cookie+end), anna, start))
	}
}

func FuzzDeviceCookie(f *testing.F) {
	keys, err := auth.NewKeys(masterKey("k1", 1))
	require.NoError(f, err)
	d, err := session.NewDevices(session.DevicesConfig{Keys: keys, Random: zeros{}}) // one genuine cookie for all workers
	require.NoError(f, err)
	genuine := remember(f, d, auth.Secret{}, anna, start).Reveal()
	f.Add(genuine)
	f.Add("1.k1.AAAAAAAAAAAAAAAAAAAAAA.k1.20513.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("1.k1..........")
	f.Fuzz(func(t *testing.T, text string) {
		cookie := auth.NewSecret(text)
		if text != genuine {
			require.False(t, d.Known(cookie, anna, start))
		}
		next := remember(t, d, cookie, anna, start)
		require.True(t, d.Known(next, anna, start))
	})
}

func BenchmarkKnown(b *testing.B) {
	d := newDevices(b, masterKey("k1", 1))
	var cookie auth.Secret
	for n := range 8 {
		cookie = remember(b, d, cookie, fmt.Sprint(n), start)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !d.Known(cookie, "0", start) {
			b.Fatal("not known")
		}
	}
}
