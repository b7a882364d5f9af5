package oidctest

import (
	"context"
	"net"
	"net/http"
	"time"
)

// TB is what Start needs of a test: a *testing.T has it. A program that is no test does not link package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start serves a provider on a port of this machine until the test is over, with the server's address for an issuer.
// The issuer of the Config must be empty.
func Start(t TB, c Config) *Provider {
	t.Helper()
	if c.Issuer != "" {
		t.Fatalf("oidctest: Start chooses the issuer, and the Config has %q", c.Issuer)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("oidctest: %v", err)
	}
	c.Issuer = "http://" + listener.Addr().String()
	p, err := New(c)
	if err != nil {
		_ = listener.Close()
		t.Fatalf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler: p, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // returns when it is closed
	}()
	t.Cleanup(func() {
		cancel() // for those that are slow
		_ = server.Close()
		<-done
	})
	return p
}
