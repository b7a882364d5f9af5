package webauthn_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/webauthn"
)

var _ auth.Reporter = (*webauthn.RelyingParty)(nil)

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := webauthn.New(webauthn.Config{
		Origin: "http://app.example", Algorithms: []webauthn.Algorithm{-7, -7, -65535}, Timeout: time.Second,
	})
	for _, part := range []string{
		"webauthn: invalid Config:", "Keys are required", `Origin is "http://app.example"; it must be https`, "Product has 0 bytes",
		"Algorithms has ES256 twice", "Algorithms has -65535", "Timeout is 1s",
	} {
		require.ErrorContains(t, err, part)
	}
	for field, change := range map[string]func(*webauthn.Config){
		"RPID":       func(c *webauthn.Config) { c.RPID = "example" },
		"Product":    func(c *webauthn.Config) { c.Product = strings.Repeat("x", 65) },
		"Product ":   func(c *webauthn.Config) { c.Product = "a\nb" },
		"Algorithms": func(c *webauthn.Config) { c.Algorithms = []webauthn.Algorithm{} },
		"Timeout":    func(c *webauthn.Config) { c.Timeout = 5*time.Minute + 1 },
		"Timeout ":   func(c *webauthn.Config) { c.Timeout = -1 },
	} {
		c := config(t)
		change(&c)
		_, err := webauthn.New(c)
		require.ErrorContains(t, err, "webauthn: invalid Config: "+field)
	}
}

func TestOrigins(t *testing.T) {
	for origin, id := range map[string]string{
		"https://app.example": "app.example", "https://app.example/": "app.example", "https://app.example:8443": "app.example",
		"http://localhost:8080": "localhost", "http://localhost": "localhost", "http://shop.localhost:1": "shop.localhost",
		"https://xn--bcher-kva.example": "xn--bcher-kva.example",
	} {
		c := config(t)
		c.Origin, c.RPID = origin, ""
		rp, err := webauthn.New(c)
		require.NoError(t, err, origin)
		ceremony, err := rp.BeginDiscoverable(false, now)
		require.NoError(t, err)
		require.Equal(t, id, read(t, ceremony).RPID)
	}
	for _, origin := range []string{
		"", "app.example", "http://app.example", "ftp://app.example", "https://", "https://app.example/login", "https://app.example//",
		"https://app.example?x", "https://app.example#x", "https://user@app.example", "https://App.example", "HTTPS://app.example",
		"https://app.example:443", "http://localhost:80", "https://app.example:", "https://192.0.2.1", "https://[2001:db8::1]", "http://127.0.0.1:8080",
		"http://[::1]:8080", "https://b\u00fccher.example", "https://app.example.", "https://-app.example", "https://a_b.example",
		"https://app..example", "http://localhost.evil.example", "https://" + strings.Repeat("a", 64) + ".example",
		"https://" + strings.Repeat("a.", 127) + "example", "https://app.example\x00", "https://app.example ",
	} {
		c := config(t)
		c.Origin, c.RPID = origin, ""
		_, err := webauthn.New(c)
		require.ErrorContains(t, err, "Origin is ", origin)
	}
	for id, ok := range map[string]bool{
		"login.app.example": true, "app.example": true, "example": false, "p.example": false, ".app.example": false, "evil.example": false,
		"x.login.app.example": false, "App.example": false, "app.example.": false, "localhost": false, "https://app.example": false,
	} {
		c := config(t)
		c.RPID = id
		_, err := webauthn.New(c)
		require.Equal(t, ok, err == nil, id)
	}
}

func TestOptions(t *testing.T) {
	c := config(t)
	c.Random = strings.NewReader(strings.Repeat("0123456789abcdef", 100))
	rp, err := webauthn.New(c)
	require.NoError(t, err)
	old := []webauthn.Credential{{ID: []byte("sixteen bytes id"), Account: "ann", UserHandle: []byte("handle"), Transports: []string{"usb", "nfc"}}}
	create, err := rp.BeginRegistration(webauthn.Registrant{Account: "ann", Name: "ann@mail.example", DisplayName: "Ann </script>", Credentials: old}, now)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"rp": {"id": "app.example", "name": "Example"},
		"user": {"id": "aGFuZGxl", "name": "ann@mail.example", "displayName": "Ann </script>"},
		"challenge": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
		"pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -257}],
		"timeout": 300000,
		"excludeCredentials": [{"type": "public-key", "id": "c2l4dGVlbiBieXRlcyBpZA", "transports": ["nfc", "usb"]}],
		"authenticatorSelection": {"residentKey": "required", "requireResidentKey": true, "userVerification": "preferred"},
		"attestation": "none"}`, string(create.Options))
	require.NotContains(t, string(create.Options), "<", "it can stand in a page")
	second, err := rp.BeginRegistration(webauthn.Registrant{Account: "bob", Name: "bob", AllowNonDiscoverable: true}, now)
	require.NoError(t, err)
	o := read(t, second)
	require.Equal(t, "preferred", o.AuthenticatorSelection.ResidentKey)
	require.False(t, o.AuthenticatorSelection.RequireResidentKey)
	require.Equal(t, "bob", o.User.DisplayName)
	require.Equal(t, "[]", string(mustField(t, second.Options, "excludeCredentials")))
	get, err := rp.BeginAssertion(webauthn.Claimant{Account: "ann", Credentials: old}, now)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"challenge": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "timeout": 300000, "rpId": "app.example",
		"allowCredentials": [{"type": "public-key", "id": "c2l4dGVlbiBieXRlcyBpZA", "transports": ["nfc", "usb"]}],
		"userVerification": "preferred"}`, string(get.Options))
	for _, ceremony := range []webauthn.Ceremony{create, second, get} {
		require.NotContains(t, string(ceremony.Options), string(ceremony.State))
	}
}

