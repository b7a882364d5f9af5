package mfa_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa"
)

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func masterKey(id string, b byte) auth.Key {
	return auth.Key{ID: id, Bytes: [32]byte(bytes.Repeat([]byte{b}, 32))}
}

func codes(t testing.TB, current auth.Key, older ...auth.Key) *mfa.Codes {
	t.Helper()
	keys, err := auth.NewKeys(current, older...)
	require.NoError(t, err)
	c, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys})
	require.NoError(t, err)
	return c
}

// set returns a set of a1.
func set(t testing.TB, c *mfa.Codes) ([]auth.Secret, []mfa.Record) {
	t.Helper()
	shown, records, err := c.Make("a1")
	require.NoError(t, err)
	return shown, records
}

func TestNewCodesNeedsKeys(t *testing.T) {
	_, err := mfa.NewCodes(mfa.CodesConfig{})
	require.ErrorContains(t, err, "Keys are required")
}

func TestMake(t *testing.T) {
	c := codes(t, masterKey("k1", 1))
	seen := map[string]bool{}
	for range 200 {
		shown, records := set(t, c)
		require.Len(t, shown, 10)
		require.Len(t, records, 10)
		selectors := map[string]bool{}
		for i, r := range records {
			require.Regexp(t, `\A[0-9A-HJKMNP-TV-Z]{6}-[0-9A-HJKMNP-TV-Z]{6}-[0-9A-HJKMNP-TV-Z]{6}\z`, shown[i].Reveal(), "10 and 80 bits")
			selector, ok := mfa.Selector(shown[i])
			require.True(t, ok)
			require.Equal(t, mfa.Record{Selector: selector, Key: "k1", Hash: r.Hash}, r)
			require.Len(t, r.Hash, 43)
			require.True(t, c.Matches(shown[i], "a1", r))
			require.False(t, selectors[selector], "a selector twice in one set")
			selectors[selector] = true
			require.False(t, seen[shown[i].Reveal()[2:]] || seen[r.Hash])
			seen[shown[i].Reveal()[2:]], seen[r.Hash] = true, true
		}
	}
	shown, records, err := c.Make("")
	require.Error(t, err)
	require.Nil(t, shown)
	require.Nil(t, records)
}

func TestACodeIsOfOneRowAndOneAccount(t *testing.T) {
	c := codes(t, masterKey("k1", 1))
	shown, records := set(t, c)
	others, theirs, err := c.Make("a2")
	require.NoError(t, err)
	_, newer := set(t, c)
	for i, code := range shown {
		for j, r := range records {
			require.Equal(t, i == j, c.Matches(code, "a1", r))
			require.False(t, c.Matches(code, "a2", r), "of another account")
			require.False(t, c.Matches(code, "", r), "of nobody")
			require.False(t, c.Matches(code, "a1", theirs[j]), "their record")
			require.False(t, c.Matches(others[i], "a1", r), "their code")
			require.False(t, c.Matches(code, "a1", newer[j]), "a set that was replaced")
		}
		require.False(t, c.Matches(code, "a1", mfa.Record{}), "no row")
	}
	for name, change := range map[string]func(*mfa.Record){
		"no selector":      func(r *mfa.Record) { r.Selector = "" },
		"half a selector":  func(r *mfa.Record) { r.Selector = r.Selector[:1] },
		"another selector": func(r *mfa.Record) { r.Selector = records[1].Selector },
		"another hash":     func(r *mfa.Record) { r.Hash = records[1].Hash },
		"no hash":          func(r *mfa.Record) { r.Hash = "" },
		"a hash cut":       func(r *mfa.Record) { r.Hash = r.Hash[:42] },
		"a hash padded":    func(r *mfa.Record) { r.Hash += "=" },
		"no key":           func(r *mfa.Record) { r.Key = "" },
		"an unknown key":   func(r *mfa.Record) { r.Key = "k2" },
	} {
		r := records[0]
		change(&r)
		require.False(t, c.Matches(shown[0], "a1", r), name)
	}
}

func TestEveryCharacterOfACodeCounts(t *testing.T) {
	c := codes(t, masterKey("k1", 1))
	shown, records := set(t, c)
	code := strings.ReplaceAll(shown[0].Reveal(), "-", "")
	for i := range code {
		for _, other := range alphabet {
			if byte(other) != code[i] {
				require.False(t, c.Matches(auth.NewSecret(code[:i]+string(other)+code[i+1:]), "a1", records[0]), "character %d as %c", i, other)
			}
		}
	}
}

