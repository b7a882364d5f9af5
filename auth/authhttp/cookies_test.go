package authhttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestCookieAttributes covers ASVS 3.3.1 to 3.3.5.
func TestCookieAttributes(t *testing.T) {
	for _, c := range []struct {
		name   string
		plain  bool
		keep   bool
		prefix string
		maxAge int
		value  string
	}{
		{"browser session", false, false, "__Host-", 0, token},
		{"kept", false, true, "__Host-", 30 * 24 * 3600, token + ".20515"},
		{"loopback", true, false, "", 0, token},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ada()
			s := open(t, f, func(cfg *authhttp.Config) {
				cfg.InsecureCookiesForLoopback = c.plain
				if c.plain {
					cfg.Origin = "http://localhost:8080"
				}
			})
			cookies := strings.ReplaceAll(bothCookie, "__Host-", c.prefix)
			page := s.do(request{target: "/auth/flow/flow-1", cookies: cookies})
			f.progress = granted(flow.SignIn, c.keep)
			q := s.filled(page, "/auth/flow/flow-1", map[string]string{"action": "password", "password": "x"})
			q.cookies = cookies
			w := s.do(q)
			require.Equal(t, http.StatusSeeOther, w.Code)
			for name, want := range map[string]int{"cardea-session": c.maxAge, "cardea-device": 365 * 24 * 3600} {
				got := set(w, c.prefix+name)
				require.NotNil(t, got, name)
				require.Equal(t, want, got.MaxAge)
				require.True(t, got.HttpOnly)
				require.Equal(t, !c.plain, got.Secure)
				require.Equal(t, http.SameSiteLaxMode, got.SameSite)
				require.Equal(t, "/", got.Path)
				require.Empty(t, got.Domain)
				require.Less(t, len(got.Raw), 4096)
			}
			require.Equal(t, c.value, set(w, c.prefix+"cardea-session").Value)
			require.NotContains(t, w.Body.String()+w.Header().Get("Location"), token, "ASVS 3.3.4: only in the cookie")
		})
	}
}

func TestFlowCookieIsSetOnceAndIsASessionCookie(t *testing.T) {
	s := open(t, ada())
	c := set(s.do(request{target: "/auth/sign-in"}), "__Host-cardea-flow")
	require.NotNil(t, c)
	require.Len(t, c.Value, 43, "256 bits")
	require.Zero(t, c.MaxAge)
	require.True(t, c.HttpOnly && c.Secure)
	require.Nil(t, set(s.do(request{target: "/auth/sign-in", cookies: flowCookie}), "__Host-cardea-flow"))
	require.Empty(t, s.do(request{target: "/auth/sign-in", cookies: flowCookie}).Header().Values("Set-Cookie"))
	require.NotEqual(t, c.Value, set(s.do(request{target: "/auth/sign-in"}), "__Host-cardea-flow").Value)
}

// TestPlantedCookies: a second cookie of the name was put there by somebody else, so none of them counts.
func TestPlantedCookies(t *testing.T) {
	s := open(t, ada())
	for name, cookies := range map[string]string{
		"twice":            bothCookie + "; __Host-cardea-session=" + token,
		"other value":      "__Host-cardea-session=x; " + bothCookie,
		"blank before":     "__Host-cardea-session =x; " + bothCookie,
		"without prefix":   "cardea-session=" + token,
		"quoted":           `__Host-cardea-session="` + token + `"`,
		"not a cookie":     "__Host-cardea-session=" + token + "\u00e9",
		"longer name":      "x__Host-cardea-session=" + token,
		"bare":             bothCookie + "; __Host-cardea-session",
		"in another value": "a=b__Host-cardea-session=" + token,
	} {
		t.Run(name, func(t *testing.T) {
			w := s.do(request{target: "/auth/session", cookies: cookies})
			require.Equal(t, http.StatusUnauthorized, w.Code)
		})
	}
	require.Equal(t, 200, s.do(request{target: "/auth/session", cookies: "a=1;" + bothCookie + ";b=2"}).Code)
}

