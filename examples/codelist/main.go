// Codelist is a site whose people sign in with a password and the next code of a numbered list, which an office
// prints on a card and hands over:
//
//	go run ./examples/codelist
//
// It shows how a host brings a second factor of its own. Three things make one:
//
//  1. What is issued, and to whom (office.go): cards with twenty codes each, of which the office keeps hashes, and
//     the name of the account that a card was handed out to. In a real site that is a table.
//  2. An auth.HostFactor (factor.go), which answers two questions about a code that was typed: does it show that the
//     person has the card of this account (Enrol), and is it one of the next codes of it (Check). Nothing more: that a
//     code works once, how often somebody may guess, what is asked for when, and who is told by mail is the library's.
//  3. One field of auth.Config, and the words in which the pages speak of cards (below).
//
// The tests run authtest.RunHostFactor, which tells you when a factor of your own is done.
//
// The program prints two people with their passwords and their cards. Sign in as one of them: your account must have
// a second factor, so the page asks for the first code of the card, and from then on for the next one at each
// sign-in. Accounts and cards are new each time. Never let strangers reach it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/standard"
	_ "modernc.org/sqlite"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "listen on this address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// words are what the pages say instead of "your organisation's code". A site in two languages has them in both.
var words = map[string]string{
	"method.host-factor":                      "Code card",
	"account.add-host-factor":                 "Add a code card",
	"need.second-factor.host-factor.title":    "Enter the next code of your card",
	"input.code.host-factor":                  "Next code of your card",
	"fold.host-factor":                        "Use your code card",
	"need.new-factor.enrol-host-factor.title": "Add your code card",
	"need.new-factor.enrol-host-factor.lead":  "Type the first code of the card that the office gave you, and cross it out.",
	"input.code.enrol-host-factor":            "First code of your card",
	"input.name.enrol-host-factor":            "Where you keep it (optional)",
	"fold.enrol-host-factor":                  "Add a code card",
}

// open assembles the site, and the office whose cards are its second factor.
func open(ctx context.Context, origin, folder string) (*standard.Site, *office, error) {
	var cards *office
	site, err := standard.Open(ctx, standard.Config{
		Origin: origin, Product: "Codelist", Driver: "sqlite", Database: filepath.Join(folder, "codelist.db"),
		Service: func(c *auth.Config) {
			cards = newOffice(c.Keys)
			c.HostFactor = cards
			c.Apps, c.Passkeys = nil, nil // the card is what people have here; recovery codes stay a way around it
			c.Rules = func(context.Context, auth.Account) (flow.Rules, error) {
				return flow.Rules{SecondFactor: flow.Always}, nil
			}
		},
		HTTP: func(c *authhttp.Config) { c.Catalogs = map[string]map[string]string{"en": words} },
	})
	return site, cards, err
}

// demo are people to sign in as.
var demo = []auth.NewAccount{
	{Identifier: "ada@example.com", Name: "Ada", Password: auth.NewSecret("kettle orbit velvet ninety")},
	{Identifier: "grace@example.com", Name: "Grace", Password: auth.NewSecret("harbor pencil mosaic eleven")},
}

// welcome makes the accounts and hands a card out to each, as an operator does; it returns what is printed on them.
func welcome(ctx context.Context, site *standard.Site, cards *office, out io.Writer) (printed [][]string, err error) {
	for _, person := range demo {
		account, err := site.Service.CreateAccount(ctx, person)
		if err != nil {
			return nil, err
		}
		serial, codes, err := cards.print()
		if err != nil {
			return nil, err
		}
		if err := cards.handOut(serial, account.ID); err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "\n%s, %s\ncard %s", person.Identifier, person.Password.Reveal(), serial)
		for i, code := range codes {
			if i%5 == 0 {
				fmt.Fprintln(out)
			}
			fmt.Fprintf(out, "  %2d %s", i+1, code)
		}
		fmt.Fprintln(out)
		printed = append(printed, codes)
	}
	return printed, nil
}

// hello stands behind Require, so there is a session whenever it runs.
func hello(w http.ResponseWriter, r *http.Request) {
	current, _ := authhttp.SessionFrom(r.Context())
	fmt.Fprintf(w, "Only who has a password and a card sees this: %s.\n", current.Assurance)
}

// handler serves the pages, and one page of the host's own.
func handler(site *standard.Site) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/auth/", site)
	mux.Handle("/.well-known/", site)
	mux.Handle("/", site.Require(http.HandlerFunc(hello)))
	return mux
}

func run(ctx context.Context, addr string, out io.Writer) error {
	folder, err := os.MkdirTemp("", "codelist")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	site, cards, err := open(ctx, "http://"+addr, folder)
	if err != nil {
		return err
	}
	defer site.Store.Close()
	fmt.Fprintf(out, "http://%s\n", addr)
	if _, err := welcome(ctx, site, cards, out); err != nil {
		return err
	}
	server := &http.Server{Addr: addr, Handler: handler(site), ReadHeaderTimeout: 10 * time.Second}
	go site.Run(ctx)
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(patience)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
