// Quickstart is a site with sign-in pages, a JSON API and one protected page, on an embedded database.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/standard"
	_ "modernc.org/sqlite"
)

var configure = func(*standard.Config) {}                              // flags.go turns features on, and mail
var prepare = func(context.Context, *standard.Site, *http.ServeMux) {} // demo.go makes accounts to try

func main() {
	addr := flag.String("addr", "localhost:8080", "listen on this address")
	data := flag.String("data", "quickstart.db", "keep accounts and sessions in this file")
	flag.Parse()
	ctx := context.Background()
	config := standard.Config{Origin: "http://" + *addr, Product: "Quickstart", Driver: "sqlite", Database: *data}
	configure(&config)
	site, err := standard.Open(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", site)
	mux.Handle("/.well-known/", site)
	mux.Handle("/", site.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := authhttp.SessionFrom(r.Context())
		w.Write([]byte("Only you see this. You are " + session.Account + "; see /auth/account."))
	})))
	prepare(ctx, site, mux)
	go site.Run(ctx)
	log.Fatal((&http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