func TestWhatCannotBegin(t *testing.T) {
	w := newWorld(t)
	anns := webauthn.Credential{ID: []byte("sixteen bytes id"), Account: "ann"}
	for why, who := range map[string]webauthn.Registrant{
		"no account": {Name: "ann"}, "no name": {Account: "ann"}, "long": {Account: "ann", Name: strings.Repeat("x", 257)},
		"controls": {Account: "ann", Name: "a\x00"}, "no UTF-8": {Account: "ann", Name: "\xff"}, "display": {Account: "ann", Name: "a", DisplayName: "\u0085"},
		"somebody else's": {Account: "eve", Name: "eve", Credentials: []webauthn.Credential{anns}},
		"too many":        {Account: "ann", Name: "ann", Credentials: slices.Repeat([]webauthn.Credential{anns}, 65)},
	} {
		c, err := w.rp.BeginRegistration(who, now)
		fault(t, err, "webauthn: begin registration: ")
		require.Zero(t, c, why)
	}
	for why, who := range map[string]webauthn.Claimant{
		"no account": {Identifier: "x"}, "no decoys": {Account: "ann"}, "somebody else's": {Account: "eve", Credentials: []webauthn.Credential{anns}},
		"too many": {Account: "ann", Credentials: slices.Repeat([]webauthn.Credential{anns}, 65)},
	} {
		c, err := w.rp.BeginAssertion(who, now)
		fault(t, err, "webauthn: begin assertion: ")
		require.Zero(t, c, why)
	}
	full, err := w.rp.BeginAssertion(webauthn.Claimant{Account: "ann", Credentials: slices.Repeat([]webauthn.Credential{anns}, 64)}, now)
	require.NoError(t, err)
	require.Less(t, len(full.State), 8<<10)

	broken := newWorld(t, func(c *webauthn.Config) { c.Random = iotest.ErrReader(errors.New("broken")) })
	_, err = broken.rp.BeginDiscoverable(false, now)
	fault(t, err, "broken")
	_, err = broken.rp.BeginAssertion(webauthn.Claimant{Account: "ann", Identifier: "ann"}, now)
	fault(t, err, "broken")
	_, err = broken.rp.BeginRegistration(webauthn.Registrant{Account: "ann", Name: "ann"}, now)
	fault(t, err, "broken")
}

// What the caller kept is not what a stranger sent: if it cannot be read, that is a fault.
func TestStates(t *testing.T) {
	w, d := newWorld(t), newDevice(webauthn.ES256)
	w.enrol("ann", d)
	c := w.beginDiscover()
	edit := func(change func(map[string]any)) string {
		var m map[string]any
		require.NoError(t, json.Unmarshal(c.State, &m))
		change(m)
		text, err := json.Marshal(m)
		require.NoError(t, err)
		return string(text)
	}
	for why, state := range map[string]string{
		"nothing": "", "null": "null", "an empty one": "{}", "the options": string(c.Options), "cut": string(c.State[:20]),
		"another version": edit(func(m map[string]any) { m["v"] = 2 }),
		"no challenge":    edit(func(m map[string]any) { delete(m, "challenge") }),
		"an empty one ":   edit(func(m map[string]any) { m["challenge"] = "" }),
		"an unknown rule": edit(func(m map[string]any) { m["must"] = true }),
	} {
		forged := webauthn.Ceremony{Options: c.Options, State: []byte(state)}
		_, err := w.get(forged, d, set("challenge", ""))
		fault(t, err, "webauthn: the state")
		_, err = w.create("ann", forged, newDevice(webauthn.ES256))
		fault(t, err, "webauthn: the state")
		require.NotContains(t, err.Error(), read(t, c).Challenge, why)
	}
	for _, kind := range []string{"", "GET", "none"} {
		_, err := w.get(webauthn.Ceremony{Options: c.Options, State: []byte(edit(func(m map[string]any) { m["kind"] = kind }))}, d)
		refused(t, err, webauthn.WrongCeremony)
	}
}

func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range webauthn.Reasons() {
		require.Regexp(t, `\A[a-z]+(-[a-z]+)*\z`, r.String())
		require.False(t, seen[r.String()])
		seen[r.String()] = true
		err := error(&webauthn.RefusedError{Reason: r, Account: "ann", CredentialID: []byte("id")})
		require.ErrorIs(t, errors.Join(errors.New("x"), err), &webauthn.RefusedError{Reason: r})
		require.NotErrorIs(t, err, &webauthn.RefusedError{Reason: r + 1})
		require.NotContains(t, err.Error(), "ann")
	}
	require.Len(t, seen, int(webauthn.CounterWentBack))
	require.Equal(t, "reason-200", webauthn.Reason(200).String())
	require.Empty(t, webauthn.Reason(0).String())
	require.Equal(t, "Algorithm(5)", webauthn.Algorithm(5).String())
}

func TestReport(t *testing.T) {
	text, err := json.Marshal(newWorld(t).rp.Report())
	require.NoError(t, err)
	for _, part := range []string{"app.example", "https://login.app.example", `"5 minutes"`, "asked for; demanded where two factors are"} {
		require.Contains(t, string(text), part)
	}
	text, err = json.Marshal(newWorld(t, func(c *webauthn.Config) { c.RequireVerification = true }).rp.Report())
	require.NoError(t, err)
	require.Contains(t, string(text), "demanded always")
}
