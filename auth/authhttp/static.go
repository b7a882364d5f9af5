package authhttp

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
)

//go:embed static/style.css
var styleFile string

//go:embed static/passkeys.js
var scriptFile string

// staticPath is where the files of pages are.
const staticPath = "/static/"

// static is a file under a name that changes with its text.
type static struct {
	prefix, suffix string // of its path; its hash is between
	path           string
	mediaType      string
	text           []byte
}

func newStatic(name, suffix, mediaType, text string) static {
	sum := sha256.Sum256([]byte(text))
	s := static{prefix: staticPath + name + "-", suffix: suffix, mediaType: mediaType, text: []byte(text)}
	s.path = s.prefix + hex.EncodeToString(sum[:8]) + suffix
	return s
}

// newStylesheet is the CSS of all pages.
func newStylesheet(whole, theme string) static {
	if whole == "" {
		whole = styleFile
	}
	if theme != "" {
		whole += "\n" + theme
	}
	return newStatic("style", ".css", "text/css; charset=utf-8", whole)
}

// newScript is the script of pages that offer passkeys.
func newScript() static {
	return newStatic("passkeys", ".js", "text/javascript; charset=utf-8", scriptFile)
}

// is reports whether the path, without the prefix, is one of the file: of this text or of another version's.
func (s static) is(path string) bool {
	return strings.HasPrefix(path, s.prefix) && strings.HasSuffix(path, s.suffix)
}

// show serves the file. Its name has its hash in it and so it never changes; asked for under another hash (a page of
// the version before, or of the next one, during a deployment) it is served all the same, but not to be kept.
func (s static) show(x *exchange) error {
	header := x.w.Header()
	header.Set("Content-Type", s.mediaType)
	if x.r.URL.Path == x.path(s.path) {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	return x.write(200, s.text)
}
