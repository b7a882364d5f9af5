package auth_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
)

// derivedTexts are the forms in which the derived test keys turn up in print.
func derivedTexts(t *testing.T) (texts []string) {
	for _, purpose := range []string{"flow handle", "decoy"} {
		for _, id := range []string{"k1", "k2"} {
			master := sha256.Sum256([]byte("test key " + id))
			key, err := hkdf.Key(sha256.New, master[:], nil, "cardea "+purpose, 32)
			require.NoError(t, err)
			texts = append(texts, forms(string(key))...)
		}
	}
	return texts
}

func TestNewKeysNamesEveryProblemAtOnce(t *testing.T) {
	good := [32]byte{1}
	for name, c := range map[string]struct {
		keys []auth.Key
		want []string
	}{
		"zero key":      {[]auth.Key{{ID: "a"}}, []string{"all bytes are zero"}},
		"no name":       {[]auth.Key{{Bytes: good}}, []string{"the name"}},
		"long name":     {[]auth.Key{{ID: strings.Repeat("a", 17), Bytes: good}}, []string{"the name"}},
		"dot":           {[]auth.Key{{ID: "a.b", Bytes: good}}, []string{"the name"}},
		"not ASCII":     {[]auth.Key{{ID: "schlüssel", Bytes: good}}, []string{"the name"}},
		"twice":         {[]auth.Key{{ID: "a", Bytes: good}, {ID: "a", Bytes: [32]byte{2}}}, []string{"used twice"}},
		"all at a time": {[]auth.Key{{ID: "-"}, {ID: "-"}}, []string{"key 0: the name", "key 0: all", "key 1: the name", "used twice", "key 1: all"}},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := auth.NewKeys(c.keys[0], c.keys[1:]...)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.True(t, keys.IsZero())
		})
	}
	require.False(t, testKeys(t, "k1").IsZero())
	require.Panics(t, func() { auth.Keys{}.Derive("x") })
	_, err := auth.NewKeys(auth.Key{ID: strings.Repeat("a", 16), Bytes: good}, auth.Key{ID: "A9", Bytes: good})
	require.NoError(t, err)
}

// A value made for one purpose, under one key, from one list of parts, is good for nothing else.
func TestDerivedKeysKeepEverythingApart(t *testing.T) {
	keys := testKeys(t, "k1", "k2")
	d := keys.Derive("a purpose")
	require.Equal(t, "k1", d.Current())
	sum, ok := d.MAC("k1", "ab", "c")
	require.True(t, ok)
	require.True(t, d.Check("k1", sum[:], "ab", "c"))
	for name, parts := range map[string][]string{
		"moved": {"a", "bc"}, "joined": {"abc"}, "empty part": {"ab", "c", ""}, "empty first": {"", "ab", "c"}, "none": {},
		"length inside": {"ab\x00\x00\x00\x01c"}, "order": {"c", "ab"},
	} {
		require.False(t, d.Check("k1", sum[:], parts...), name)
	}
	require.False(t, keys.Derive("another purpose").Check("k1", sum[:], "ab", "c"))
	require.False(t, d.Check("k2", sum[:], "ab", "c"))
	require.False(t, d.Check("k3", sum[:], "ab", "c"))
	for _, bad := range [][]byte{nil, {}, sum[:31], append(sum[:], 0), make([]byte, 32)} {
		require.False(t, d.Check("k1", bad, "ab", "c"))
		require.False(t, d.Check("k3", bad, "ab", "c"), "an unknown key's sum is not zero")
	}
	_, ok = d.MAC("k3", "ab", "c")
	require.False(t, ok)

	rotated := testKeys(t, "k3", "k1").Derive("a purpose")
	require.Equal(t, "k3", rotated.Current())
	require.True(t, rotated.Check("k1", sum[:], "ab", "c"))
	again, _ := testKeys(t, "k1").Derive("a purpose").MAC("k1", "ab", "c")
	require.Equal(t, sum, again, "the same on every server")

	var zero auth.DerivedKeys
	require.Empty(t, zero.Current())
	require.False(t, zero.Check("", make([]byte, 32)))
}

func TestNewKeysCopies(t *testing.T) {
	older := []auth.Key{{ID: "k2", Bytes: [32]byte{2}}}
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}}, older...)
	require.NoError(t, err)
	before, _ := keys.Derive("x").MAC("k2")
	older[0].Bytes = [32]byte{9}
	after, _ := keys.Derive("x").MAC("k2")
	require.Equal(t, before, after)
}
