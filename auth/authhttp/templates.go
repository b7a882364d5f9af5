package authhttp

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/cardea-auth/cardea/auth/flow"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pageNames are the pages; partNames are what they are made of. Each has a file in the folder templates,
// and each may be replaced by itself.
var (
	pageNames = []string{"sign-in", "flow", "password", "confirm", "sign-out", "account", "message"}
	partNames = []string{"layout", "card", "form", "help", "activity"}
)

// templates are the pages by name, each ready to be executed as "layout".
type templates map[string]*template.Template

// page is what every template is executed with. Its methods and those fields that have a comment in
// templates/layout.html are what a replaced template may count on.
type page struct {
	lang     *catalog
	h        *Handler
	recovery bool // a forgotten password can be reset from here
	signUp   bool

	Heading string
	Trouble bool   // the page says that something went wrong
	Notice  string // what was just done
	Refresh string // where the browser goes by itself
	SignIn  bool   // the page is a step of a sign-in
	Wide    bool
	Card    *card
	Account *accountView
}

// card is the one column of a page that asks for something.
type card struct {
	Lead    string
	Alert   string // a refusal that concerns no field
	Address string // whom the page is about
	NotYou  *form
	Forms   []form
	Others  []form // other ways, below the divider
	// Providers are the buttons of social providers, another way; nil for none.
	Providers *providersView
	WayOut    *form
	Links     []link
	Pairing   *pairingView
	Recovery  *codesView
	Parts     []part // sections of a page that explains something

	Operation string // what the person is about to confirm, in the host's words
	Then      string // what comes after that
}

type part struct{ Heading, Text string }

// form is one form with one button.
type form struct {
	ID       string // for buttons of it that stand outside; empty for none
	URL      string
	Hidden   []hidden
	Username string // for password managers
	Fields   []field
	Submit   string
	Style    string        // "primary", "secondary", "danger", "row", "name" or "quiet"
	Fold     string        // what opens the form, which is shut: it is for few
	Passkey  *ceremonyView // a script fills it in; nil for none
	Context  string        // what the button is about, for those who hear it out of its row
}

type hidden struct{ Name, Value string }

type link struct {
	URL, Text string
	Button    bool // it is the one thing to do on the page
}

// field is one input with its label.
type field struct {
	Name, ID, Label, Type, Value, Autocomplete, InputMode, Rules, Hint, Error string
	Longest                                                                   int // in UTF-16 units; zero for no limit
	Required, Focus, Checked                                                  bool
}

// DescribedBy names the elements that explain the field: its hint and its error.
func (f field) DescribedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.ID+"-error")
	}
	return strings.Join(ids, " ")
}

// T returns a text of the catalogue, with pairs of name and value put in.
func (p page) T(key string, pairs ...string) string { return p.lang.text(key, pairs...) }

// Lang is the language of the page (BCP 47).
func (p page) Lang() string { return p.lang.tag.String() }

// Dir is its writing direction.
func (p page) Dir() string { return p.lang.direction() }

// Title is the document's title. It says first what went wrong, since it is what is read out first.
func (p page) Title() string {
	title := p.lang.text("title", "heading", p.Heading, "product", p.h.cfg.Product)
	if p.Trouble {
		return p.lang.text("title.error", "title", title)
	}
	return title
}

// Product is the name of the host's product.
func (p page) Product() string { return p.h.cfg.Product }

// Logo is the address of the product's image, which New has checked; empty for none.
func (p page) Logo() template.URL { return template.URL(p.h.cfg.Logo) } //nolint:gosec // from the host's Config

// Home is where the product begins.
func (p page) Home() string { return p.h.cfg.Home }

// Support is where people find help; empty for nowhere.
func (p page) Support() string { return p.h.cfg.Support }

// SignUp is where people without an account get one; empty for nowhere.
func (p page) SignUp() string {
	if p.signUp {
		return p.h.cfg.Prefix + firstPages[flow.SignUp]
	}
	return p.h.cfg.SignUp
}

// Recovery is where people go who forgot their password; empty for nowhere.
func (p page) Recovery() string {
	if p.recovery {
		return p.h.cfg.Prefix + firstPages[flow.Recovery]
	}
	return ""
}

// Stylesheet is the address of the stylesheet.
func (p page) Stylesheet() string { return p.h.cfg.Prefix + p.h.style.path }

// Script is the address of the script, if the page has a form that needs it; empty for none.
func (p page) Script() string {
	if !p.scripted() {
		return ""
	}
	return p.h.cfg.Prefix + p.h.script.path
}

// scripted reports whether a form of the page is for a script.
func (p page) scripted() bool {
	return p.Card != nil && slices.ContainsFunc(slices.Concat(p.Card.Forms, p.Card.Others), func(f form) bool { return f.Passkey != nil })
}

// OnlyScripted reports whether nothing on the page goes on without the script.
func (p page) OnlyScripted() bool {
	return p.Card != nil && len(p.Card.Forms)+len(p.Card.Others) > 0 &&
		!slices.ContainsFunc(slices.Concat(p.Card.Forms, p.Card.Others), func(f form) bool { return f.Passkey == nil })
}

