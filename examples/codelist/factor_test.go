package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
)

func masterKey(id string, b byte) auth.Key {
	return auth.Key{ID: id, Bytes: [32]byte(bytes.Repeat([]byte{b}, 32))}
}

func keysOf(t *testing.T, current auth.Key, older ...auth.Key) auth.Keys {
	t.Helper()
	keys, err := auth.NewKeys(current, older...)
	require.NoError(t, err)
	return keys
}

// handed prints a card and hands it out.
func handed(t *testing.T, o *office, account string) (serial string, codes []string) {
	t.Helper()
	serial, codes, err := o.print()
	require.NoError(t, err)
	require.NoError(t, o.handOut(serial, account))
	return serial, codes
}

// TestCardsKeepTheContract is how a host learns that its factor is done.
func TestCardsKeepTheContract(t *testing.T) {
	authtest.RunHostFactor(t, func(t *testing.T) authtest.IssuedCodes {
		o := newOffice(keysOf(t, masterKey("k1", 1)))
		codes := map[string][]string{}
		for _, account := range []string{"a1", "a2"} {
			_, codes[account] = handed(t, o, account)
		}
		return authtest.IssuedCodes{Factor: o, Code: func(account string, n int) (auth.Secret, time.Time) {
			return auth.NewSecret(codes[account][n]), time.Now()
		}}
	})
}

// TestWhatIsPrinted: twenty different codes of eight digits, grouped for reading, of which nothing is kept.
func TestWhatIsPrinted(t *testing.T) {
	o := newOffice(keysOf(t, masterKey("k1", 1)))
	seen := map[string]bool{}
	for range 20 {
		serial, codes, err := o.print()
		require.NoError(t, err)
		require.Len(t, codes, 20)
		kept := fmt.Sprintf("%+v %s %x", *o.find(serial), o.find(serial).hashes, o.find(serial).hashes)
		for _, code := range codes {
			require.Regexp(t, `\A\d{4} \d{4}\z`, code)
			seen[code] = true
			require.NotContains(t, kept, code)
			require.NotContains(t, kept, strings.ReplaceAll(code, " ", ""))
		}
	}
	require.Greater(t, len(seen), 395)
}

func TestACardIsHandedOutOnce(t *testing.T) {
	o := newOffice(keysOf(t, masterKey("k1", 1)))
	serial, codes, err := o.print()
	require.NoError(t, err)
	_, ok, err := o.Enrol(t.Context(), "", auth.NewSecret(codes[0]), time.Now())
	require.NoError(t, err)
	require.False(t, ok, "a card in the office is nobody's")
	require.Error(t, o.handOut(serial, ""))
	require.Error(t, o.handOut("C-9999", "a1"))
	require.NoError(t, o.handOut(serial, "a1"))
	require.Error(t, o.handOut(serial, "a2"))
}

// TestCodesInTurn: the next three, however they are typed, and no others.
func TestCodesInTurn(t *testing.T) {
	o := newOffice(keysOf(t, masterKey("k1", 1)))
	serial, codes := handed(t, o, "a1")
	at := func(counter int64, typed string) int64 {
		use, ok, err := o.Check(t.Context(), auth.StoredFactor{Account: "a1", Handle: serial, Counter: counter}, auth.NewSecret(typed), time.Now())
		require.NoError(t, err)
		require.Equal(t, ok, use.Counter > 0)
		return use.Counter
	}
	for used := range int64(cardCodes + 1) {
		for place, code := range codes {
			want := int64(place + 1)
			if want <= used || want > used+ahead {
				want = 0
			}
			require.Equal(t, want, at(used, code), "code %d after %d", place+1, used)
		}
	}
	for _, typed := range []string{" " + codes[0] + "\n", strings.ReplaceAll(codes[0], " ", ""), strings.ReplaceAll(codes[0], " ", "-"), strings.Join(strings.Split(codes[0], ""), " ")} {
		require.EqualValues(t, 1, at(0, typed), "%q", typed)
	}
	for _, counter := range []int64{math.MinInt64, -1} {
		require.EqualValues(t, 0, at(counter, codes[5]), "a counter that nobody wrote opens nothing further on")
	}
}

// TestRowsThatAreSwappedMatchNothing: whoever can write to the table, and has a card, gets no further with its hashes
// in the place of others.
func TestRowsThatAreSwappedMatchNothing(t *testing.T) {
	o := newOffice(keysOf(t, masterKey("k1", 1)))
	mine, codes := handed(t, o, "a1")
	theirs, _ := handed(t, o, "a2")
	o.find(theirs).hashes = o.find(mine).hashes
	_, ok, err := o.Check(t.Context(), auth.StoredFactor{Account: "a2", Handle: theirs}, auth.NewSecret(codes[0]), time.Now())
	require.NoError(t, err)
	require.False(t, ok, "another card's")
	o.find(mine).hashes[1] = o.find(mine).hashes[0]
	_, ok, err = o.Check(t.Context(), auth.StoredFactor{Account: "a1", Handle: mine, Counter: 1}, auth.NewSecret(codes[0]), time.Now())
	require.NoError(t, err)
	require.False(t, ok, "a used one in the place of the next")
}

// TestKeysRotate: cards that were printed under an older key stay good while it is kept, and are a fault, not a wrong
// code, when it is gone.
func TestKeysRotate(t *testing.T) {
	old, fresh := masterKey("k1", 1), masterKey("k2", 2)
	o := newOffice(keysOf(t, old))
	serial, codes := handed(t, o, "a1")
	f := auth.StoredFactor{Account: "a1", Handle: serial}
	o.keys = keysOf(t, fresh, old).Derive("codelist card")
	_, ok, err := o.Check(t.Context(), f, auth.NewSecret(codes[0]), time.Now())
	require.NoError(t, err)
	require.True(t, ok)
	o.keys = keysOf(t, fresh).Derive("codelist card")
	_, _, err = o.Check(t.Context(), f, auth.NewSecret(codes[0]), time.Now())
	require.ErrorContains(t, err, "is gone")
	_, _, err = o.Enrol(t.Context(), "a1", auth.NewSecret(codes[1]), time.Now())
	require.ErrorContains(t, err, "is gone")
}
