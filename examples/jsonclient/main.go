// Jsonclient is a site whose sign-in form is a script: sixty lines that render whatever the JSON API offers, and
// know no order of steps. README.md beside it walks through the same API with curl.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/standard"
	_ "modernc.org/sqlite"
)

//go:embed page
var page embed.FS

// demo is somebody to sign in as. The password is public: never let strangers reach this program.
var demo = auth.NewAccount{Identifier: "ada@example.com", Name: "Ada", Password: auth.NewSecret("kettle orbit velvet ninety")}

func main() {
	addr := flag.String("addr", "localhost:8080", "listen on this address")
	data := flag.String("data", "jsonclient.db", "keep accounts and sessions in this file")
	flag.Parse()
	site, err := standard.Open(context.Background(), standard.Config{
		Origin: "http://" + *addr, Product: "Jsonclient", Driver: "sqlite", Database: *data,
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := site.Service.CreateAccount(context.Background(), demo); err != nil && !errors.Is(err, flow.Deny(flow.AddressTaken)) {
		log.Fatal(err)
	}
	fmt.Printf("http://%s/spa/: %s, %s\n", *addr, demo.Identifier, demo.Password.Reveal())
	go site.Run(context.Background())
	log.Fatal((&http.Server{Addr: *addr, Handler: routes(site), ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}

// routes puts the script's page beside the API. The two must share an origin; the library's own pages allow no
// script, so it is a page of the host's, under a policy of the host's.
func routes(api http.Handler) http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", api)
	mux.Handle("/.well-known/", api)
	mux.Handle("/", http.RedirectHandler("/spa/", http.StatusSeeOther))
	mux.HandleFunc("/spa/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.StripPrefix("/spa/", http.FileServerFS(files)).ServeHTTP(w, r)
	})
	return mux
}