// loadTemplates parses every page with its parts. A file in override stands in for ours of the same name;
// one that stands in for nothing is a mistake of spelling, and reported.
func loadTemplates(override fs.FS) (templates, error) {
	var problems []error
	texts := map[string]string{}
	for _, name := range slices.Concat(pageNames, partNames) {
		text, err := readTemplate(override, name+".html")
		problems = append(problems, err)
		texts[name] = text
	}
	problems = append(problems, unknownTemplates(override, texts))
	parts := template.New("parts").Option("missingkey=error")
	for _, name := range partNames {
		_, err := parts.New(name + ".html").Parse(texts[name])
		problems = append(problems, err)
	}
	pages := templates{}
	for _, name := range pageNames {
		t, err := parts.Clone()
		problems = append(problems, err)
		if err == nil {
			_, err = t.New(name + ".html").Parse(texts[name])
			problems = append(problems, err)
		}
		pages[name] = t
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("Templates: %w", err)
	}
	return pages, nil
}

// tryTemplates executes each page once with everything in it, so that a replaced template which names what
// there is not is found now, and not by the first person who sees it.
func (h *Handler) tryTemplates() error {
	f := form{Username: "x", Submit: "x", Fold: "x", Context: "x", Hidden: []hidden{{"x", "x"}},
		Passkey: &ceremonyView{Kind: "x", Options: "/", Autofill: true, Like: "x", Errors: []ceremonyError{{"x", "x"}}}, Fields: []field{
			{Name: "x", ID: "x", Label: "x", Type: "password", Value: "x", Autocomplete: "x", InputMode: "x", Rules: "x", Hint: "x", Error: "x", Longest: 1, Required: true, Focus: true},
			{Name: "x", ID: "x", Label: "x", Type: "checkbox", Hint: "x", Checked: true},
		}}
	sample := page{
		lang: h.languages.list[0], h: h, Heading: "x", Trouble: true, Notice: "x", Refresh: "/", SignIn: true, Wide: true,
		Card: &card{
			Lead: "x", Alert: "x", Address: "x", NotYou: &f, Forms: []form{f}, Others: []form{f}, WayOut: &f,
			Providers: &providersView{Form: f, Outside: "x", Style: "secondary", Buttons: []providerButton{{"x", "x"}}},
			Links:     []link{{"/", "x", true}, {"/", "x", false}}, Parts: []part{{"x", "x"}}, Operation: operationSample, Then: "x",
			Pairing: &pairingView{QR: "<svg></svg>", Key: "x", URI: "otpauth://x"}, Recovery: &codesView{Codes: []string{"x"}, File: "data:,x"},
		},
		Account: &accountView{Address: "x", Name: "x", Password: "/", Move: "/", SignOut: f, EndOthers: &f, Sessions: []sessionRow{
			{Network: "x", Keep: true, Current: true}, {Device: device{Phone: true}, End: &f},
		}, Devices: []deviceRow{{Named: true, Current: true}, {Device: device{Phone: true}, Rename: f, Remove: f}}, RemoveAll: &f,
			Factors:     &factorsView{Rows: []factorRow{{Name: "x", Kind: "x", Left: "x", Used: &stamp{}, Rename: &f, Remove: &f}, {}}, Add: []form{f}},
			Connections: &connectionsView{Rows: []connectionRow{{Name: "x", Email: "x", Used: &stamp{}, Remove: f}, {Remove: f}}, Add: []form{f}},
			Activity:    []activityRow{{What: "x", Methods: "x", Device: "x", Network: "x", Times: "x", Attempt: true}, {}}},
	}
	var problems []error
	for _, name := range pageNames {
		problems = append(problems, h.tryTemplate(name, sample))
	}
	return errors.Join(problems...)
}

// operationSample is what a page that confirms something is tried with.
const operationSample = "operation-sample"

// tryTemplate executes one page. A page that asks for a proof must show what that confirms: a card that was replaced
// by an older one would have people confirm what they do not see.
func (h *Handler) tryTemplate(name string, sample page) error {
	var out strings.Builder
	err := h.pages[name].ExecuteTemplate(&out, "layout", sample)
	if err == nil && (name == "flow" || name == "confirm") && !strings.Contains(out.String(), operationSample) {
		return fmt.Errorf("%s does not show .Card.Operation, which people are about to confirm", name)
	}
	return err
}

func readTemplate(override fs.FS, name string) (string, error) {
	if override != nil {
		text, err := fs.ReadFile(override, name)
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	text, err := templateFiles.ReadFile("templates/" + name)
	return string(text), err
}

func unknownTemplates(override fs.FS, known map[string]string) error {
	if override == nil {
		return nil
	}
	files, err := fs.Glob(override, "*.html")
	var problems []error
	for _, file := range files {
		if _, ok := known[strings.TrimSuffix(file, ".html")]; !ok {
			problems = append(problems, fmt.Errorf("%s stands in for nothing; there are only %v", file, slices.Sorted(maps.Keys(known))))
		}
	}
	return errors.Join(append(problems, err)...)
}
