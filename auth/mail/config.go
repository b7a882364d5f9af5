package mail

import (
	"cmp"
	"errors"
	"fmt"
	htmlescape "html"
	"io/fs"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

// Config is what a Renderer is made from. New copies it; later changes have no effect.
type Config struct {
	// Origin is the public base URL, such as "https://app.example"; http is accepted for loopback hosts only.
	// Required. It is where the links lead.
	Origin string
	// Prefix is the path that the sign-in pages live under. Empty means "/auth".
	Prefix string
	// Product is the name that the mails show, at most 64 characters. Required.
	Product string
	// From is the sender, "Example <no-reply@app.example>" or the address alone, which then gets the product's
	// name. Required. The part before the @ must be ASCII: every server must be able to take it.
	From string
	// ReplyTo is where answers go. Empty means that they go to From.
	ReplyTo string
	// Help is a page that explains these mails: a path of the own site or an https URL. Required.
	Help string
	// Support is the address of people who help. Empty shows none.
	Support string
	// Pages are the pages of the site that letters lead to. The zero value is good.
	Pages Pages
	// TimeZone is the zone in which mails tell times. Nil means UTC.
	TimeZone *time.Location
	// Language is the language of letters that ask for none that there is. Empty means "en".
	Language string
	// Overrides changes texts and looks. It may hold, each of them optional,
	//
	//	de.json       texts of a language, of which those that it names replace the ones of this package; a
	//	              language that the package lacks must have all of them, unless it narrows one that there
	//	              is (de-AT); see the folder texts
	//	layout.html   the template around the HTML part, and
	//	layout.txt    the one around the text part; see the folder layout
	//
	// New tries the layouts on every kind of letter, and refuses one that loses the link, the code or what the
	// letter says. Nil changes nothing.
	Overrides fs.FS
}

// Pages are paths of the own site, or URLs of the same kind as Config.Help. Empty ones are below
// Config.Prefix.
type Pages struct {
	SignIn   string // empty means "/sign-in"
	Account  string // the person's sessions, devices and factors; empty means "/account"
	Recovery string // asks for a new password; empty means "/recovery"
	SignUp   string // creates an account; empty means that mails do not lead there
}

// longestProduct is how long Config.Product may be, in code points.
const longestProduct = 64

// New returns a Renderer, or an error that names every problem of the configuration at once.
func New(cfg Config) (*Renderer, error) {
	var problems []error
	report := func(field string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", field, err))
		}
	}
	r := &Renderer{origin: strings.TrimSuffix(cfg.Origin, "/"), product: cfg.Product, zone: cmp.Or(cfg.TimeZone, time.UTC)}
	report("Origin", checkOrigin(r.origin))
	r.prefix = cmp.Or(cfg.Prefix, "/auth")
	report("Prefix", checkPath(r.prefix))
	report("Product", checkProduct(cfg.Product))
	var err error
	r.from, err = sender(cfg.From)
	report("From", err)
	r.from.Name = cmp.Or(r.from.Name, cfg.Product)
	if cfg.ReplyTo != "" {
		r.replyTo, err = sender(cfg.ReplyTo)
		report("ReplyTo", err)
	}
	if cfg.Support != "" {
		support, err := sender(cfg.Support)
		report("Support", err)
		r.support = support.Address
	}
	r.help, err = r.place(cfg.Help)
	report("Help", err)
	r.pages = map[page]string{}
	for p, path := range map[page]string{
		signInPage: cmp.Or(cfg.Pages.SignIn, r.prefix+"/sign-in"), accountPage: cmp.Or(cfg.Pages.Account, r.prefix+"/account"),
		recoveryPage: cmp.Or(cfg.Pages.Recovery, r.prefix+"/recovery"), signUpPage: cfg.Pages.SignUp,
	} {
		if path != "" {
			r.pages[p], err = r.place(path)
			report("Pages", err)
		}
	}
	report("Overrides", checkNames(cfg.Overrides))
	own, err := fs.Sub(textFiles, "texts")
	report("texts", err)
	r.languages, err = newLanguages(cmp.Or(cfg.Language, "en"), own, cfg.Overrides)
	report("Overrides", err)
	r.html, r.text, err = layouts(cfg.Overrides)
	report("Overrides", err)
	if len(problems) == 0 {
		report("Overrides", r.try())
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("mail: invalid Config:\n%w", err)
	}
	return r, nil
}

