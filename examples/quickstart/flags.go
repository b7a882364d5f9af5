package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/auth/standard"
)

// Whatever else the site can do is a flag.
var (
	native = flag.Bool("native", false, "serve apps too, with bearer tokens instead of cookies")
	signUp = flag.Bool("sign-up", false, "let strangers open accounts")
	invite = flag.String("invite", "mary@example.com", "invite this `address`; an empty one invites nobody")

	server = mailServer{
		address:  flag.String("smtp", "", "send mails through the server at this `host:port`, instead of showing them at /outbox"),
		user:     flag.String("smtp-user", "", "the `name` that the mail server knows this site by"),
		password: flag.String("smtp-password-file", "", "the `file` with the password that goes with it"),
		from:     flag.String("from", "", "the sender of the mails; needed with -smtp"),
	}
)

func init() {
	configure = func(c *standard.Config) {
		if err := own.connect(c); err != nil {
			log.Fatal(err)
		}
		c.Native, c.SignUp = *native, *signUp
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if !server.set() {
			c.Mail = standard.Mail{From: "no-reply@quickstart.example", Sender: &outbox}
			fmt.Printf("The site is at %s, and its mails are at %[1]s/outbox.\n", c.Origin)
			return
		}
		var err error
		if c.Mail, err = server.mail(); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("The site is at %s, and its mails go to %s.\n", c.Origin, *server.address)
	}
}

// mailServer is a real one. Its password is in a file: command lines are seen by whoever lists the processes.
type mailServer struct{ address, user, password, from *string }

func (s mailServer) set() bool { return *s.address != "" }

// mail has the server send what the site mails. A password is given only to a server that proves who it is, be it
// on this very machine.
func (s mailServer) mail() (standard.Mail, error) {
	var problems []error
	host, port, err := net.SplitHostPort(*s.address)
	number, _ := strconv.Atoi(port)
	if err != nil || number == 0 {
		problems = append(problems, fmt.Errorf("-smtp is %q; it must be host:port", *s.address))
	}
	if *s.from == "" {
		problems = append(problems, errors.New("-smtp needs -from, an address that the server sends for"))
	}
	smtp := mail.SMTPConfig{Host: host, Port: number, ImplicitTLS: number == 465, Username: *s.user}
	if *s.user != "" {
		smtp.TLS = &tls.Config{}
	}
	if *s.password != "" {
		text, err := os.ReadFile(*s.password)
		problems = append(problems, err)
		smtp.Password = auth.NewSecret(strings.TrimRight(string(text), "\r\n"))
	}
	return standard.Mail{From: *s.from, SMTP: smtp}, errors.Join(problems...)
}
