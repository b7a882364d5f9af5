package authhttp

import (
	"net/http"
	"net/netip"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Service is what tests put in the place of auth.Service.
type Service = service

// NewWith makes a Handler over a service of the tests' own.
func NewWith(cfg Config, svc Service) (*Handler, error) { return newHandler(cfg, svc) }

// ClientAddress is clientAddress.
func ClientAddress(r *http.Request, proxies []netip.Prefix) netip.Addr {
	return clientAddress(r, proxies)
}

// ParseJSON is parseJSON.
func ParseJSON(body []byte, allowed []string) (map[string]any, error) {
	return parseJSON(body, allowed)
}

// ParseForm is parseForm.
func ParseForm(body string, allowed []string) (map[string]any, error) {
	return parseForm(body, allowed)
}

// BearerToken is bearerToken.
func BearerToken(lines []string) (string, error) { return bearerToken(lines) }

// IsBearer is isBearer.
func IsBearer(line string) bool { return isBearer(line) }

// LocalPath is localPath.
func LocalPath(target string) bool { return localPath(target) }

// FieldNames are all fields that any request may have.
func FieldNames() []string {
	var names []string
	for name := range fieldKinds {
		names = append(names, name)
	}
	return names
}

// Texts returns a catalogue of this package.
func Texts(tag string) map[string]string {
	l, err := newLanguages("en", nil)
	if err != nil {
		panic(err)
	}
	return l.find(tag).texts
}

// Style returns the stylesheet.
func Style() string { return styleFile }

// Script is the script of pages with passkeys.
var Script = scriptFile

// TemplateFiles are the templates of this package.
var TemplateFiles = templateFiles

// Statuses is the table of statuses.
func Statuses() map[flow.Reason]int { return statuses }

// MatchedLimit is matchedLimit.
const MatchedLimit = matchedLimit

// Match returns the language that answers an Accept-Language.
func (h *Handler) Match(accept string) string { return h.languages.match(accept).tag.String() }

// Matched is how many Accept-Languages are remembered.
func (h *Handler) Matched() int { return len(h.languages.matched) }

// Fill is fill.
func Fill(text string, pairs ...string) string { return fill(text, pairs) }

// Cookie is cookie.
func Cookie(r *http.Request, name string) string { return cookie(r, name) }