// try writes every kind of letter in every language, and reports those in which something is lost.
func (r *Renderer) try() error {
	var problems []error
	for _, c := range r.languages.list {
		for name, k := range kinds {
			problems = append(problems, r.tryKind(c, name, k))
		}
	}
	return errors.Join(problems...)
}

func (r *Renderer) tryKind(c *catalog, name auth.LetterKind, k kind) error {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	l := auth.Letter{
		ID: "trial", Kind: name, To: "ada@example.org", Name: "Ada", Language: c.tag.String(), At: now,
		Secret: auth.SecretRef{Purpose: "trial"}, Device: "Firefox/1 Linux", Network: "203.0.113.0/24",
		Method: "totp", Address: "grace@example.org", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	var secret auth.Secret
	switch k.carries {
	case link:
		secret = auth.NewSecret("this-is.a-trial")
	case code:
		secret = auth.NewSecret("12345678")
	}
	m, err := r.Render(l, secret)
	if err != nil {
		return err
	}
	v := r.view(c, k, l, secret)
	must := append([]string{v.Heading, v.Text, v.Why, v.Unasked, v.Valid, v.Help.URL}, v.CodeGroups...)
	if v.Button != nil {
		must = append(must, v.Button.URL)
	}
	for part, text := range map[string]string{
		"layout.txt": joined(m.Text.Reveal()), "layout.html": joined(htmlescape.UnescapeString(m.HTML.Reveal())),
	} {
		for _, words := range must {
			if !strings.Contains(text, joined(words)) {
				return fmt.Errorf("%s loses a part of the letter %s in %s: %q", part, name, c.tag, words)
			}
		}
	}
	return nil
}

// joined returns the text on one line.
func joined(text string) string { return strings.Join(strings.Fields(text), " ") }

// checkNames refuses files that nothing would read: a misspelt one would be missed when it is too late.
func checkNames(host fs.FS) error {
	if host == nil {
		return nil
	}
	entries, err := fs.ReadDir(host, ".")
	problems := []error{err}
	for _, e := range entries {
		if name := e.Name(); !strings.HasSuffix(name, ".json") && name != "layout.html" && name != "layout.txt" {
			problems = append(problems, fmt.Errorf("%s: nothing reads it", name))
		}
	}
	return errors.Join(problems...)
}

func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case origin == "":
		return errors.New("it is required")
	case err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin:
		return fmt.Errorf("%q is no origin such as https://app.example", origin)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q must be https; http is for loopback hosts", origin)
}

// loopback reports whether a host is this very machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// loopbackAddr reports whether a connection ends on this very machine.
func loopbackAddr(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func checkPath(path string) error {
	u, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.HasSuffix(path, "/") ||
		u.RawQuery != "" || u.Fragment != "" || u.Path != path {
		return fmt.Errorf("%q is no path such as /auth", path)
	}
	return nil
}

func checkProduct(product string) error {
	switch {
	case strings.TrimSpace(product) == "":
		return errors.New("it is required")
	case utf8.RuneCountInString(product) > longestProduct:
		return fmt.Errorf("it has more than %d characters", longestProduct)
	case !utf8.ValidString(product) || strings.ContainsFunc(product, func(c rune) bool { return !unicode.IsGraphic(c) }):
		return errors.New("it has characters that cannot be shown")
	}
	return nil
}

// sender reads an address of the host's own.
func sender(text string) (mail.Address, error) {
	if text == "" {
		return mail.Address{}, errors.New("it is required")
	}
	parsed, err := mail.ParseAddress(text)
	if err != nil {
		return mail.Address{}, fmt.Errorf("%q is no address such as Example <no-reply@app.example>", text)
	}
	a, err := address(parsed.Address)
	if err != nil || !ascii(a.Address) {
		return mail.Address{}, fmt.Errorf("%q cannot be written to by everybody", text)
	}
	if strings.ContainsFunc(parsed.Name, func(c rune) bool { return !unicode.IsGraphic(c) }) {
		return mail.Address{}, fmt.Errorf("%q has characters that cannot be shown", text)
	}
	a.Name = parsed.Name
	return a, nil
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c >= utf8.RuneSelf })
}

// place returns the URL of a path of the own site, or an https URL as it is.
func (r *Renderer) place(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", errors.New("it is required")
	case err != nil || strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) || unicode.IsSpace(c) }):
		return "", fmt.Errorf("%q is no URL", text)
	case strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && !strings.Contains(text, `\`):
		return r.origin + text, nil
	case u.Scheme == "https" && u.Host != "":
		return text, nil
	}
	return "", fmt.Errorf("%q must be a path of the own site or an https URL", text)
}
