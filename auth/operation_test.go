package auth_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

func operation(t testing.TB, text string, parts ...string) auth.Operation {
	t.Helper()
	op, err := auth.NewOperation(text, parts...)
	require.NoError(t, err)
	return op
}

func TestOperationsDifferInWhateverDecides(t *testing.T) {
	seen := map[string]string{}
	for name, op := range map[string]auth.Operation{
		"one":                  operation(t, "Delete project Alpha", "delete-project", "1"),
		"another project":      operation(t, "Delete project Alpha", "delete-project", "2"),
		"another act":          operation(t, "Delete project Alpha", "archive-project", "1"),
		"another sentence":     operation(t, "Archive project Alpha", "delete-project", "1"),
		"a part more":          operation(t, "Delete project Alpha", "delete-project", "1", ""),
		"a part less":          operation(t, "Delete project Alpha", "delete-project"),
		"parts cut elsewhere":  operation(t, "Delete project Alpha", "delete-projec", "t1"),
		"parts in one":         operation(t, "Delete project Alpha", "delete-project1"),
		"sentence and a part":  operation(t, "Delete project Alphadelete-project", "1"),
		"another order":        operation(t, "Delete project Alpha", "1", "delete-project"),
		"a NUL between":        operation(t, "Delete project Alpha", "delete-project\x001"),
		"with its own lengths": operation(t, "Delete project Alpha", "delete-project\x00\x00\x00\x00\x00\x00\x00\x011"),
	} {
		require.Len(t, op.Hash(), 43)
		require.Empty(t, seen[op.Hash()], "%s is like %s", name, seen[op.Hash()])
		seen[op.Hash()] = name
	}
	require.Equal(t, operation(t, "Delete", "a"), operation(t, "  Delete\n", "a"), "what is not seen does not count")
	require.True(t, auth.Operation{}.IsZero())
	// Computed by another program, and kept so that no later version takes what another one confirmed for something else.
	require.Equal(t, "sZlWkfK7Drap0vgIr7D016AkD2On8WzjBrVPd-885l4", operation(t, "Delete project Alpha", "delete-project", "1").Hash())
}

func TestOperationsAreReadable(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"line ends":           {"Delete\r\nproject\tAlpha\u2028now", "Delete project Alpha now"},
		"turned round":        {"Delete \u202eahplA\u202c", "Delete ahplA"},
		"isolates":            {"Delete \u2066Alpha\u2069", "Delete Alpha"},
		"nothing to see":      {"Del\u200bete\ufeff \u00adAlpha\x1b[2J", "Delete Alpha[2J"},
		"any script":          {"プロジェクトを削除", "プロジェクトを削除"},
		"as long as it may":   {strings.Repeat("ü", auth.LongestOperation), strings.Repeat("ü", auth.LongestOperation)},
		"and with its blanks": {"  " + strings.Repeat("x", auth.LongestOperation) + "  ", strings.Repeat("x", auth.LongestOperation)},
	} {
		require.Equal(t, c.want, operation(t, c.text, "p").Text(), name)
	}
	for name, text := range map[string]string{
		"nothing": "", "blanks": " \n", "unseen": "\u200b\u202e", "no UTF-8": "Delete \xff", "too long": strings.Repeat("x", auth.LongestOperation+1),
	} {
		_, err := auth.NewOperation(text, "p")
		require.Error(t, err, name)
	}
	_, err := auth.NewOperation("Delete project Alpha")
	require.ErrorContains(t, err, "without a part")
	readable := func(text string) bool {
		op, err := auth.NewOperation(text, "p")
		plain := !strings.ContainsFunc(op.Text(), func(c rune) bool { return !unicode.IsGraphic(c) })
		return err != nil || plain && utf8.ValidString(op.Text()) && op.Text() == strings.TrimSpace(op.Text()) && op.Text() != ""
	}
	require.NoError(t, quick.Check(readable, nil))
}

func TestOperationTokens(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	mine := w.browser().signIn(ann, right).Session
	op := operation(t, "Delete project Alpha", "delete-project", "1")
	demand, err := w.DemandConfirmation(w.ctx, mine, op, 0)
	require.NoError(t, err)
	require.Equal(t, flow.AAL1, demand.Level, "all that the account can reach")
	got, level, err := w.ReadOperation(mine, demand.Token)
	require.NoError(t, err)
	require.Equal(t, op, got)
	require.Zero(t, level)
	strict, err := w.DemandConfirmation(w.ctx, mine, op, flow.AAL2)
	require.NoError(t, err)
	_, level, err = w.ReadOperation(mine, strict.Token)
	require.NoError(t, err)
	require.Equal(t, flow.AAL2, level)
	_, err = w.DemandConfirmation(w.ctx, mine, auth.Operation{}, 0)
	require.Error(t, err)

	theirs, foreign := mine, mine
	theirs.ID = "another"
	foreign.Account = "another"
	for name, s := range map[string]auth.Session{"another session": theirs, "another account": foreign, "nobody": {}} {
		_, _, err := w.ReadOperation(s, demand.Token)
		require.ErrorIs(t, err, flow.Deny(flow.Expired), name)
	}
	for name, token := range alterations(t, demand.Token) {
		_, _, err := w.ReadOperation(mine, token)
		require.ErrorIs(t, err, flow.Deny(flow.Expired), name)
	}
	w.clock.Advance(10*time.Minute - time.Second)
	_, _, err = w.ReadOperation(mine, demand.Token)
	require.NoError(t, err)
	w.clock.Advance(time.Second)
	_, _, err = w.ReadOperation(mine, demand.Token)
	require.ErrorIs(t, err, flow.Deny(flow.Expired))
}

// alterations are tokens that differ from a good one in one byte of what they say, or in how they are written.
func alterations(t *testing.T, token string) map[string]string {
	key, text, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	list := map[string]string{
		"nothing": "", "no key": "." + text, "another key": "k9." + text, "cut": token[:len(token)-4], "longer": token + "AAAA",
		"padded": token + "=", "another token after it": token + "." + token, "a handle": strings.Repeat("A", 22) + "." + strings.Repeat("A", 43),
		"its head alone": key + "." + base64.RawURLEncoding.EncodeToString(raw[:84]),
	}
	for i := range raw {
		altered := append([]byte(nil), raw...)
		altered[i] ^= 1
		list["byte "+string(rune('0'+i%10))+strings.Repeat("+", i/10)] = key + "." + base64.RawURLEncoding.EncodeToString(altered)
	}
	return list
}
