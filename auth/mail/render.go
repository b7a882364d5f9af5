package mail

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"net/mail"
	"net/url"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

//go:embed layout/*
var layoutFiles embed.FS

// Renderer writes messages. It is safe for concurrent use. Make one with New.
type Renderer struct {
	origin, product string
	from, replyTo   mail.Address
	help, support   string
	pages           map[page]string
	zone            *time.Location
	languages       *languages
	html            *htmltemplate.Template
	text            *texttemplate.Template
	prefix          string
}

// Render writes the message for a letter. The secret is the token of its link or its code, from
// auth.MailSecrets, and is zero for letters that have none; such a letter expires when its secret does, and the
// mail says so. The same letter and secret give the same message
// every time. An error made by Permanent says that no mail can be made of the letter: its address is none. It
// names no address and no secret.
func (r *Renderer) Render(l auth.Letter, secret auth.Secret) (Message, error) {
	k, ok := kinds[l.Kind]
	if !ok {
		return Message{}, fmt.Errorf("mail: there are no letters of the kind %q", string(l.Kind))
	}
	if secret.IsZero() != (k.carries == nothing) {
		return Message{}, fmt.Errorf("mail: a letter of the kind %q with a secret too much or too few", string(l.Kind))
	}
	to, err := address(l.To)
	if err != nil {
		return Message{}, Permanent(errors.New("mail: the letter has no usable address"))
	}
	c := r.languages.match(l.Language)
	v := r.view(c, k, l, secret)
	var html, text bytes.Buffer
	if r.html.ExecuteTemplate(&html, "layout", v) != nil || r.text.ExecuteTemplate(&text, "layout", v) != nil {
		// What the templates say may quote what they were given.
		return Message{}, fmt.Errorf("mail: the layout failed for the kind %q in %s", string(l.Kind), c.tag)
	}
	sum := sha256.Sum256([]byte("cardea letter " + l.ID))
	_, domain, _ := strings.Cut(r.from.Address, "@")
	return Message{
		ID: l.ID, Kind: l.Kind, Account: l.Account, Language: c.tag.String(),
		From: r.from, ReplyTo: r.replyTo, To: to, Subject: v.Subject,
		Text: auth.NewSecret(strings.TrimSpace(text.String()) + "\n"), HTML: auth.NewSecret(html.String()),
		MessageID: "<" + base64.RawURLEncoding.EncodeToString(sum[:18]) + "@" + domain + ">", Date: l.CreatedAt.UTC(),
	}, nil
}

// view is what the layouts are given.
type view struct {
	Lang, Dir         string
	Product, Subject  string
	Heading, Greeting string
	Text              string
	CodeLabel, Code   string   // "1234 5678"
	CodeGroups        []string // "1234", "5678"
	Button            *anchor
	LinkLabel         string // stands before the button's address
	Valid             string // how long the link or the code is good; empty for neither
	Rows              []row
	UnaskedLabel      string
	Unasked           string
	Act               *anchor // what to do then, or nil
	WhyLabel, Why     string
	Help              anchor
	Support           *anchor
}

// anchor is a link. Its text is what the HTML part shows of an address.
type anchor struct{ Label, URL, Text string }

// row is a fact: "Device", "Firefox on Linux".
type row struct{ Label, Value string }

