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

var prepare = func(context.Context, *standard.Site) {} // demo.go makes accounts to try

func main() {
	addr := flag.String("addr", "localhost:8080", "listen on this address")
	data := flag.String("data", "quickstart.db", "keep accounts and sessions in this file")
	native := flag.Bool("native", false, "serve apps too, with bearer tokens instead of cookies")
	flag.Parse()
	ctx := context.Background()
	site, err := standard.Open(ctx, standard.Config{
		Origin: "http://" + *addr, Product: "Quickstart", Driver: "sqlite", Database: *data, Native: *native,
	})
	if err != nil {
		log.Fatal(err)
	}
	prepare(ctx, site)
	go site.Run(ctx)
	mux := http.NewServeMux()
	mux.Handle("/auth/", site)
	mux.Handle("/.well-known/", site)
	mux.Handle("/", site.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := authhttp.SessionFrom(r.Context())
		w.Write([]byte("Only you see this. You are " + session.Account + "; see /auth/account."))
	})))
	log.Fatal((&http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
