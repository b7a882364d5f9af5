// Package authhttp puts a [auth.Service] on the web: finished pages that need no script but for passkeys, a JSON
// API, the cookies, and middleware that guards the host's own handlers.
//
// Make one [Handler] with [New] and mount it:
//
//	mux.Handle("/auth/", h)
//	mux.Handle("/.well-known/", h)
//	mux.Handle("/", h.Require(app))
//
// [Handler.Require] lets only signed-in people through, [Handler.RequireFresh] only those who proved
// lately who they are, and [Handler.Identify] everybody; behind each of them [SessionFrom] tells who it is.
//
// Browsers have cookies. With [Config.Native], apps and programs are served too: they keep their tokens
// themselves and send them in the Authorization header. A request is one or the other, and what was issued
// to one is worth nothing to the other.
//
// Pages and JSON render the same flow.View, so neither decides what may come next. A page is a form, its
// POST answers 303 and the browser reads the next page with GET; no GET changes anything, but the one with which
// somebody comes back from a provider, which takes a state that serves once. The JSON API is one resource, POST
// {prefix}/flow, beside a few for sessions; see [Handler] for the routes.
//
// What a request must pass before it is looked at: the cross-origin check of net/http, a form token bound
// to the browser or to the session (forms), the content type application/json (the API), a size limit, and
// strict reading: malformed UTF-8, unknown fields, repeated fields and trailing data are refused. A program that posts
// forms, such as a test, sends Sec-Fetch-Site: same-origin, or Origin, as every browser does.
//
// What this package does not do: it sends no Strict-Transport-Security and does not redirect from http to
// https, which is for the host's server; it keeps nothing of one request for another, but for which language
// suits which Accept-Language; it starts no goroutine.
//
// Texts come from catalogues in English and German ([Config.Catalogs] adds languages), looks from one
// stylesheet made of custom properties ([Config.Theme]), markup from templates that can be replaced one
// by one ([Config.Templates]).
package authhttp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// Config is what a Handler is made from. New copies it; later changes have no effect.
type Config struct {
	// Service runs the flows and knows the sessions. Required.
	Service *auth.Service
	// Keys are the installation's keys; form tokens are made under one derived from them. Required.
	Keys auth.Keys
	// Origin is the public base URL, such as "https://app.example" or "http://localhost:8080". Required;
	// http is accepted for loopback hosts only. What a request's Host header says is never used.
	Origin string
	// Prefix is the path that everything lives under. Empty means "/auth".
	Prefix string

	// Product is the name that the pages show. Required.
	Product string
	// Logo is an image to show instead of the name: a path of the own site, or a data:image/ URL. Its text
	// alternative is Product. Empty shows the name.
	Logo string
	// Support is where people find help, shown on every page: an https or mailto URL, or a path of the own
	// site. Empty shows none.
	Support string
	// SignUp is where people without an account get one: an https URL or a path of the own site. Empty
	// makes the sign-in page say that accounts are set up by invitation.
	SignUp string
	// Home is where the product's name and the pages' "back" lead: a path of the own site. Empty means "/".
	// Where a sign-in leads is auth.Config.DefaultReturnTo.
	Home string

	// TrustedProxies are the addresses of the reverse proxies whose X-Forwarded-For counts. Empty means
	// that the header is ignored.
	TrustedProxies []netip.Prefix
	// InsecureCookiesForLoopback drops the Secure attribute and the __Host- prefix, for browsers that keep
	// no Secure cookies of http://localhost. It MUST NOT be set for anything but development; New refuses
	// it unless Origin's host is a loopback one.
	InsecureCookiesForLoopback bool
	// Native also serves native clients: apps and programs that keep a session token and a device token
	// themselves and send no cookie. Their flows begin with "client":"native", and everything that stands
	// behind Require, RequireFresh or Identify then reads "Authorization: Bearer" (RFC 6750). If it is
	// false, that header is never looked at. See Handler.
	Native bool
	// KeepSiteData leaves what the site stored in the browser (caches, local storage) in place at sign-out.
	// It MUST NOT be set if any of that is about the account (ASVS 14.3.1).
	KeepSiteData bool

	// Templates replaces templates one by one: each file in it stands in for the one of the same name in
	// this package's folder templates. Nil replaces none.
	Templates fs.FS
	// Theme is CSS that follows the stylesheet; ten lines of custom properties suffice to change its looks.
	Theme string
	// Stylesheet replaces the stylesheet altogether. Empty keeps it.
	Stylesheet string

	// Language is the language of those who ask for none that there is. Empty means "en".
	Language string
	// Catalogs adds languages, and changes texts of those there are: language tag (BCP 47), key, text. A
	// new language must have every key of the English one.
	Catalogs map[string]map[string]string

	// Logger receives faults, refused requests and panics. Nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now. It may be called concurrently.
	Now func() time.Time
	// Random is the source of the flow cookie and of form tokens; nil means crypto/rand.Reader. It may be read concurrently.
	Random io.Reader
}

// New returns a Handler, or an error that names every problem of the configuration at once. Never both.
func New(cfg Config) (*Handler, error) {
	if cfg.Service == nil {
		return newHandler(cfg, nil)
	}
	return newHandler(cfg, cfg.Service)
}

