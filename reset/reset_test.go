package reset_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/reset"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)

func key(id string, b byte) auth.Key {
	k := auth.Key{ID: id}
	for i := range k.Bytes {
		k.Bytes[i] = b
	}
	return k
}

func secrets(t testing.TB, current auth.Key, older ...auth.Key) *reset.Secrets {
	t.Helper()
	keys, err := auth.NewKeys(current, older...)
	require.NoError(t, err)
	s, err := reset.New(reset.Config{Keys: keys})
	require.NoError(t, err)
	return s
}

func ticket(t testing.TB, s *reset.Secrets, p auth.Purpose) (auth.Ticket, auth.Secret) {
	t.Helper()
	tk, err := s.NewTicket(p, "a1", now)
	require.NoError(t, err)
	token, ok := s.Reveal(auth.SecretRef{Purpose: p, Ticket: tk.ID}, tk.Key)
	require.True(t, ok)
	return tk, token
}

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := reset.New(reset.Config{Reset: 25 * time.Hour, Invitation: -1, Undo: 31 * 24 * time.Hour})
	for _, part := range []string{"Keys are required", "Reset is 25h0m0s", "Invitation is -1ns", "Undo is 744h0m0s"} {
		require.ErrorContains(t, err, part)
	}
}

func TestTickets(t *testing.T) {
	s := secrets(t, key("k1", 1))
	seen := map[string]bool{}
	for p, life := range map[auth.Purpose]time.Duration{
		auth.ForReset: 30 * time.Minute, auth.ForInvitation: 24 * time.Hour, auth.ForUndo: 72 * time.Hour,
	} {
		tk, token := ticket(t, s, p)
		require.Equal(t, auth.Ticket{ID: tk.ID, Purpose: p, Account: "a1", Key: "k1", CreatedAt: now, ExpiresAt: now.Add(life)}, tk)
		require.Len(t, token.Reveal(), 66)
		id, ok := s.Ticket(token)
		require.True(t, ok)
		require.Equal(t, tk.ID, id)
		require.True(t, s.Opens(token, tk))
		require.False(t, seen[tk.ID])
		seen[tk.ID] = true
	}
	for _, p := range []auth.Purpose{auth.ForSignIn, auth.ForSignUp, auth.ForAddress, "", "RESET"} {
		_, err := s.NewTicket(p, "a1", now)
		require.Error(t, err, p)
	}
}

func TestOpensNothingElse(t *testing.T) {
	s := secrets(t, key("k1", 1))
	tk, token := ticket(t, s, auth.ForReset)
	other, otherToken := ticket(t, s, auth.ForReset)
	_, undo := ticket(t, s, auth.ForUndo)
	text := token.Reveal()
	id, secret, _ := strings.Cut(text, ".")
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", secret[42])
	stray := secret[:42] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1]) // other bits, the same bytes if decoded loosely
	for name, forged := range map[string]string{
		"nothing": "", "a dot": ".", "the id": id, "the id and a dot": id + ".", "the secret": secret, "no id": "." + secret,
		"cut": text[:65], "longer": text + "A", "padded": text + "=", "a space before": " " + text, "a line after": text + "\n",
		"stray bits": id + "." + stray, "another alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(id + "." + strings.Repeat("-", 43)),
		"of another ticket": otherToken.Reveal(), "its secret with this id": id + "." + strings.Split(otherToken.Reveal(), ".")[1],
		"of another purpose": undo.Reveal(), "in capitals": strings.ToUpper(text), "zeros": id + "." + strings.Repeat("A", 43),
		"two secrets": text + "." + secret, "a NUL": text[:40] + "\x00" + text[41:],
	} {
		require.False(t, s.Opens(auth.NewSecret(forged), tk), name)
	}
	asUndo := tk
	asUndo.Purpose = auth.ForUndo
	require.False(t, s.Opens(token, asUndo), "a row whose purpose was changed")
	asOther := tk
	asOther.ID = other.ID
	require.False(t, s.Opens(token, asOther))
	_, ok := s.Ticket(auth.NewSecret(id + "." + stray[:42] + "!"))
	require.False(t, ok)
}

func TestKeysRotate(t *testing.T) {
	before := secrets(t, key("k1", 1))
	during := secrets(t, key("k2", 2), key("k1", 1))
	after := secrets(t, key("k2", 2))
	forged := secrets(t, key("k1", 3))
	tk, token := ticket(t, before, auth.ForReset)
	ref := auth.SecretRef{Purpose: auth.ForSignIn, Flow: "f1", Account: "a1", At: now}
	code, ok := before.Reveal(ref, "k1")
	require.True(t, ok)

	require.True(t, during.Opens(token, tk))
	require.True(t, during.Matches(code, ref, "k1"))
	for name, s := range map[string]*reset.Secrets{"the key is gone": after, "another key of the name": forged} {
		require.False(t, s.Opens(token, tk), name)
		require.False(t, s.Matches(code, ref, "k1"), name)
	}
	_, ok = after.Reveal(ref, "k1")
	require.False(t, ok)
	fresh, err := during.NewTicket(auth.ForReset, "a1", now)
	require.NoError(t, err)
	require.Equal(t, "k2", fresh.Key)
}

