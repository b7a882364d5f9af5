package main

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// device is an authenticator that Chromium plays.
type device struct {
	b  *browser
	id webauthn.AuthenticatorID
}

// platform is one that is built into a computer: it keeps passkeys and verifies its user.
var platform = webauthn.VirtualAuthenticatorOptions{
	Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
	HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
}

// securityKey is one that is plugged in, has no room for passkeys and knows nobody.
var securityKey = webauthn.VirtualAuthenticatorOptions{
	Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb, AutomaticPresenceSimulation: true,
}

// plug lets the browser run the pages' script, and gives it an authenticator.
func (b *browser) plug(o webauthn.VirtualAuthenticatorOptions) device {
	b.t.Helper()
	b.scripts = true
	b.runScripts(true)
	call(b, webauthn.Enable, webauthn.EnableParams{})
	return device{b, call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &o}).AuthenticatorID}
}

// keys are what the device keeps.
func (d device) keys() []*webauthn.Credential {
	d.b.t.Helper()
	return call(d.b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: d.id}).Credentials
}

// give copies what the device keeps to the device of another browser.
func (d device) give(to device) {
	d.b.t.Helper()
	for _, key := range d.keys() {
		call(to.b, addCredential, givenKey{to.id, credential{
			key.CredentialID, key.IsResidentCredential, key.RpID, key.PrivateKey, key.UserHandle, key.SignCount,
		}})
	}
}

// addCredential is webauthn.AddCredential without members that only newer browsers know.
var addCredential = cdp.Command[givenKey, cdp.Empty]{Method: webauthn.AddCredential.Method}

type givenKey struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      credential               `json:"credential"`
}

type credential struct {
	CredentialID         []byte  `json:"credentialId"`
	IsResidentCredential bool    `json:"isResidentCredential"`
	RPID                 string  `json:"rpId"`
	PrivateKey           []byte  `json:"privateKey"`
	UserHandle           []byte  `json:"userHandle,omitempty"`
	SignCount            float64 `json:"signCount"`
}

// touched says whether somebody touches the device whenever it asks.
func (d device) touched(so bool) {
	d.b.t.Helper()
	call(d.b, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: d.id, Enabled: so})
}

func (d device) lies(about webauthn.SetResponseOverrideBitsParams) {
	d.b.t.Helper()
	about.AuthenticatorID = d.id
	call(d.b, webauthn.SetResponseOverrideBits, about)
}

// addPasskey is the button that leads to a new passkey.
const addPasskey = `form[action="/auth/factors/add"]:has(input[value="passkey"]) button`

// addPasskey adds the one that the browser's device makes to the account that it is signed in to.
func (b *browser) addPasskey(name string) {
	b.t.Helper()
	b.visit("/auth/account")
	b.press(addPasskey)
	require.Equal(b.t, b.texts["need.new-factor.send-passkey.title"], b.text("h1"))
	b.look("passkey-add")
	b.write("name", name)
	b.press("form[data-passkey] button")
	require.Equal(b.t, b.texts["notice.factor-added"], b.text(".notice"))
	require.Contains(b.t, b.text("table[aria-labelledby=factors]"), name)
}

// waitFor waits until the expression about the page is true, whatever pages lead there.
func (b *browser) waitFor(expression string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)) // an error is a page on its way
		return err == nil && is
	}, 20*time.Second, 50*time.Millisecond, expression)
}

// TestPasskeysInABrowser adds a passkey and signs in with it: by the button, by what the address field offers, and
// beside a password.
func TestPasskeysInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startSite(t)
			b := openBrowser(t, s, language)
			laptop := b.plug(platform)
			b.signIn(ada, false)
			b.addPasskey("Laptop")
			b.look("passkeys")
			require.Len(t, laptop.keys(), 1)
			require.True(t, laptop.keys()[0].IsResidentCredential)
			require.Equal(t, "localhost", laptop.keys()[0].RpID)

			b.visit("/auth/account")
			b.press(addPasskey)
			b.do(chromedp.Click(chromedp.CSS("form[data-passkey] button"), chromedp.NodeVisible))
			b.waitFor(`!document.querySelector('[data-passkey-error="registered"]').hidden`)
			require.Equal(t, b.texts["passkey.registered"], b.text(`[data-passkey-error="registered"]`), "a second one on the same device would replace the first")
			b.look("passkey-twice")

			other := b.another()
			pocket := other.plug(platform)
			other.visit(secretPage)
			other.waitFor(`!document.querySelector("form[data-passkey]").hidden`)
			require.Equal(t, "username webauthn", other.attribute(`input[name="identifier"]`, "autocomplete"))
			require.Equal(t, b.texts["submit.identification.send-passkey"], other.text("form[data-passkey] button"))
			other.look("sign-in-passkey")
			laptop.give(pocket)
			other.press("form[data-passkey] button")
			require.Equal(t, secretPage, other.path(), "signed in, without an address or a password")
			require.Contains(t, other.text("body"), "Only you see this")

			// Chromium plays somebody who takes whatever the address field offers.
			third := b.another()
			pocket.give(third.plug(platform))
			third.visit(secretPage)
			third.waitFor(`document.body.innerText.includes("Only you see this")`)
			require.Equal(t, secretPage, third.path())

			b.visit("/auth/account")
			b.press(`form[action="/auth/factors/remove"] button`)
			b.press("form.primary button")
			require.Equal(t, b.texts["notice.factor-removed"], b.text(".notice"))
			third.visit(secretPage)
			third.waitFor(`document.querySelector("[role=alert]:not([hidden])") !== null`)
			require.Equal(t, b.texts["reason.passkey-refused"], third.text("[role=alert]:not([hidden])"), "the session has ended, and the passkey is worth nothing")
			require.NotContains(t, third.text("body"), "Only you see this")
			third.look("passkey-removed")
		})
	}
}