func newHandler(cfg Config, svc service) (*Handler, error) {
	cfg = cfg.withDefaults()
	problems := cfg.problems()
	if svc == nil {
		problems = append(problems, errors.New("Service is required"))
	}
	if svc != nil && len(svc.Providers()) > 0 && svc.Callbacks() != cfg.Origin+cfg.Prefix+providerPath {
		problems = append(problems, fmt.Errorf("the service's Callbacks is %q; with this Origin and Prefix it must be %q", svc.Callbacks(), cfg.Origin+cfg.Prefix+providerPath))
	}
	languages, err := newLanguages(cfg.Language, cfg.Catalogs)
	problems = append(problems, err)
	pages, err := loadTemplates(cfg.Templates)
	problems = append(problems, err)
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("authhttp: invalid Config:\n%w", err)
	}
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(cfg.Origin); err != nil {
		return nil, fmt.Errorf("authhttp: invalid Config: Origin: %w", err)
	}
	h := &Handler{
		cfg: cfg, svc: svc, guard: guard, languages: languages, pages: pages, log: cfg.Logger,
		tokens: cfg.Keys.Derive("form token"), cookies: cookieNames(cfg.InsecureCookiesForLoopback),
		style: newStylesheet(cfg.Stylesheet, cfg.Theme), script: newScript(),
	}
	if h.contract, err = newContract(cfg); err != nil {
		return nil, err
	}
	h.routes = h.table()
	if err := h.tryTemplates(); err != nil {
		return nil, fmt.Errorf("authhttp: invalid Config: Templates: %w", err)
	}
	return h, nil
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = "/auth"
	}
	if c.Home == "" {
		c.Home = "/"
	}
	if c.Language == "" {
		c.Language = "en"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	c.Origin = strings.TrimSuffix(c.Origin, "/")
	c.TrustedProxies = append([]netip.Prefix(nil), c.TrustedProxies...)
	return c
}

func (c Config) problems() []error {
	var problems []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	report(c.Keys.IsZero(), "Keys are required")
	report(c.Product == "", "Product is required")
	loopback, err := checkOrigin(c.Origin)
	if err != nil {
		problems = append(problems, err)
	}
	report(c.InsecureCookiesForLoopback && !loopback,
		"InsecureCookiesForLoopback is set, but the host of Origin %q is not a loopback one", c.Origin)
	report(!strings.HasPrefix(c.Prefix, "/") || c.Prefix == "/" || path.Clean(c.Prefix) != c.Prefix || !plainPath(c.Prefix),
		"Prefix is %q; it must be a clean path such as /auth", c.Prefix)
	report(!localPath(c.Home), "Home is %q; it must be a path of the own site", c.Home)
	report(c.Logo != "" && !localPath(c.Logo) && !strings.HasPrefix(c.Logo, "data:image/"),
		"Logo is %q; it must be a path of the own site or a data:image/ URL", c.Logo)
	report(c.Support != "" && !localPath(c.Support) && !webURL(c.Support) && !strings.HasPrefix(c.Support, "mailto:"),
		"Support is %q; it must be an https or mailto URL or a path of the own site", c.Support)
	report(c.SignUp != "" && !localPath(c.SignUp) && !webURL(c.SignUp),
		"SignUp is %q; it must be an https URL or a path of the own site", c.SignUp)
	for _, p := range c.TrustedProxies {
		report(!p.IsValid(), "TrustedProxies has an invalid prefix")
		report(p.IsValid() && p.Bits() == 0, "TrustedProxies has %s; to trust everybody lets everybody choose their address", p)
	}
	return problems
}

// checkOrigin accepts https://host[:port], and http for loopback hosts: there is no fall back to plain
// http (NIST SP 800-63B-4 §5.1).
func checkOrigin(origin string) (loopback bool, err error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return false, fmt.Errorf("Origin is %q; it must be scheme and host alone, such as https://app.example", origin)
	}
	if strings.ContainsAny(u.Host, ";,'* ") {
		return false, fmt.Errorf("Origin is %q; its host is none", origin)
	}
	loopback = isLoopback(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return loopback, fmt.Errorf("Origin is %q; it must be https, or http on a loopback host", origin)
	}
	return loopback, nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func plainPath(p string) bool {
	for _, c := range []byte(p) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`\?#%"<>{};,'*`, c) >= 0 { // the last ones mean something in a content policy
			return false
		}
	}
	return true
}

// localPath reports whether target is a path of the own site to every browser: "//evil.example" and
// "/\evil.example" name another host, and browsers drop tabs and line ends before they look.
func localPath(target string) bool {
	if target == "" || target[0] != '/' || len(target) > 1 && (target[1] == '/' || target[1] == '\\') {
		return false
	}
	for _, c := range []byte(target) {
		if c < ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	_, err := url.Parse(target)
	return err == nil
}

// webURL reports whether target is an absolute https URL with a host and without credentials.
func webURL(target string) bool {
	u, err := url.Parse(target)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && !strings.ContainsAny(target, "\\\t\r\n")
}

// loopbackURL reports whether target is an http URL of this machine, for development.
func loopbackURL(target string) bool {
	u, err := url.Parse(target)
	return err == nil && u.Scheme == "http" && isLoopback(u.Hostname()) && u.User == nil && !strings.ContainsAny(target, "\\\t\r\n")
}
