// Migrate moves the accounts of three other systems into one database, with the passwords that people have:
//
//	go run ./examples/migrate
//
// It imports a table of Django's, one of Devise's and an export of Firebase Authentication, all in the folder
// data, and shows what is stored for each account before and after its owner signs in. A migration has three
// steps:
//
//  1. Declare the kinds of hashes that come, with the greatest cost of each (legacy, below). From then on they
//     can be verified, and every answer takes as long as the slowest of them: the time tells neither who has an
//     account nor where it came from.
//  2. Create the accounts with their hashes (migrate.go). A hash that could not be verified is refused then, with
//     the reason, and not when its owner is standing at the door. It may be done while the site is open, and
//     repeated: what is there already stays as it is.
//  3. Wait. People sign in with the password they have, and each gets a new hash on the way. When few old ones
//     are left, delete the rest, let their owners reset their passwords, and take the declarations away; answers
//     are then as fast as they can be.
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"embed"
	"flag"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/standard"
	"github.com/cardea-auth/cardea/password"
	_ "modernc.org/sqlite"
)

//go:embed data
var data embed.FS

// devisePepper is config.pepper of the old Devise application. A real one is read from a secret store.
var devisePepper = auth.NewSecret("0f1e2d3c4b5a")

// legacy declares what comes. The costs are those of the old systems; "select max(…)" over the tables finds
// them, and what costs more is refused.
func legacy() []password.Format {
	return []password.Format{
		// Django's default hasher, as its version 3.2 had it.
		password.PBKDF2(crypto.SHA256, 260_000),
		// Devise ignored what a password has beyond 72 bytes, so here too the first 72 are enough. The same
		// declaration reads Django's bcrypt_sha256, which ignores nothing.
		password.BcryptTruncated(12, devisePepper),
		// The memory cost and the rounds of the Firebase project.
		password.FirebaseScrypt(14, 8, 1),
	}
}

// open opens the database with the old hashes declared.
func open(ctx context.Context, database string) (*standard.Site, error) {
	return standard.Open(ctx, standard.Config{
		Origin: "http://localhost:8080", Product: "Migrate", Driver: "sqlite", Database: database,
		Passwords: password.Config{Imported: legacy()},
	})
}

func main() {
	database := flag.String("data", "", "keep accounts in this file; a temporary one if empty")
	flag.Parse()
	if *database == "" {
		folder, err := os.MkdirTemp("", "migrate")
		if err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(folder)
		*database = filepath.Join(folder, "migrate.db")
	}
	if err := run(context.Background(), os.Stdout, *database); err != nil {
		log.Print(err)
	}
}

func run(ctx context.Context, w io.Writer, database string) error {
	site, err := open(ctx, database)
	if err != nil {
		return err
	}
	defer site.Store.Close()
	people, err := everybody(data)
	if err != nil {
		return err
	}
	results, err := migrate(ctx, site.Service, people)
	if err != nil {
		return err
	}
	for _, r := range results {
		fmt.Fprintf(w, "%-18s from %-8s: %s\n", r.Address, r.From, r.Note)
	}
	for _, who := range []struct{ address, typed string }{
		{"ann@example.com", "seven quiet otters upstream"}, {"grace@example.com", "copper kettle 1906 harbour"},
	} {
		before, err := kindOf(ctx, site, who.address)
		if err != nil {
			return err
		}
		if _, err := signIn(ctx, site.Service, who.address, auth.NewSecret(who.typed)); err != nil {
			return err
		}
		after, err := kindOf(ctx, site, who.address)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s signed in with the old password; the hash was %s and is %s now\n", who.address, before, after)
	}
	return nil
}

// signIn does what the sign-in pages do.
func signIn(ctx context.Context, s *auth.Service, address string, typed auth.Secret) (auth.Progress, error) {
	browser, err := auth.RandomSecret(rand.Reader)
	if err != nil {
		return auth.Progress{}, err
	}
	client := auth.Client{Browser: browser, Address: netip.MustParseAddr("192.0.2.1")}
	p, err := s.Begin(ctx, auth.BeginRequest{Goal: flow.SignIn, Client: client, Inputs: auth.Inputs{Identifier: address}})
	if err != nil {
		return auth.Progress{}, err
	}
	return s.Continue(ctx, auth.ContinueRequest{Handle: p.Handle, Action: "password", Client: client, Inputs: auth.Inputs{Password: typed}})
}

// kindOf returns how the stored hash begins, which says what kind it is.
func kindOf(ctx context.Context, site *standard.Site, address string) (string, error) {
	account, err := site.Store.FindByIdentifier(ctx, address)
	if err != nil {
		return "", err
	}
	hash, err := site.Store.PasswordHash(ctx, account.ID)
	if err != nil {
		return "", err
	}
	for _, kind := range []string{"$argon2id$", "pbkdf2_sha256$", "bcrypt_sha256$", "$2a$", "$firescrypt$"} {
		if strings.Contains(hash, kind) {
			return strings.Trim(kind, "$"), nil
		}
	}
	return "none", nil
}
