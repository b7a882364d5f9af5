package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/standard"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
	"github.com/cardea-auth/cardea/federation/oidc/oidctest"
)

// People can connect an OpenID provider in their account and then sign in with it: the one of the flags or, without
// them, one that runs in this very process and lets everybody in as anybody.
var own = openIDProvider{
	issuer: flag.String("oidc-issuer", "", "let people connect the OpenID provider with this `issuer`, instead of one that comes with the site"),
	client: flag.String("oidc-client", "quickstart", "the `id` that the provider knows this site by"),
	secret: flag.String("oidc-secret-file", "", "the `file` with the secret that goes with it"),
	name:   flag.String("oidc-name", "OpenID", "the `name` that people know the provider by"),
}

type openIDProvider struct{ issuer, client, secret, name *string }

// connect adds the provider to the site. Origin is where the site is.
func (p openIDProvider) connect(c *standard.Config) error {
	if *p.issuer == "" {
		return p.connectDemo(c)
	}
	config := oidc.Config{
		Info: auth.ProviderInfo{ID: "openid", Name: *p.name, Reauthenticates: true}, Issuer: *p.issuer, ClientID: *p.client,
		HTTP: federation.ClientConfig{Development: strings.HasPrefix(*p.issuer, "http://")},
	}
	if *p.secret != "" {
		text, err := os.ReadFile(*p.secret)
		if err != nil {
			return err
		}
		config.ClientSecret = auth.NewSecret(strings.TrimRight(string(text), "\r\n"))
	}
	provider, err := oidc.New(config)
	if err != nil {
		return err
	}
	c.Providers = append(c.Providers, provider)
	fmt.Printf("At %s/auth/account people can connect %s, which sends them back to %[1]s/auth/provider/openid/callback.\n", c.Origin, *p.name)
	return nil
}

// connectDemo starts a provider at the next port. It is at 127.0.0.1 while the site is at localhost, so to a browser the
// two are different sites, as they are in the wild. If the port is taken, the site does without.
func (p openIDProvider) connectDemo(c *standard.Config) error {
	_, port, _ := strings.Cut(strings.TrimPrefix(c.Origin, "http://"), ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(number+1)))
	if err != nil {
		fmt.Printf("There is no provider to sign in with: %s.\n", err)
		return nil
	}
	secret, callback := rand.Text(), c.Origin+"/auth/provider/demo"
	issuer := "http://" + listener.Addr().String()
	demo, err := oidctest.New(oidctest.Config{
		Issuer: issuer, Interactive: true,
		Clients: []oidctest.Client{{
			ID: "quickstart", Name: c.Product, Secret: secret, RedirectURIs: []string{callback + "/callback"},
			PostLogoutRedirectURIs: []string{c.Origin + "/auth/signed-out"}, BackChannelLogoutURI: callback + "/logout",
		}},
		People: []oidctest.Person{
			{Subject: "248289761001", Name: "Ada Lovelace", Email: "ada@id.example", EmailVerified: true},
			{Subject: "248289761002", Name: "Grace Hopper", Email: "grace@id.example", EmailVerified: true},
		},
	})
	if err != nil {
		return err
	}
	provider, err := oidc.New(oidc.Config{
		Info: auth.ProviderInfo{ID: "demo", Name: "Demo ID", Reauthenticates: true}, Issuer: issuer, ClientID: "quickstart",
		ClientSecret: auth.NewSecret(secret), HTTP: federation.ClientConfig{Development: true},
	})
	if err != nil {
		return err
	}
	c.Providers = append(c.Providers, provider)
	go func() { log.Print((&http.Server{Handler: demo, ReadHeaderTimeout: 10 * time.Second}).Serve(listener)) }()
	fmt.Printf("At %s/auth/account people can connect Demo ID, a provider at %s, and then sign in with it.\n", c.Origin, issuer)
	return nil
}