func TestKeptCookieIsRenewedOnceADay(t *testing.T) {
	f := ada()
	f.session.Keep = true
	f.session.ExpiresAt = now.Add(29*24*time.Hour + 500*time.Millisecond)
	s := open(t, f)
	today := now.Unix() / 86400
	for _, c := range []struct {
		name, value string
		renewed     bool
	}{
		{"today", fmt.Sprintf("%s.%d", token, today), false},
		{"yesterday", fmt.Sprintf("%s.%d", token, today-1), true},
		{"without a day", token, true},
		{"nonsense", token + ".x", true},
		{"from the future", fmt.Sprintf("%s.%d", token, today+9), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
			w := s.serve(s.h.Require(next), request{target: "/inbox", cookies: "__Host-cardea-session=" + c.value})
			require.Equal(t, 204, w.Code)
			got := set(w, "__Host-cardea-session")
			require.Equal(t, c.renewed, got != nil)
			if c.renewed {
				require.Equal(t, fmt.Sprintf("%s.%d", token, today), got.Value)
				require.Equal(t, 29*24*3600+1, got.MaxAge)
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"), "no cache may hand the cookie on")
			}
		})
	}
}

func TestABrowserSessionIsNeverMadePersistent(t *testing.T) {
	s := open(t, ada())
	require.Nil(t, set(s.get("/auth/account"), "__Host-cardea-session"))
}

func TestACookieThatIsTooLargeIsAFault(t *testing.T) {
	f := ada()
	s := open(t, f)
	page := s.get("/auth/flow/flow-1")
	f.progress = granted(flow.SignIn, false)
	f.progress.Device = auth.NewSecret(strings.Repeat("x", 4096))
	w := s.submit(page, "/auth/flow/flow-1", map[string]string{"action": "password", "password": "x"})
	require.Equal(t, 500, w.Code)
	require.Nil(t, set(w, "__Host-cardea-session"))
}

func TestNoticesCannotBeMadeByALink(t *testing.T) {
	s := open(t, ada())
	require.NotContains(t, s.get("/auth/account?notice=password-changed").Body.String(), "role=\"status\"")
	w := s.do(request{target: "/auth/account", cookies: bothCookie + "; __Host-cardea-notice=password-changed"})
	require.Contains(t, w.Body.String(), "Your password was changed.")
	require.Equal(t, -1, set(w, "__Host-cardea-notice").MaxAge, "shown once")
	w = s.do(request{target: "/auth/account", cookies: bothCookie + "; __Host-cardea-notice=you-won"})
	require.NotContains(t, w.Body.String(), "role=\"status\"")
}

// FuzzCookie compares with net/http's reading: what we find is there once, and the same; what is there once and
// plain is found. We may refuse what net/http reads or drops, never read what it does not.
func FuzzCookie(f *testing.F) {
	const name = "__Host-a"
	for _, seed := range []string{
		"__Host-a=x", "b=1; __Host-a=x;c=2", " __Host-a\t= x", "__Host-a=x; __Host-a=y", "__Host-a=x;__Host-a", "__Host-a=\"x\"", "__Host-a", "__Host-a==x=", "__Host-ab=x",
		"__Host-a b=x", "x__Host-a=y; =__Host-a=z", "__Host-a=x\n__Host-a=y", "__Host-a=é; __Host-a=y", "__host-a=x", ";;__Host-a=x;", "__Host-a=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n") // as several header lines
		if strings.Contains(text, "\r") || strings.Count(text, ";") > 1000 {
			t.Skip("no such line comes from a connection, or net/http reads none of it")
		}
		r := &http.Request{Header: http.Header{"Cookie": lines}}
		got, theirs := authhttp.Cookie(r, name), r.CookiesNamed(name)
		if got != "" {
			require.Len(t, theirs, 1)
			require.Equal(t, theirs[0].Value, got)
			require.False(t, theirs[0].Quoted)
			return
		}
		if len(theirs) == 1 && strings.Count(text, name) == 1 && !theirs[0].Quoted {
			value := theirs[0].Value
			require.True(t, value == "" || len(value) > 4096 || strings.ContainsAny(value, " ,"), "%q", value)
		}
	})
}
