package oidctest

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Answer is what somebody brings back to a client.
type Answer struct {
	RedirectURI string     // without its query
	Values      url.Values // in the address, what its query had before as well
	Posted      bool       // by form_post, else in the address
}

// Visit goes to the address that a client sends somebody to, and returns what they come back with. It is a browser
// without cookies. It returns an error if the provider shows a page instead, which it does to whom it cannot trust or
// does not know.
func (p *Provider) Visit(address string) (Answer, error) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("oidctest: visit: %w", err)
	}
	if !strings.HasPrefix(address, p.cfg.Issuer+"/") {
		return Answer{}, fmt.Errorf("oidctest: visit: %q is not below the issuer", address)
	}
	w := &memory{header: http.Header{}, status: http.StatusOK}
	p.ServeHTTP(w, r)
	if location := w.header.Get("Location"); location != "" {
		u, err := url.Parse(location)
		if err != nil {
			return Answer{}, fmt.Errorf("oidctest: visit: %w", err)
		}
		values := u.Query()
		u.RawQuery = ""
		return Answer{u.String(), values, false}, nil
	}
	form, err := ReadForm(w.body.String())
	if err != nil || w.status != http.StatusOK || form.Fields.Has("request") {
		return Answer{}, fmt.Errorf("oidctest: visit: the provider shows a page, with status %d: %s", w.status, w.body.String())
	}
	return Answer{form.Action, form.Fields, true}, nil
}

// memory is a response that is kept.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header.
func (m *memory) Header() http.Header { return m.header }

// WriteHeader keeps the status.
func (m *memory) WriteHeader(status int) { m.status = status }

// Write keeps the text.
func (m *memory) Write(b []byte) (int, error) { return m.body.Write(b) }

// Form is the form of a page of the provider: the one that a browser sends by itself with form_post, or the one that
// asks who it is, where a button is a Field that is to be added.
type Form struct {
	Action  string
	Fields  url.Values
	Buttons []url.Values
}

var (
	formTag   = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	inputTag  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	buttonTag = regexp.MustCompile(`<button(?: class="[a-z]+")? name="([^"]*)" value="([^"]*)">`)
)

// ReadForm reads the form of a page of this provider. It reads no other pages.
func ReadForm(text string) (Form, error) {
	m := formTag.FindStringSubmatch(text)
	if m == nil {
		return Form{}, errors.New("oidctest: the page has no form of the provider's")
	}
	f := Form{Action: html.UnescapeString(m[1]), Fields: url.Values{}}
	for _, m := range inputTag.FindAllStringSubmatch(text, -1) {
		f.Fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for _, m := range buttonTag.FindAllStringSubmatch(text, -1) {
		f.Buttons = append(f.Buttons, url.Values{html.UnescapeString(m[1]): {html.UnescapeString(m[2])}})
	}
	return f, nil
}
