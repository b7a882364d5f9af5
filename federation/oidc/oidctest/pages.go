package oidctest

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the pages
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

//go:embed pages/page.html
var pageText string

//go:embed pages/style.css
var styleText string

// submit is all the script that there is: it sends the form of form_post.
const submit = "document.forms[0].submit()"

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what a page shows. Its Kind is ask, post, leave, left or error.
type page struct {
	Kind    string
	Action  string
	Request string
	Client  string
	People  []Person
	Fields  url.Values
	Locales string
	Code    string
	Reason  string

	Lang   string
	T      texts
	Style  template.CSS
	Script template.JS
}

// texts are what a page says.
type texts struct {
	Brand, Title, Lead, Continue, Cancel, NoScript, Go, Note string
}

// Lead says who asks.
func (p page) Lead() string { return strings.ReplaceAll(p.T.Lead, "{client}", p.Client) }

// Continue is what a person's button says.
func (p page) Continue(name string) string { return strings.ReplaceAll(p.T.Continue, "{name}", name) }

func english(kind string) texts {
	t := texts{
		Brand: "Test provider", Note: "For tests and demos only: no password is asked for, and anybody can be anybody.",
		Lead: "{client} asks who you are.", Continue: "Continue as {name}", Cancel: "Cancel", Go: "Continue",
		NoScript: "One more step leads back to where you came from.",
	}
	switch kind {
	case "ask":
		t.Title = "Who is signing in?"
	case "post":
		t.Title = "One moment"
	case "leave":
		t.Title, t.Go = "Sign out of the test provider?", "Sign out"
	case "left":
		t.Title = "You are signed out"
	default:
		t.Title = "This request cannot be answered"
	}
	return t
}

func german(kind string) texts {
	t := texts{
		Brand: "Test-Anbieter", Note: "Nur für Tests und Vorführungen: Es wird kein Passwort verlangt, und jeder kann jeder sein.",
		Lead: "{client} möchte wissen, wer Sie sind.", Continue: "Weiter als {name}", Cancel: "Abbrechen", Go: "Weiter",
		NoScript: "Noch ein Schritt führt dorthin zurück, woher Sie kamen.",
	}
	switch kind {
	case "ask":
		t.Title = "Wer meldet sich an?"
	case "post":
		t.Title = "Einen Moment"
	case "leave":
		t.Title, t.Go = "Beim Test-Anbieter abmelden?", "Abmelden"
	case "left":
		t.Title = "Sie sind abgemeldet"
	default:
		t.Title = "Diese Anfrage lässt sich nicht beantworten"
	}
	return t
}

// show writes a page. There is no form-action in its policy: browsers apply that to where an answer to a form leads as
// well, which is to a client.
func (p *Provider) show(w http.ResponseWriter, r *http.Request, status int, shown page) {
	shown.Lang, shown.T = "en", english(shown.Kind)
	if prefersGerman(shown.Locales, r.Header.Get("Accept-Language")) {
		shown.Lang, shown.T = "de", german(shown.Kind)
	}
	shown.Style, shown.Script = template.CSS(styleText), template.JS(submit)
	policy := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src " + hashSource(styleText)
	if shown.Kind == "post" {
		policy += "; script-src " + hashSource(submit)
	}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, shown); err != nil {
		http.Error(w, "oidctest: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "strict-origin") // with no-referrer the form of form_post would come from the origin "null"
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

func (p *Provider) showError(w http.ResponseWriter, r *http.Request, bad *refusal) {
	p.show(w, r, bad.status, page{Kind: "error", Code: bad.code, Reason: bad.reason, Locales: r.Form.Get("ui_locales")})
}

// hashSource names an inline style or script in a policy.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// prefersGerman reports whether somebody wants German rather than English: by ui_locales, else by Accept-Language.
func prefersGerman(locales, accept string) bool {
	for _, tag := range strings.Fields(strings.ToLower(locales)) {
		switch base, _, _ := strings.Cut(tag, "-"); base {
		case "de":
			return true
		case "en":
			return false
		}
	}
	best := map[string]float64{}
	for _, part := range strings.Split(strings.ReplaceAll(strings.ToLower(accept), " ", ""), ",") {
		tag, weight, weighted := strings.Cut(part, ";q=")
		base, _, _ := strings.Cut(tag, "-")
		q := 1.0
		if weighted {
			q, _ = strconv.ParseFloat(weight, 64)
		}
		best[base] = max(best[base], q)
	}
	return best["de"] > best["en"]
}
