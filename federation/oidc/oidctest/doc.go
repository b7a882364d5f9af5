// Package oidctest is an OpenID provider in software, for tests and for demos. It asks for no password and lets anybody
// in as anybody, so that it refuses to have an issuer that is not on a loopback host.
//
//	op := oidctest.Start(t, oidctest.Config{
//		Clients: []oidctest.Client{{ID: "app", Secret: "…", RedirectURIs: []string{origin + "/auth/provider/test/callback"}}},
//		People:  []oidctest.Person{{Subject: "1", Name: "Alice", Email: "alice@example.com", EmailVerified: true}},
//	})
//	provider, err := oidc.New(oidc.Config{
//		Info: auth.ProviderInfo{ID: "test", Name: "Test"}, Issuer: op.Issuer(), ClientID: "app", ClientSecret: auth.NewSecret("…"),
//		HTTP: federation.ClientConfig{Development: true}, // the issuer is at loopback, by http
//	})
//
// For the rest of a site's addresses, a Client has PostLogoutRedirectURIs, origin + "/auth/signed-out", and a
// BackChannelLogoutURI, origin + "/auth/provider/test/logout".
//
// By default a [Provider] is strict: addresses to the letter, codes that serve once within a minute, to the client, the
// address and the verifier that they were made for, PKCE required, one way for a client to authenticate, the issuer in
// its answers (RFC 9207). Somebody is always signed in, as [Provider.SignIn] says; with Config.Interactive a page asks
// each browser once, and prompt, max_age and acr_values do there what they should.
//
// [Provider.SetMode] makes it do one thing wrong. [Modes] has those of the OpenID Foundation's conformance suite, under
// the suite's names and with what it demands of a relying party, and [Failures] has more. What no mode has,
// [Provider.Alter] does to a token. [Provider.Requests] tells what the provider has seen.
//
// A test that has no browser calls [Provider.Visit], which goes where a relying party would send somebody and returns
// what they would come back with, or follows redirects with an HTTP client; [ReadForm] reads the pages that it meets then.
//
// A demo makes a provider with [New] and serves it. Refresh tokens, logins that the provider initiates, front-channel
// logout, dynamic registration, request objects and encryption are not there.
package oidctest