func (r *Renderer) view(c *catalog, k kind, l auth.Letter, secret auth.Secret) view {
	texts := c.letters[l.Kind]
	say := func(field string) string { return fill(texts[field], "product", r.product) }
	v := view{
		Lang: c.tag.String(), Dir: c.direction(), Product: r.product,
		Subject: say("subject"), Heading: say("heading"), Greeting: c.words["greeting"], Text: say("text"),
		Rows: r.rows(c, k, l), UnaskedLabel: c.words["unasked"], Unasked: say("unasked"),
		WhyLabel: c.words["why"], Why: say("why"), Act: r.anchor(c, k.act), Help: anchor{Label: c.words["footer.help"], URL: r.help},
	}
	if name := plain(l.Name, ""); name != "" && !k.stranger {
		v.Greeting = c.word("greeting.named", "name", name)
	}
	if r.support != "" {
		v.Support = &anchor{c.words["footer.support"], "mailto:" + r.support, r.support}
	}
	valid := func(key string) string {
		return c.word(key, "duration", c.duration(l.ExpiresAt.Sub(l.CreatedAt)), "until", c.exact(l.ExpiresAt, r.zone))
	}
	switch k.carries {
	case link:
		v.Button = &anchor{Label: say("button"), URL: Link(r.origin, r.prefix, l.Secret.Purpose, secret)}
		v.Valid = valid("valid.link")
	case code:
		v.CodeGroups, v.CodeLabel, v.Valid = groups(secret.Reveal()), c.words["code"], valid("valid.code")
		v.Code = strings.Join(v.CodeGroups, " ")
	default:
		if v.Button = r.anchor(c, k.button); v.Button != nil {
			v.Button.Label = say("button")
		}
	}
	v.LinkLabel = c.words["link"]
	return v
}

// anchor returns the link to a page of the site, or nil if there is none.
func (r *Renderer) anchor(c *catalog, p page) *anchor {
	if r.pages[p] == "" {
		return nil
	}
	return &anchor{Label: c.words["page."+string(p)], URL: r.pages[p]}
}

// rows are the facts of what happened, those that are known.
func (r *Renderer) rows(c *catalog, k kind, l auth.Letter) []row {
	if k.quiet {
		return nil
	}
	all := []row{
		{c.words["row.device"], c.device(l.Device)},
		{c.words["row.network"], network(l.Network)},
		{c.words["row.method"], c.method(l.Method)},
	}
	if !l.At.IsZero() {
		all = append([]row{{c.words["row.time"], c.exact(l.At, r.zone)}}, all...)
	}
	if other, err := auth.NormalizeEmail(l.Address); err == nil && !k.stranger {
		label := cmp.Or(c.letters[l.Kind]["address"], c.words["row.address"])
		all = append([]row{{label, other.Display}}, all...)
	}
	known := all[:0]
	for _, fact := range all {
		if fact.Value != "" {
			known = append(known, fact)
		}
	}
	return known
}

// Link returns the address of a mailed link: {origin}{prefix}/link/{purpose}?t={token}. It is for a GET that
// changes nothing, since mail scanners follow links: it moves the token into a cookie and answers 303 with an
// address that does not have it, whose page has the form. Browsers send no fragment to the server and keep the
// query out of a Referer only if told so; the answer to this address must say Referrer-Policy: no-referrer and
// Cache-Control: no-store.
func Link(origin, prefix string, p auth.Purpose, token auth.Secret) string {
	return origin + prefix + "/link/" + url.PathEscape(string(p)) + "?t=" + url.QueryEscape(token.Reveal())
}

// address returns a mailbox with its domain in ASCII. What it accepts is a dot-atom before the @: quoted local
// parts may hold whole other addresses, and more than one program took the wrong one.
func address(text string) (mail.Address, error) {
	id, err := auth.NormalizeEmail(text)
	if err != nil {
		return mail.Address{}, err
	}
	local, _, _ := strings.Cut(id.Display, "@")
	return mail.Address{Address: local + "@" + id.Domain}, nil
}

// layouts reads the two layouts, the host's own where there is one.
func layouts(host fs.FS) (*htmltemplate.Template, *texttemplate.Template, error) {
	read := func(name string) string {
		if host != nil {
			if text, err := fs.ReadFile(host, name); err == nil {
				return string(text)
			}
		}
		text, _ := layoutFiles.ReadFile("layout/" + name)
		return string(text)
	}
	wrapping := map[string]any{"wrap": wrap}
	html, htmlErr := htmltemplate.New("layout.html").Funcs(wrapping).Parse(read("layout.html"))
	text, textErr := texttemplate.New("layout.txt").Funcs(wrapping).Parse(read("layout.txt"))
	return html, text, errors.Join(htmlErr, textErr)
}
