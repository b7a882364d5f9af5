package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestNobodyNotices moves everybody, lets each sign in with the password of old times, and looks at what is
// stored afterwards. The hashes in data were made by Django 3.2, python3-bcrypt as Devise calls it, and the npm
// package firebase-scrypt.
func TestNobodyNotices(t *testing.T) {
	ctx := t.Context()
	site, err := open(ctx, filepath.Join(t.TempDir(), "migrate.db"))
	require.NoError(t, err)
	defer site.Store.Close()
	people, err := everybody(data)
	require.NoError(t, err)
	results, err := migrate(ctx, site.Service, people)
	require.NoError(t, err)
	notes := map[string]string{}
	for _, r := range results {
		notes[r.From+" "+r.Address] = r.Note
	}
	require.Equal(t, map[string]string{
		"Django ann@example.com":     "moved",
		"Django bob@example.com":     "moved",
		"Django carol@example.com":   "moved without a password; needs an invitation",
		"Devise dave@example.com":    "moved",
		"Devise erin@example.com":    "moved",
		"Devise ANN@example.com":     "is there already",
		"Devise frank@example.com":   "not moved: auth: hash cannot be read: password: check hash: unknown format",
		"Firebase grace@example.com": "moved",
		"Firebase heidi@example.com": "moved",
		"Firebase ivan@example.com":  "moved without a password; needs an invitation",
	}, notes)

	long := strings.Repeat("velvet orbit ", 7)
	for _, row := range []struct{ address, typed, before, after string }{
		{"ann@example.com", "seven quiet otters upstream", "pbkdf2_sha256", "argon2id"},
		{"bob@example.com", "a rather long pass phrase, longer than what bcrypt alone would look at: 72 bytes", "bcrypt_sha256", "argon2id"},
		{"dave@example.com", "tr0ub4dor", "2a", "argon2id"},
		{"erin@example.com", long, "2a", "2a"}, // Devise never checked the end of it, so nobody knows it to be right
		{"grace@example.com", "copper kettle 1906 harbour", "firescrypt", "argon2id"},
		{"heidi@example.com", "Zürich im Regen, 7 Uhr", "firescrypt", "argon2id"},
	} {
		kind, err := kindOf(ctx, site, row.address)
		require.NoError(t, err)
		require.Equal(t, row.before, kind, row.address)
		p, err := signIn(ctx, site.Service, row.address, auth.NewSecret("x"+row.typed))
		require.NoError(t, err)
		require.Equal(t, flow.BadCredentials, p.View.Refusal.Reason)
		for range 2 { // with the old hash, and with what came of it
			p, err = signIn(ctx, site.Service, row.address, auth.NewSecret(row.typed))
			require.NoError(t, err)
			require.NotNil(t, p.Session, row.address)
			kind, err = kindOf(ctx, site, row.address)
			require.NoError(t, err)
			require.Equal(t, row.after, kind, row.address)
		}
	}
	for _, address := range []string{"carol@example.com", "frank@example.com", "ivan@example.com"} {
		for _, typed := range []string{"!", "password", "!Pdj3DWhLmtBklA0jsDpfbClwsrAWEk3tQEySye6V"} {
			p, err := signIn(ctx, site.Service, address, auth.NewSecret(typed))
			require.NoError(t, err)
			require.Equal(t, flow.BadCredentials, p.View.Refusal.Reason)
		}
	}

	again, err := migrate(ctx, site.Service, people)
	require.NoError(t, err)
	for _, r := range again {
		require.NotContains(t, r.Note, "moved without", "a second run changes nothing: %s", r.Address)
	}
	kind, err := kindOf(ctx, site, "ann@example.com")
	require.NoError(t, err)
	require.Equal(t, "argon2id", kind, "nor does it bring an old hash back")

	report := site.Service.Report().Markdown()
	require.Contains(t, report, "PBKDF2-HMAC with SHA-256 of 260000 iterations, bcrypt of cost 12")
	require.NotContains(t, report, devisePepper.Reveal())
}

func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, filepath.Join(t.TempDir(), "migrate.db")))
	require.Contains(t, out.String(), "grace@example.com signed in with the old password; the hash was firescrypt and is argon2id now")
	require.NotContains(t, out.String(), "260000$")
}
