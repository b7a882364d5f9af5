package standard_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/standard"
)

func TestOpenNamesEveryProblem(t *testing.T) {
	_, err := standard.Open(t.Context(), standard.Config{})
	for _, field := range []string{"Origin", "Product", "Driver", "Database"} {
		require.ErrorContains(t, err, field+" is required")
	}
	_, err = standard.Open(t.Context(), standard.Config{
		Origin: "https://app.example", Product: "App", Driver: "no such driver", Database: filepath.Join(t.TempDir(), "a.db"),
	})
	require.ErrorContains(t, err, "no such driver")
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	first, err := standard.LoadKeys(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again, err := standard.LoadKeys(path)
	require.NoError(t, err)
	require.Equal(t, first, again, "the key of the first start serves every later one")

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	rotated := "k2 " + strings.Repeat("ab", 32) + "\n" + string(text)
	require.NoError(t, os.WriteFile(path, []byte(rotated), 0o600))
	keys, err := standard.LoadKeys(path)
	require.NoError(t, err)
	require.Equal(t, "k2", keys.Derive("x").Current())
	old, _ := first.Derive("x").MAC("k1", "v")
	require.True(t, keys.Derive("x").Check("k1", old[:], "v"), "rotation keeps the old key readable")
}

func TestKeyFileRefused(t *testing.T) {
	good := "k1 " + strings.Repeat("ab", 32)
	for name, text := range map[string]string{
		"empty":          "",
		"short":          "k1 abcd",
		"no name":        strings.Repeat("ab", 32),
		"not hex":        "k1 " + strings.Repeat("zz", 32),
		"repeated name":  good + "\n" + good,
		"zero":           "k1 " + strings.Repeat("00", 32),
		"endless line":   "k1 " + strings.Repeat("ab", 1<<17),
		"two spaces":     "k1  " + strings.Repeat("ab", 32),
		"trailing words": good + " old",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, err := standard.LoadKeys(path)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "abab", "an error must not hold a key")
		})
	}
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(good), 0o644))
	_, err := standard.LoadKeys(path)
	require.ErrorContains(t, err, "owner")
}

func TestKeyFileMadeByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	var group sync.WaitGroup
	sums := make([]string, 16)
	for i := range sums {
		group.Go(func() {
			keys, err := standard.LoadKeys(path)
			if err == nil {
				sum, _ := keys.Derive("x").MAC("k1", "v")
				sums[i] = hex.EncodeToString(sum[:])
			}
		})
	}
	group.Wait()
	for _, sum := range sums {
		require.NotEmpty(t, sum)
		require.Equal(t, sums[0], sum, "all processes use the one key that is in the file")
	}
}

// With a new key every sign-in would fail, and nobody would look for the old one.
func TestNoNewKeysForAnOldDatabase(t *testing.T) {
	c := standard.Config{
		Origin: "http://localhost:8080", Product: "Test", Driver: "none", Database: filepath.Join(t.TempDir(), "app.db"),
	}
	require.NoError(t, os.WriteFile(c.Database, nil, 0o600))
	_, err := standard.Open(t.Context(), c)
	require.ErrorContains(t, err, "app.db.key are not")
	require.NoFileExists(t, c.Database+".key")
}
