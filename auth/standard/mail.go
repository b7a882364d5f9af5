package standard

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	netmail "net/mail"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/reset"
)

// Mail is how a Site writes to people. The zero value writes to nobody: then there are no codes for sign-ins from
// unknown devices, no invitations, no way to a forgotten password and no notices.
type Mail struct {
	// From is the sender, "Example <no-reply@app.example>" or the address alone, which then gets Config.Product
	// as its name. It is required if anything else here is set.
	From string
	// SMTP is the mail server that takes the mails over. Sender, instead, is anything else that does, such as
	// the programming interface of a mail service, or a mail.Preview in development. One of the two is required.
	SMTP   mail.SMTPConfig
	Sender mail.Sender
	// ReplyTo is where answers go. Empty means that they go to From.
	ReplyTo string
	// Support is the address of people who help, shown in every mail and below every page. Empty shows none.
	Support string
	// Help is a page that explains the mails: a path of the own site or an https URL. Empty means "/help/mail"
	// below the prefix of the pages, "/auth/help/mail".
	Help string
	// TimeZone is the zone in which mails tell times. Nil means UTC.
	TimeZone *time.Location
	// Overrides changes the mails' texts and looks; see mail.Config. Nil changes nothing.
	Overrides fs.FS
	// Lifetimes are how long mailed links live. Its Keys are the Site's.
	Lifetimes reset.Config
}

// set reports whether the Site writes to people.
func (m Mail) set() bool { return m.From != "" }

// mailProblems reports what is missing or too much.
func (c Config) mailProblems() []error {
	m := c.Mail
	server := m.SMTP != mail.SMTPConfig{}
	var problems []error
	for _, p := range []struct {
		wrong bool
		text  string
	}{
		{!m.set() && m != Mail{}, "Mail.From is required with the rest of Mail"},
		{m.set() && !server && m.Sender == nil, "Mail.SMTP or Mail.Sender is required with Mail.From"},
		{server && m.Sender != nil, "Mail.SMTP and Mail.Sender are both set; only one of them can send"},
		{c.SignUp && !m.set(), "SignUp requires Mail: a new account's address is verified by a mailed code"},
	} {
		if p.wrong {
			problems = append(problems, errors.New(p.text))
		}
	}
	return problems
}

// mailing makes the service write letters, and offer and ask for what takes mails.
func (c Config) mailing(config *auth.Config, store stores) error {
	lifetimes := c.Mail.Lifetimes
	lifetimes.Keys = config.Keys
	secrets, err := reset.New(lifetimes)
	if err != nil {
		return err
	}
	config.Letters, config.Tickets, config.Secrets = store, store, secrets
	entry := flow.Entry{Methods: flow.MethodsOf(flow.Password), Recovery: true, SignUp: c.SignUp}
	config.Entry = func(context.Context, string) (flow.Entry, error) {
		e := entry
		if config.Passkeys != nil { // once the host has had its say
			e.Methods = e.Methods.With(flow.Passkey)
		}
		if len(config.Providers) > 0 {
			e.Methods = e.Methods.With(flow.Social)
		}
		return e, nil
	}
	rules := flow.Rules{SecondFactor: flow.IfEnrolled, Verification: flow.VerifyPassword}
	config.Rules = func(context.Context, auth.Account) (flow.Rules, error) { return rules, nil }
	return nil
}

// outbox sends what the service queues. It is made after the host had its say, so that it drains the queue that
// is filled and its links lead to where the pages are.
func (c Config) outbox(service auth.Config, web authhttp.Config) (*mail.Outbox, error) {
	m, prefix := c.Mail, cmp.Or(web.Prefix, "/auth")
	pages := mail.Pages{}
	if c.SignUp {
		pages.SignUp = prefix + "/sign-up"
	}
	renderer, rendererErr := mail.New(mail.Config{
		Origin: web.Origin, Prefix: prefix, Product: web.Product, From: m.From, ReplyTo: m.ReplyTo, Support: m.Support,
		Help: cmp.Or(m.Help, prefix+"/help/mail"), Pages: pages, TimeZone: m.TimeZone, Language: web.Language, Overrides: m.Overrides,
	})
	sender, senderErr := m.sender()
	if err := errors.Join(rendererErr, senderErr); err != nil {
		return nil, err
	}
	return mail.NewOutbox(mail.OutboxConfig{
		Store: service.Letters, Secrets: service.Secrets, Renderer: renderer, Sender: sender,
		Audit: service.Audit, Logger: service.Logger, Now: service.Now,
	})
}

func (m Mail) sender() (mail.Sender, error) {
	if m.Sender != nil {
		return m.Sender, nil
	}
	return mail.NewSMTP(m.SMTP)
}

// supportLink is Mail.Support as the pages link to it. An address that is none gets no link and is an error of
// the mails.
func (m Mail) supportLink() string {
	a, err := netmail.ParseAddress(m.Support)
	if err != nil {
		return ""
	}
	return "mailto:" + a.Address
}
