package main

import (
	"context"
	"errors"
	"fmt"
	"log"

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
	prepare = func(ctx context.Context, site *standard.Site) {
		fmt.Println("Sign in with one of these:")
		for _, account := range demo {
			_, err := site.Service.CreateAccount(ctx, account)
			if err != nil && !errors.Is(err, flow.Deny(flow.AddressTaken)) {
				log.Fatal(err)
			}
			fmt.Printf("  %-18s %s\n", account.Identifier, account.Password.Reveal())
		}
	}
}
