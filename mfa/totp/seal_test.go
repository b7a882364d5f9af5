package totp_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/mfa/totp"
)

// refused requires that a record neither checks, shows nor seals anew.
func refused(t *testing.T, v *totp.Verifier, r totp.Record, p totp.Pairing, as error, name string) {
	t.Helper()
	step, ok, err := v.Check(r, app(t, p, now), now)
	require.ErrorIs(t, err, as, name)
	require.False(t, ok, name)
	require.Zero(t, step, name)
	shown, err := v.Show(r, "mia@example.org")
	require.ErrorIs(t, err, as, name)
	require.Equal(t, totp.Pairing{}, shown, name)
	sealed, err := v.Reseal(r)
	require.ErrorIs(t, err, as, name)
	require.Empty(t, sealed, name)
}

// Whoever can write to the database must not be able to put a key of his own under another account.
func TestARecordOpensInItsPlaceOnly(t *testing.T) {
	v := verifier(t, totp.Config{})
	r, p := paired(t, v)
	_, ok, err := v.Check(r, app(t, p, now), now)
	require.NoError(t, err)
	require.True(t, ok)
	for name, change := range map[string]func(*totp.Record){
		"another row":             func(r *totp.Record) { r.ID = "r2" },
		"another account":         func(r *totp.Record) { r.Account = "a2" },
		"no row":                  func(r *totp.Record) { r.ID = "" },
		"nobody":                  func(r *totp.Record) { r.Account = "" },
		"changed places":          func(r *totp.Record) { r.ID, r.Account = r.Account, r.ID },
		"parts that run together": func(r *totp.Record) { r.ID, r.Account = "r1a", "1" },
		"nothing":                 func(r *totp.Record) { r.Data = "" },
		"dots":                    func(r *totp.Record) { r.Data = ".." },
		"cut":                     func(r *totp.Record) { r.Data = r.Data[:len(r.Data)-1] },
		"longer":                  func(r *totp.Record) { r.Data += "A" },
		"padded":                  func(r *totp.Record) { r.Data += "=" },
		"a line after":            func(r *totp.Record) { r.Data += "\n" },
		"a field more":            func(r *totp.Record) { r.Data += ".A" },
		"another version":         func(r *totp.Record) { r.Data = "2" + r.Data[1:] },
		"another alphabet":        func(r *totp.Record) { r.Data = r.Data[:40] + "+" + r.Data[41:] },
	} {
		changed := r
		change(&changed)
		refused(t, v, changed, p, totp.ErrAltered, name)
	}
}

func TestEveryByteOfARecordCounts(t *testing.T) {
	v := verifier(t, totp.Config{})
	r, p := paired(t, v)
	code := app(t, p, now)
	for i := range len(r.Data) {
		for b := range 256 {
			if byte(b) == r.Data[i] {
				continue
			}
			changed := r
			changed.Data = r.Data[:i] + string([]byte{byte(b)}) + r.Data[i+1:]
			step, ok, err := v.Check(changed, code, now)
			require.True(t, errors.Is(err, totp.ErrAltered) || errors.Is(err, totp.ErrUnknownKey), "byte %d as %#x: %v", i, b, err)
			require.False(t, ok)
			require.Zero(t, step)
		}
	}
}

// The decoder skips line breaks: in a record that ends in a zero byte, one could stand for it.
func TestALineBreakIsNoZero(t *testing.T) {
	v := verifier(t, totp.Config{})
	for {
		r, p := paired(t, v)
		raw, err := base64.RawURLEncoding.DecodeString(r.Data[5:])
		require.NoError(t, err)
		if raw[len(raw)-1] == 0 { // one of 256
			r.Data = r.Data[:len(r.Data)-1] + "\n"
			refused(t, v, r, p, totp.ErrAltered, "a line break for the last byte")
			return
		}
	}
}

func TestKeysRotate(t *testing.T) {
	k1, k2 := masterKey("k1", 1), masterKey("k2", 2)
	before := verifier(t, totp.Config{Keys: keyring(t, k1)})
	during := verifier(t, totp.Config{Keys: keyring(t, k2, k1)})
	after := verifier(t, totp.Config{Keys: keyring(t, k2)})
	forged := verifier(t, totp.Config{Keys: keyring(t, masterKey("k1", 3))})
	r, p := paired(t, before)

	_, ok, err := during.Check(r, app(t, p, now), now)
	require.NoError(t, err)
	require.True(t, ok, "an older key still reads")
	refused(t, after, r, p, totp.ErrUnknownKey, "the key is gone")
	refused(t, forged, r, p, totp.ErrAltered, "another key of the name")
	fresh, _ := paired(t, during)
	require.True(t, strings.HasPrefix(fresh.Data, "1.k2."), "new ones are made with the current key")

	renamed := r
	renamed.Data = "1.k2" + r.Data[4:]
	refused(t, during, renamed, p, totp.ErrAltered, "another key named")

	same, err := before.Reseal(r)
	require.NoError(t, err)
	require.Equal(t, r.Data, same)
	r.Data, err = during.Reseal(r)
	require.NoError(t, err)
	_, ok, err = after.Check(r, app(t, p, now), now)
	require.NoError(t, err)
	require.True(t, ok, "sealed anew, it outlives the old key")
	refused(t, before, r, p, totp.ErrUnknownKey, "and that cannot read it")
	r.Account = "a2"
	refused(t, after, r, p, totp.ErrAltered, "sealing anew kept where it belongs")
}

// Apps that are paired go on with what they were told, whatever Config says later.
func TestParametersStayWithTheKey(t *testing.T) {
	configs := []totp.Config{
		{}, {Digits: 8}, {Algorithm: totp.SHA256}, {Algorithm: totp.SHA512, Digits: 8, Issuer: "Renamed"},
	}
	for _, made := range configs {
		r, p := paired(t, verifier(t, made))
		for _, later := range configs {
			v := verifier(t, later)
			got, ok, err := v.Check(r, app(t, p, now), now)
			require.NoError(t, err)
			require.True(t, ok, "made with %v, checked with %v", made, later)
			require.Equal(t, step, got)
			shown, err := v.Show(r, "mia@example.org")
			require.NoError(t, err)
			require.True(t, app(t, p, now).Equal(app(t, shown, now)))
		}
	}
}
