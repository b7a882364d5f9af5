package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/standard"
)

// demo are accounts to try the pages with. Their passwords are public: never open them on a site of your own.
var demo = []auth.NewAccount{
	{Identifier: "ada@example.com", Name: "Ada", Password: auth.NewSecret("kettle orbit velvet ninety")},
	{Identifier: "grace@example.com", Name: "Grace", Password: auth.NewSecret("harbor pencil mosaic eleven")},
}

func init() {
	prepare = func(ctx context.Context, site *standard.Site, mux *http.ServeMux) {
		fmt.Println("Sign in with one of these:")
		for _, account := range demo {
			_, err := site.Service.CreateAccount(ctx, account)
			if err != nil && !errors.Is(err, flow.Deny(flow.AddressTaken)) {
				log.Fatal(err)
			}
			fmt.Printf("  %-18s %s\n", account.Identifier, account.Password.Reveal())
		}
		if *invite != "" {
			welcome(ctx, site)
		}
		mux.Handle("GET /{$}", site.Require(frontPage(site)))
		addNote(site, mux)
		if !server.set() {
			mux.HandleFunc("GET /outbox", outboxPage)
		}
	}
}

// welcome invites somebody. Whoever was invited before, and did not come, is sent a new link at every start.
func welcome(ctx context.Context, site *standard.Site) {
	switch _, err := site.Service.Invite(ctx, auth.NewAccount{Identifier: *invite}); {
	case err == nil:
		fmt.Printf("Or begin as %s, who is invited: the link is in the mail.\n", *invite)
	case !errors.Is(err, flow.Deny(flow.AddressTaken)):
		log.Fatal(err)
	}
}
