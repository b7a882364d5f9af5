// Byhand is a site like the quickstart, wired part by part without package standard: a program that is made
// this way compiles only what it names here. It keeps everything in memory, so it starts empty each time.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/session"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "listen on this address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *addr); err != nil {
		log.Fatal(err)
	}
}

// site puts the parts together. Each New reports everything that is wrong with its part at once.
func site(origin string, logger *slog.Logger) (*auth.Service, http.Handler, error) {
	// One master key, from which every purpose derives its own. A real site keeps it beside the database, in
	// a file or a secret store (standard.LoadKeys reads one): without it no password can be verified any more.
	master := auth.Key{ID: "k1"}
	rand.Read(master.Bytes[:]) // never fails
	keys, err := auth.NewKeys(master)
	if err != nil {
		return nil, nil, err
	}
	// One store for all ports. A host with its own table of people passes that as Directory instead.
	store := memory.New()
	// Hashing is bounded by memory, and words that strangers would try here first are refused as passwords.
	passwords, hasherErr := password.New(password.Config{Keys: keys, ContextWords: []string{"Byhand"}, Logger: logger})
	// Sessions and known devices: the first are in the store, the second in a signed cookie.
	sessions, sessionErr := session.New(session.Config{Store: store, Logger: logger})
	devices, deviceErr := session.NewDevices(session.DevicesConfig{Keys: keys})
	if err := errors.Join(hasherErr, sessionErr, deviceErr); err != nil {
		return nil, nil, err
	}
	// The service runs the login machine over all of it. Whatever it decides is logged, and no secret is.
	service, err := auth.New(auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: passwords, Sessions: sessions, Devices: devices, Logger: logger,
	})
	if err != nil {
		return nil, nil, err
	}
	// The web side. Plain http and cookies without Secure are for this machine only; New refuses them elsewhere.
	pages, err := authhttp.New(authhttp.Config{
		Service: service, Keys: keys, Origin: origin, Product: "Byhand", InsecureCookiesForLoopback: true, Logger: logger,
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", pages)
	mux.Handle("/.well-known/", pages) // password managers ask here for the form that changes the password
	mux.Handle("/", pages.Require(http.HandlerFunc(hello)))
	return service, mux, nil
}

// hello stands behind Require, so there is a session whenever it runs.
func hello(w http.ResponseWriter, r *http.Request) {
	current, _ := authhttp.SessionFrom(r.Context())
	fmt.Fprintf(w, "Only you see this. Your account is %s.\n", current.Account)
}

func serve(ctx context.Context, addr string) error {
	service, handler, err := site("http://"+addr, slog.Default())
	if err != nil {
		return err
	}
	// Somebody to sign in as. The password is public: never let strangers reach this program.
	demo := auth.NewAccount{Identifier: "ada@example.com", Name: "Ada", Password: auth.NewSecret("kettle orbit velvet ninety")}
	if _, err := service.CreateAccount(ctx, demo); err != nil {
		return err
	}
	fmt.Printf("http://%s: %s, %s\n", addr, demo.Identifier, demo.Password.Reveal())
	// Who sends a request byte by byte must not hold a connection for ever.
	server := &http.Server{Addr: addr, Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	go service.Run(ctx) // sweeps what expired
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(patience) // a sign-in under way gets its answer
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
