package viagoth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/markbates/goth"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

// TestSubjects: what goth makes of an answer without an id is not somebody. GitHub's is the number 0 then, and
// everybody's alike.
func TestSubjects(t *testing.T) {
	for _, answer := range []string{`{}`, `{"id":0,"login":"octocat","email":"octocat@github.example"}`, `{"id":null}`, `{"message":"Bad credentials"}`} {
		s, c := githubService(t)
		s.api["api.github.com/user"] = answer
		_, err := attempt(t, s, c)
		requireCode(t, viagoth.CodeSubject, err)
	}
	for _, id := range []string{"", "0", "-1", "null", "<nil>", "%!d(<nil>)", "undefined", "NaN", "1.0015800e+16", "a\nb", " a", "a\x00", "a\xff", strings.Repeat("x", 256)} {
		s := oddService(t)
		_, err := attempt(t, s, oddConfig(s, func(o *odd) { o.fetch = func(*odd) (goth.User, error) { return goth.User{UserID: id}, nil } }))
		requireCode(t, viagoth.CodeSubject, err)
	}
	for _, id := range []string{"00", "1", "e+1", "{f1-2}", "me+you@odd.example", "ünï", strings.Repeat("x", 255)} {
		s := oddService(t)
		got, err := attempt(t, s, oddConfig(s, func(o *odd) { o.fetch = func(*odd) (goth.User, error) { return goth.User{UserID: id}, nil } }))
		require.NoError(t, err)
		require.Equal(t, id, got.Subject)
	}
}

// TestEmail: an address is nobody's until the host says what the provider's word is worth.
func TestEmail(t *testing.T) {
	s, c := githubService(t)
	id, err := attempt(t, s, c)
	require.NoError(t, err)
	require.Equal(t, auth.EmailUnverified, id.EmailTrust)
	for _, given := range []struct {
		email string
		trust auth.EmailTrust
		want  auth.Identity
	}{
		{"a@b.example", auth.EmailAsserted, auth.Identity{Email: "a@b.example", EmailTrust: auth.EmailAsserted}},
		{"a@b.example", 77, auth.Identity{Email: "a@b.example", EmailTrust: auth.EmailUnverified}},
		{"", auth.EmailAuthoritative, auth.Identity{}},
		{"a@b.example\r\nBcc: x", auth.EmailAuthoritative, auth.Identity{}},
		{strings.Repeat("a", 321), auth.EmailAsserted, auth.Identity{}},
	} {
		c.Email = func(u goth.User) (string, auth.EmailTrust) {
			require.Empty(t, u.AccessToken+u.RefreshToken+u.IDToken+u.AccessTokenSecret, "the host is given no tokens")
			require.Equal(t, "583231", u.UserID)
			return given.email, given.trust
		}
		id, err := attempt(t, s, c)
		require.NoError(t, err)
		require.Equal(t, given.want, auth.Identity{Email: id.Email, EmailTrust: id.EmailTrust})
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ name, nick, want string }{
		{"  Od\x00 D\u202e ", "", "Od D"}, {"", "nick", "nick"}, {"\u200b", "nick", "nick"},
		{strings.Repeat("ü", 200), "", strings.Repeat("ü", 128)},
	} {
		s := oddService(t)
		id, err := attempt(t, s, oddConfig(s, func(o *odd) {
			o.fetch = func(*odd) (goth.User, error) { return goth.User{UserID: "u", Name: c.name, NickName: c.nick}, nil }
		}))
		require.NoError(t, err)
		require.Equal(t, c.want, id.Name)
	}
}

// TestIssuer: a provider that names itself in its answers is held to it (RFC 9207).
func TestIssuer(t *testing.T) {
	s, c := githubService(t)
	c.Issuer = "https://github.com/login/oauth"
	p := newProvider(t, c)
	trip, d := begin(t, p, newTrip(1))
	require.Equal(t, c.Issuer, d.Issuer)
	require.True(t, d.TellsIssuer)
	for _, issuer := range []string{"", "https://evil.example", c.Issuer + "/"} {
		_, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL), Issuer: issuer})
		requireCode(t, viagoth.CodeIssuer, err)
	}
	require.Empty(t, s.requests())
	_, err := p.Complete(context.Background(), trip, auth.Answer{Code: s.approve(t, d.URL), Issuer: c.Issuer})
	require.NoError(t, err)
}