// The alphabet of Crockford is made for reading aloud and writing by hand.
func TestTyped(t *testing.T) {
	keys, err := auth.NewKeys(masterKey("k1", 1))
	require.NoError(t, err)
	sets := 0
	c, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys, Random: readerFunc(func(p []byte) (int, error) {
		sets++ // 00000 00001 00000 00001 and so on: a code of zeros and ones, behind a selector of its own
		n := copy(p, []byte{byte(sets), 0x42, 0x00, 0x42, 0x00, 0x42, 0x00, 0x42, 0x00, 0x42, 0x00, 0x42}[:len(p)])
		return n, nil
	})})
	require.NoError(t, err)
	shown, records := set(t, c)
	text := shown[9].Reveal()
	require.Contains(t, text, "0")
	require.Contains(t, text, "1")
	plain := strings.ReplaceAll(text, "-", "")
	for _, typed := range []string{
		text, plain, strings.ToLower(text), strings.ReplaceAll(text, "-", " "), " " + text + "\r\n", "\t" + plain + "\u00a0", strings.ReplaceAll(text, "-", "–"),
		strings.ReplaceAll(text, "0", "O"), strings.ReplaceAll(text, "0", "o"), strings.ReplaceAll(text, "1", "I"), strings.ReplaceAll(text, "1", "i"),
		strings.ReplaceAll(text, "1", "L"), strings.ReplaceAll(text, "1", "l"), strings.NewReplacer("0", "o", "1", "l", "-", "").Replace(text),
		strings.Join(strings.Split(plain, ""), "‑"), "--" + text + "--",
	} {
		selector, ok := mfa.Selector(auth.NewSecret(typed))
		require.True(t, ok, "%q", typed)
		require.Equal(t, records[9].Selector, selector)
		require.True(t, c.Matches(auth.NewSecret(typed), "a1", records[9]), "%q", typed)
	}
	for _, typed := range []string{
		"", " ", "-", plain[:17], plain[1:], plain + "0", "0" + plain, plain + plain, plain[2:], plain[:17] + "U", plain[:17] + "u", plain[:17] + "!", plain + "!", plain + "\x00",
		plain[:17] + "\x00", "+" + plain, text + ".", plain[:17] + "ı", plain[:17] + "０", plain[:17] + "\u0130", plain[:17] + "\U00010030", "\xff" + plain, plain + strings.Repeat(" ", 128),
		strings.Repeat(plain, 1000), strings.ReplaceAll(text, "0", "8"), strings.ReplaceAll(text, "1", "7"),
	} {
		selector, ok := mfa.Selector(auth.NewSecret(typed))
		require.Equal(t, !ok, selector == "", "%q", typed)
		require.False(t, c.Matches(auth.NewSecret(typed), "a1", records[9]), "%q", typed)
	}
	for _, typed := range []string{"", plain[:2], plain[:17], plain + "0", plain[:17] + "U", plain[:17] + "\U00010030", plain + "!"} {
		_, ok := mfa.Selector(auth.NewSecret(typed))
		require.False(t, ok, "%q has not the shape of a code", typed)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Keys rotate: older ones still read.
func TestKeysRotate(t *testing.T) {
	k1, k2 := masterKey("k1", 1), masterKey("k2", 2)
	shown, records := set(t, codes(t, k1))
	during := codes(t, k2, k1)
	require.True(t, during.Matches(shown[0], "a1", records[0]))
	require.False(t, codes(t, k2).Matches(shown[0], "a1", records[0]), "the key is gone")
	require.False(t, codes(t, masterKey("k1", 3)).Matches(shown[0], "a1", records[0]), "another key of the name")
	renamed := records[0]
	renamed.Key = "k2"
	require.False(t, during.Matches(shown[0], "a1", renamed))
	_, fresh := set(t, during)
	require.Equal(t, "k2", fresh[0].Key)
}

// A character must not be likelier than another (ASVS 6.5.4), in the selector neither.
func TestCodesAreEven(t *testing.T) {
	c := codes(t, masterKey("k1", 1))
	const sets = 1000
	var counts [18][256]float64
	for range sets {
		shown, _ := set(t, c)
		for _, code := range shown {
			for i, ch := range []byte(strings.ReplaceAll(code.Reveal(), "-", "")) {
				counts[i][ch]++
			}
		}
	}
	const want = sets * mfa.CodeCount / 32.0
	for i := range counts {
		chi := 0.0
		for _, ch := range []byte(alphabet) {
			chi += (counts[i][ch] - want) * (counts[i][ch] - want) / want
		}
		require.Less(t, chi, 100.0, "character %d", i) // of 31 degrees of freedom: one run in a thousand million
	}
}

// Codes must not be made of what a broken source left of them (ASVS 6.5.3), nor be alike.
func TestRandomnessMayFail(t *testing.T) {
	keys, err := auth.NewKeys(masterKey("k1", 1))
	require.NoError(t, err)
	broken := iotest.ErrReader(errors.New("broken"))
	for name, random := range map[string]io.Reader{
		"at once": broken, "within a code": io.MultiReader(strings.NewReader("12345678901"), broken),
		"at the last code": io.MultiReader(strings.NewReader(distinct(9)), broken), "at the end": strings.NewReader(distinct(9)),
		"stuck":   readerFunc(func(p []byte) (int, error) { return copy(p, make([]byte, len(p))), nil }),
		"of nine": strings.NewReader(strings.Repeat(distinct(9), 100)),
	} {
		c, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys, Random: random})
		require.NoError(t, err)
		shown, records, err := c.Make("a1")
		require.Error(t, err, name)
		require.Nil(t, shown, name)
		require.Nil(t, records, name)
	}
}

