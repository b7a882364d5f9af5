package webauthn

import _ "embed"

//go:embed webauthn.js
var script string

// Script returns the script that a page with passkeys needs, to be served from the page's own origin as
// text/javascript; it needs no more of a content security policy than script-src 'self' and, where it fetches
// options, connect-src 'self'. What it expects of a page is written at its top.
func Script() string { return script }
