package auth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

type identifierRow struct {
	Typed   string `json:"typed"`
	Verdict string `json:"verdict"`
	Value   string `json:"value"`
	Display string `json:"display"` // not compared if empty
	Why     string `json:"why"`
	Source  string `json:"source"`
}

func TestNormalizeEmail(t *testing.T) {
	for _, row := range readRows[identifierRow](t, "testdata/identifiers.json") {
		id, err := auth.NormalizeEmail(row.Typed)
		switch row.Verdict {
		case "accept":
			require.NoError(t, err, "%+q: %s (%s)", row.Typed, row.Why, row.Source)
			require.Equal(t, row.Value, id.Value, "%+q: %s (%s)", row.Typed, row.Why, row.Source)
			require.Equal(t, row.Value[strings.IndexByte(row.Value, '@')+1:], id.Domain)
			if row.Display != "" {
				require.Equal(t, row.Display, id.Display, "%+q: %s", row.Typed, row.Why)
			}
		case "refuse":
			require.ErrorIs(t, err, flow.Deny(flow.AddressRejected), "%+q became %+q, but: %s (%s)", row.Typed, id.Value, row.Why, row.Source)
			require.Zero(t, id)
		default:
			t.Errorf("%+q: unknown verdict %q", row.Typed, row.Verdict)
		}
	}
}

func TestNormalizeEmailRefusesWhatIsNoText(t *testing.T) {
	for _, typed := range []string{"al\xffice@example.com", "alice@ex\xc0\xafmple.com", strings.Repeat(" ", 1024) + "a@b.example", strings.Repeat("@", 1<<20)} {
		_, err := auth.NormalizeEmail(typed)
		require.ErrorIs(t, err, flow.Deny(flow.AddressRejected))
	}
}

// Every letter of Unicode that has another's form, in lower case or in compatibility form, is either refused
// or names a mailbox of its own: the account takeover of CVE-2019-19844, for all letters at once.
func TestNoForeignLetterBecomesAPlainOne(t *testing.T) {
	for c := rune(0x80); c < 0x20000; c++ { // beyond are ideographs and what is invisible
		if c >= 0xFF01 && c <= 0xFF5E || norm.NFC.String(string(c)) != string(c) {
			continue // full-width forms are plain on purpose; the others are equal by definition
		}
		id, err := auth.NormalizeEmail("a" + string(c) + "z@example.com")
		if err != nil || id.Value == "az@example.com" { // refused, or invisible
			continue
		}
		local := strings.TrimSuffix(id.Value, "@example.com")
		require.True(t, strings.ContainsFunc(local, func(c rune) bool { return c >= 0x80 }), "%U became %+q", c, local)
	}
}

func ExampleNormalizeEmail() {
	id, err := auth.NormalizeEmail("  Anna.Weber@B\u00dcCHER.example ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id.Value)
	fmt.Println(id.Display)
	_, err = auth.NormalizeEmail("Anna Weber <anna@example.com>")
	var denied *auth.DeniedError
	fmt.Println(errors.As(err, &denied), denied.Reason)
	// Output:
	// anna.weber@xn--bcher-kva.example
	// Anna.Weber@BÜCHER.example
	// true address-rejected
}

func FuzzNormalizeEmail(f *testing.F) {
	for _, row := range readRows[identifierRow](f, "testdata/identifiers.json") {
		f.Add(row.Typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		id, err := auth.NormalizeEmail(typed)
		if err != nil {
			require.ErrorIs(t, err, flow.Deny(flow.AddressRejected))
			require.Zero(t, id)
			return
		}
		for _, text := range []string{id.Value, id.Display} {
			again, err := auth.NormalizeEmail(text)
			require.NoError(t, err, "%+q", text)
			require.Equal(t, id.Value, again.Value, "%+q", text)
			require.False(t, strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsGraphic(c) || unicode.IsSpace(c) }), "%+q", text)
			require.Equal(t, 1, strings.Count(text, "@"), "%+q", text)
			require.False(t, strings.ContainsAny(text, "\"<>,;:\\()[]"), "%+q", text)
		}
		again, err := auth.NormalizeEmail(strings.ToUpper(id.Value[:1]) + id.Value[1:])
		if err == nil && id.Value[0] < 0x80 {
			require.Equal(t, id.Value, again.Value)
		}
		require.Equal(t, id.Value[strings.IndexByte(id.Value, '@')+1:], id.Domain)
		require.LessOrEqual(t, len(id.Value), 254)
	})
}
