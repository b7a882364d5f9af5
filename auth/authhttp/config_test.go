package authhttp_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
)

func TestNewReportsEveryProblemAtOnce(t *testing.T) {
	h, err := authhttp.New(authhttp.Config{
		Origin: "http://app.example", Prefix: "auth/", Home: "//evil.example", Logo: "http://x/y.png",
		Support: "javascript:alert(1)", SignUp: "mailto:x@y", InsecureCookiesForLoopback: true,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), {}}, Language: "fr",
		Catalogs:  map[string]map[string]string{"fr!": {}, "en": {"no-such-text": "x", "help.invited": "no placeholder"}},
		Templates: fstest.MapFS{"sigin.html": {Data: []byte("x")}, "card.html": {Data: []byte("{{")}},
	})
	require.Nil(t, h)
	require.Error(t, err)
	for _, part := range []string{
		"Service is required", "Keys are required", "Product is required", "Origin is", "Prefix is", "Home is",
		"Logo is", "Support is", "SignUp is", "InsecureCookiesForLoopback is set", "0.0.0.0/0", "invalid prefix",
		`Language is "fr"`, `"fr!"`, "no-such-text", "help.invited must have the placeholders", "sigin.html", "card.html",
	} {
		require.ErrorContains(t, err, part)
	}
}

func TestNewAcceptsAService(t *testing.T) {
	cfg := config()
	cfg.Service = &auth.Service{}
	h, err := authhttp.New(cfg)
	require.NoError(t, err)
	require.NotNil(t, h)
}

// Providers answer where the pages are, or nowhere.
func TestNewWantsTheCallbacksBelowItsPrefix(t *testing.T) {
	svc := &fake{social: []auth.ProviderInfo{{ID: "acme", Name: "Acme"}}}
	_, err := authhttp.NewWith(config(), svc)
	require.NoError(t, err)
	cfg := config()
	cfg.Prefix = "/login"
	_, err = authhttp.NewWith(cfg, svc)
	require.ErrorContains(t, err, `the service's Callbacks is "https://app.example/auth/provider/"; with this Origin and Prefix it must be "https://app.example/login/provider/"`)
}

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		origin string
		plain  bool // InsecureCookiesForLoopback
		ok     bool
	}{
		{"https://app.example", false, true},
		{"https://app.example/", false, true},
		{"https://app.example:8443", false, true},
		{"http://localhost:8080", false, true},
		{"http://localhost:8080", true, true},
		{"http://127.0.0.1:8080", true, true},
		{"http://[::1]:8080", true, true},
		{"https://dev.localhost", true, true},
		{"https://app.example", true, false},
		{"http://app.example", false, false},
		{"http://localhost.example", true, false},
		{"http://192.168.1.1", true, false},
		{"https://app.example/path", false, false},
		{"https://user@app.example", false, false},
		{"https://app.example?x=1", false, false},
		{"ftp://app.example", false, false},
		{"app.example", false, false},
		{"", false, false},
	} {
		t.Run(c.origin, func(t *testing.T) {
			cfg := config()
			cfg.Origin, cfg.InsecureCookiesForLoopback = c.origin, c.plain
			_, err := authhttp.NewWith(cfg, ada())
			require.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
}

func TestLocalPath(t *testing.T) {
	for target, want := range map[string]bool{
		"/": true, "/a/b?c=d#e": true, "/ü": true, "": false, "a": false, "//evil.example": false, `/\evil.example`: false,
		"/\t/evil.example": false, "/a\nb": false, `/a\b`: false, "https://evil.example": false, "javascript:alert(1)": false,
		"/%zz": false,
	} {
		require.Equal(t, want, authhttp.LocalPath(target), "%q", target)
	}
}

func TestTemplatesAreReplacedOneByOne(t *testing.T) {
	s := open(t, ada(), func(c *authhttp.Config) {
		c.Templates = fstest.MapFS{"help.html": {Data: []byte(`{{define "help"}}<footer>Ask {{.Product}} &amp; co</footer>{{end}}`)}}
	})
	page := s.get("/auth/sign-in")
	require.Equal(t, 200, page.Code)
	require.Contains(t, page.Body.String(), "<footer>Ask Helpdesk &amp; co</footer>")
	require.Contains(t, page.Body.String(), `name="identifier"`)
	require.NotContains(t, page.Body.String(), "https://help.example/")
}

func TestATemplateThatFailsIsFoundByNew(t *testing.T) {
	cfg := config()
	cfg.Templates = fstest.MapFS{"help.html": {Data: []byte(`{{define "help"}}{{.NoSuchField}}{{end}}`)}}
	_, err := authhttp.NewWith(cfg, ada())
	require.ErrorContains(t, err, "NoSuchField")
}

func TestATemplateThatFailsLaterGivesAnErrorAndNoHalfPage(t *testing.T) {
	s := open(t, ada(), func(c *authhttp.Config) {
		c.Templates = fstest.MapFS{"help.html": {Data: []byte(`{{define "help"}}{{if eq .Heading "Sign in"}}{{index .Card.Forms 9}}{{end}}{{end}}`)}}
	})
	page := s.get("/auth/sign-in")
	require.Equal(t, 500, page.Code)
	require.NotContains(t, page.Body.String(), "identifier")
	require.Contains(t, page.Body.String(), "Something went wrong")
}

func TestTheme(t *testing.T) {
	plain, themed := open(t, ada()), open(t, ada(), func(c *authhttp.Config) { c.Theme = ":root { --accent: teal; }" })
	path := stylesheetOf(t, themed)
	require.NotEqual(t, stylesheetOf(t, plain), path, "the name changes with the text")
	w := themed.do(request{target: path})
	require.True(t, strings.HasSuffix(w.Body.String(), "--accent: teal; }"))
	require.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"))
	other := plain.do(request{target: path})
	require.Equal(t, 200, other.Code, "a page of another version is not left without its looks")
	require.Equal(t, "no-store", other.Header().Get("Cache-Control"))
	whole := open(t, ada(), func(c *authhttp.Config) { c.Stylesheet = "body{}" })
	require.Equal(t, "body{}", whole.do(request{target: stylesheetOf(t, whole)}).Body.String())
}

func stylesheetOf(t *testing.T, s site) string {
	t.Helper()
	links := tags(parse(t, s.get("/auth/sign-in")), "link")
	require.Len(t, links, 1)
	return attr(links[0], "href")
}

func TestPrefixAndDestinations(t *testing.T) {
	s := open(t, ada(), func(c *authhttp.Config) { c.Prefix, c.SignUp = "/id/v1", "https://sign.example/up" })
	require.Equal(t, "/id/v1/password", s.get("/.well-known/change-password").Header().Get("Location"))
	require.Equal(t, "/id/v1/account", s.get("/id/v1").Header().Get("Location"))
	require.Contains(t, s.get("/id/v1/sign-in").Body.String(), `href="https://sign.example/up"`)
	require.Equal(t, 404, s.get("/auth/sign-in").Code)
}