// TestLyingAuthenticatorsInABrowser: what an authenticator only claims, or somebody else's says, signs nobody in.
func TestLyingAuthenticatorsInABrowser(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startSite(t)
			b := openBrowser(t, s, language)
			laptop := b.plug(platform)
			b.signIn(ada, false)
			b.addPasskey("Laptop")
			eve := b.another()
			hers := eve.plug(platform)
			eve.signIn(grace, false)
			eve.addPasskey("Eve's")

			other := b.another()
			pocket := other.plug(platform)
			other.visit(secretPage)
			other.identify(grace.address, false) // which is no more than a hint
			laptop.give(pocket)
			pocket.lies(webauthn.SetResponseOverrideBitsParams{IsBogusSignature: &yes})
			other.press("form[data-passkey] button")
			other.refused("a bogus signature")
			pocket.lies(webauthn.SetResponseOverrideBitsParams{IsBogusSignature: &no, IsBadUP: &yes})
			other.press("form[data-passkey] button")
			other.refused("nobody was there")
			pocket.lies(webauthn.SetResponseOverrideBitsParams{IsBadUP: &no, IsBadUV: &yes})
			other.press("form[data-passkey] button")
			require.Equal(t, b.texts["need.second-factor.title"], other.text("h1"), "without verification it is one factor, and a password goes with it")
			require.Equal(t, ada.address, other.text(".chip .who"))
			other.look("passkey-unverified")
			other.prove(ada.password)
			require.Equal(t, secretPage, other.path())

			// The password is known, and the passkey is somebody else's: the browser is asked for the account's own.
			thief := b.another()
			stolen := thief.plug(platform)
			hers.give(stolen)
			stolen.touched(false)
			thief.visit("/auth/account")
			thief.identify(ada.address, false)
			thief.prove(ada.password)
			require.Equal(t, b.texts["need.second-factor.send-passkey.title"], thief.text("h1"))
			thief.look("second-factor-passkey")
			stolen.touched(true)
			thief.do(chromedp.Click(chromedp.CSS("form[data-passkey] button"), chromedp.NodeVisible))
			thief.waitFor(`!document.querySelector('[data-passkey-error="cancelled"]').hidden`)
			require.Equal(t, b.texts["passkey.cancelled"], thief.text(`[data-passkey-error="cancelled"]`))
			require.Nil(t, thief.cookie("cardea-session"))
			thief.look("passkey-cancelled")
		})
	}
}

// TestSecurityKeysInABrowser: one that knows nobody stands beside a password, and its user's verification is not
// taken from it where two factors are due at once.
func TestSecurityKeysInABrowser(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	b := openBrowser(t, s, "en")
	key := b.plug(securityKey)
	b.signIn(ada, false)
	b.addPasskey("Key")
	require.Len(t, key.keys(), 1)
	require.False(t, key.keys()[0].IsResidentCredential)

	other := b.another()
	key.give(other.plug(securityKey))
	other.toSecondFactor(ada)
	require.Equal(t, b.texts["need.second-factor.send-passkey.title"], other.text("h1"))
	other.press("form[data-passkey] button")
	require.Equal(t, secretPage, other.path())
}

// refused checks that the passkey was worth nothing, and that the page leads on.
func (b *browser) refused(why string) {
	b.t.Helper()
	require.Equal(b.t, b.texts["reason.passkey-refused"], b.text("[role=alert]:not([hidden])"), why)
	require.Nil(b.t, b.cookie("cardea-session"), why)
	b.waitFor(`!document.querySelector("form[data-passkey]").hidden`)
}