func TestASourceMayReadLittleAtATime(t *testing.T) {
	keys, err := auth.NewKeys(masterKey("k1", 1))
	require.NoError(t, err)
	want, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys, Random: strings.NewReader(distinct(10))})
	require.NoError(t, err)
	got, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys, Random: iotest.OneByteReader(strings.NewReader(distinct(10)))})
	require.NoError(t, err)
	_, wanted := set(t, want)
	_, records := set(t, got)
	require.Equal(t, wanted, records)
}

// distinct returns randomness for n codes.
func distinct(n int) string {
	text := ""
	for i := range n {
		text += string(byte(i*8)) + strings.Repeat("x", 11)
	}
	return text
}

// TestNothingIsPrinted prints all that the package returns in every way, and looks for codes and keys.
func TestNothingIsPrinted(t *testing.T) {
	keys, err := auth.NewKeys(masterKey("k1", 1))
	require.NoError(t, err)
	c, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys})
	require.NoError(t, err)
	shown, records := set(t, c)
	master := bytes.Repeat([]byte{1}, 32)
	secrets := []string{string(master), hex.EncodeToString(master), strings.Trim(fmt.Sprint(master), "[]")}
	for _, s := range shown {
		plain := strings.ReplaceAll(s.Reveal(), "-", "")
		secrets = append(secrets, s.Reveal(), plain, plain[2:], hex.EncodeToString([]byte(plain)))
	}
	for _, value := range []any{c, *c, shown, shown[0], records, records[0], &records[0], mfa.CodesConfig{Keys: keys}} {
		printed := ""
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			printed += fmt.Sprintf(verb, value) + "\n"
		}
		text, _ := json.Marshal(value)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", value)
		for _, s := range secrets {
			require.NotContains(t, printed+string(text)+log.String(), s, "%T", value)
		}
	}
	// What is stored does not hold the code either, encoded or not.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(records[0].Hash)
	require.NoError(t, err)
	require.Len(t, raw, 32)
}

// TestManyAtOnce is how a store is used: fifty requests with one code, of which one may go on.
func TestManyAtOnce(t *testing.T) {
	c := codes(t, masterKey("k1", 1))
	shown, records := set(t, c)
	var mu sync.Mutex
	rows := map[string]mfa.Record{}
	for _, r := range records {
		rows[r.Selector] = r
	}
	accepted := 0
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			selector, _ := mfa.Selector(shown[3])
			mu.Lock()
			r := rows[selector]
			mu.Unlock()
			if !c.Matches(shown[3], "a1", r) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if rows[selector].Hash == r.Hash { // DELETE … WHERE account = … AND selector = … AND hash = …
				delete(rows, selector)
				accepted++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, accepted)
	require.Len(t, rows, 9)
	require.False(t, c.Matches(shown[3], "a1", rows[records[3].Selector]), "a used code finds no row")
}