func TestCodes(t *testing.T) {
	s := secrets(t, key("k1", 1))
	ref := auth.SecretRef{Purpose: auth.ForSignIn, Flow: "f1", Account: "a1", At: now}
	code, ok := s.Reveal(ref, "k1")
	require.True(t, ok)
	text := code.Reveal()
	require.Regexp(t, `\A[0-9]{8}\z`, text)
	for _, typed := range []string{text, text[:4] + " " + text[4:], " " + text[:2] + "-" + text[2:] + " ", text[:4] + "\u00a0" + text[4:]} {
		require.True(t, s.Matches(auth.NewSecret(typed), ref, "k1"))
	}
	for _, typed := range []string{"", " ", text[:7], text + "0", "0" + text, text[1:] + text[:1] + "x", text + "\n", "+" + text, text + "\x00"} {
		require.False(t, s.Matches(auth.NewSecret(typed), ref, "k1"))
	}

	changed := map[string]auth.SecretRef{}
	for name, change := range map[string]func(*auth.SecretRef){
		"purpose":                 func(r *auth.SecretRef) { r.Purpose = auth.ForSignUp },
		"flow":                    func(r *auth.SecretRef) { r.Flow = "f2" },
		"account":                 func(r *auth.SecretRef) { r.Account = "a2" },
		"moment":                  func(r *auth.SecretRef) { r.At = r.At.Add(time.Microsecond) },
		"no flow":                 func(r *auth.SecretRef) { r.Flow = "" },
		"nobody":                  func(r *auth.SecretRef) { r.Account = "" },
		"parts that run together": func(r *auth.SecretRef) { r.Flow, r.Account = "f1a", "1" },
	} {
		r := ref
		change(&r)
		changed[name] = r
	}
	for name, r := range changed {
		require.False(t, s.Matches(code, r, "k1"), "another %s", name)
	}
	require.False(t, s.Matches(code, ref, "k2"))
	require.True(t, s.Matches(code, auth.SecretRef{Purpose: ref.Purpose, Flow: "f1", Account: "a1", At: now.In(time.FixedZone("X", 3600))}, "k1"), "a moment has no zone")
	_, ok = s.Reveal(auth.SecretRef{}, "k1")
	require.False(t, ok)
	require.False(t, s.Matches(auth.NewSecret(""), auth.SecretRef{}, "k1"), "nothing does not open nothing")
}

// A code must not be likelier than another: 2^32 is no multiple of 10^8.
func TestCodesAreEven(t *testing.T) {
	s := secrets(t, key("k1", 1))
	const n = 50_000
	var first, last [10]int
	for i := range n {
		code, ok := s.Reveal(auth.SecretRef{Purpose: auth.ForSignIn, Flow: fmt.Sprint(i), Account: "a1", At: now}, "k1")
		require.True(t, ok)
		first[code.Reveal()[0]-'0']++
		last[code.Reveal()[7]-'0']++
	}
	for d := range 10 {
		require.InDelta(t, n/10, first[d], n/10*0.06, "first digit %d", d) // four standard deviations
		require.InDelta(t, n/10, last[d], n/10*0.06, "last digit %d", d)
	}
}

func TestRandomnessMayFail(t *testing.T) {
	keys, err := auth.NewKeys(key("k1", 1))
	require.NoError(t, err)
	s, err := reset.New(reset.Config{Keys: keys, Random: iotest.ErrReader(errors.New("broken"))})
	require.NoError(t, err)
	_, err = s.NewTicket(auth.ForReset, "a1", now)
	require.ErrorContains(t, err, "broken")
}

func FuzzToken(f *testing.F) {
	s := secrets(f, key("k1", 1))
	tk, token := ticket(f, s, auth.ForReset)
	f.Add(token.Reveal())
	f.Add(tk.ID + ".")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := s.Ticket(auth.NewSecret(text))
		if ok {
			require.True(t, strings.HasPrefix(text, id+"."))
			_, err := base64.RawURLEncoding.Strict().DecodeString(text[len(id)+1:])
			require.NoError(t, err)
		}
		require.Equal(t, text == token.Reveal(), s.Opens(auth.NewSecret(text), tk))
	})
}

func FuzzCode(f *testing.F) {
	s := secrets(f, key("k1", 1))
	ref := auth.SecretRef{Purpose: auth.ForSignIn, Flow: "f1", Account: "a1", At: now}
	code, _ := s.Reveal(ref, "k1")
	f.Add(code.Reveal())
	f.Fuzz(func(t *testing.T, typed string) {
		plain := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(typed)
		require.Equal(t, plain == code.Reveal(), s.Matches(auth.NewSecret(typed), ref, "k1"))
	})
}

// BenchmarkTicket makes a ticket and its link and checks it, without a store.
func BenchmarkTicket(b *testing.B) {
	s := secrets(b, key("k1", 1))
	b.ReportAllocs()
	for b.Loop() {
		tk, err := s.NewTicket(auth.ForReset, "a1", now)
		if err != nil {
			b.Fatal(err)
		}
		token, _ := s.Reveal(auth.SecretRef{Purpose: auth.ForReset, Ticket: tk.ID}, tk.Key)
		if id, ok := s.Ticket(token); !ok || id != tk.ID || !s.Opens(token, tk) {
			b.Fatal("does not open")
		}
	}
}

func BenchmarkCode(b *testing.B) {
	s := secrets(b, key("k1", 1))
	ref := auth.SecretRef{Purpose: auth.ForSignIn, Flow: "f1", Account: "a1", At: now}
	code, _ := s.Reveal(ref, "k1")
	b.ReportAllocs()
	for b.Loop() {
		if !s.Matches(code, ref, "k1") {
			b.Fatal("does not match")
		}
	}
}
