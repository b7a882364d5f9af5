package mail_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
)

const fakePassword = "not-a-real-password"

// send sends a message to the server. Where it has a certificate, TLS is demanded.
func send(t *testing.T, s *server, change func(c *mail.SMTPConfig, m *mail.Message)) error {
	t.Helper()
	m, err := newRenderer(t, nil).Render(letterOf(auth.ResetLetter, "de"))
	require.NoError(t, err)
	cfg := mail.SMTPConfig{Host: "127.0.0.1", Port: s.port(), Timeout: 20 * time.Second}
	if s.tls != nil {
		cfg.TLS = &tls.Config{RootCAs: s.roots}
	}
	if change != nil {
		change(&cfg, &m)
	}
	sender, err := mail.NewSMTP(cfg)
	require.NoError(t, err)
	return sender.Send(t.Context(), m)
}

// outcome is what an Outbox makes of an error: sent, again or given up.
func outcome(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "sent"
	}
	var failure *mail.SMTPError
	require.ErrorAs(t, err, &failure)
	for _, private := range []string{"ada", "example", fakePassword, fakeToken, "quoted"} {
		require.NotContains(t, err.Error(), private)
	}
	if mail.IsPermanent(err) {
		return "given up: " + err.Error()
	}
	return "again: " + err.Error()
}

// TestServersThatRefuse has a row for each way in which a server can fail, and what becomes of the letter.
func TestServersThatRefuse(t *testing.T) {
	withPassword := func(c *mail.SMTPConfig, _ *mail.Message) {
		c.Username, c.Password = "app", auth.NewSecret(fakePassword)
	}
	for name, row := range map[string]struct {
		script func(s *server)
		change func(c *mail.SMTPConfig, m *mail.Message)
		want   string
	}{
		"good":                  {func(*server) {}, nil, "sent"},
		"closed at once":        {func(s *server) { s.reply["CONNECT"] = "drop" }, nil, "again: mail: smtp greeting connection failed"},
		"busy":                  {func(s *server) { s.reply["CONNECT"] = "421 4.3.2 quoted ada@example.org" }, nil, "again: mail: smtp greeting 421 4.3.2"},
		"refuses us":            {func(s *server) { s.reply["CONNECT"] = "554 go away" }, nil, "again: mail: smtp greeting 554"},
		"no SMTP":               {func(s *server) { s.reply["CONNECT"] = "HTTP/1.1 400 Bad Request" }, nil, "again: mail: smtp greeting connection failed"},
		"refuses EHLO and HELO": {func(s *server) { s.reply["EHLO"], s.reply["HELO"] = "502 no", "502 no" }, nil, "again: mail: smtp greeting 502"},
		"drops at EHLO":         {func(s *server) { s.reply["EHLO"] = "drop" }, nil, "again: mail: smtp greeting connection failed"},
		"wrong password": {func(s *server) { s.mechanisms, s.reply["AUTH"] = "PLAIN", "535 5.7.8 quoted "+fakePassword }, withPassword,
			"again: mail: smtp auth 535 5.7.8"},
		"no AUTH":              {func(*server) {}, withPassword, "again: mail: smtp auth no mechanism that is known here"},
		"strange AUTH":         {func(s *server) { s.mechanisms = "NTLM CRAM-MD5 X" }, withPassword, "again: mail: smtp auth no mechanism that is known here"},
		"sender refused":       {func(s *server) { s.reply["MAIL"] = "550 5.7.1 quoted" }, nil, "again: mail: smtp mail 550 5.7.1"},
		"sender for now":       {func(s *server) { s.reply["MAIL"] = "451 4.3.0 quoted" }, nil, "again: mail: smtp mail 451 4.3.0"},
		"unknown recipient":    {func(s *server) { s.reply["RCPT"] = "550 5.1.1 <ada@example.org> quoted" }, nil, "given up: mail: smtp recipient 550 5.1.1"},
		"greylisted":           {func(s *server) { s.reply["RCPT"] = "451 4.7.1 quoted" }, nil, "again: mail: smtp recipient 451 4.7.1"},
		"mailbox full":         {func(s *server) { s.reply["RCPT"] = "452 4.2.2-ada@example.org\n452 4.2.2 quoted" }, nil, "again: mail: smtp recipient 452 4.2.2"},
		"no data":              {func(s *server) { s.reply["DATA"] = "554 5.5.1 quoted" }, nil, "given up: mail: smtp data 554 5.5.1"},
		"no data for now":      {func(s *server) { s.reply["DATA"] = "421 4.3.2 quoted" }, nil, "again: mail: smtp data 421 4.3.2"},
		"drops at DATA":        {func(s *server) { s.reply["DATA"] = "drop" }, nil, "again: mail: smtp data connection failed"},
		"drops in the message": {func(s *server) { s.reply["BODY"] = "drop" }, nil, "again: mail: smtp message connection failed"},
		"takes it for spam":    {func(s *server) { s.reply["."] = "554 5.7.1 quoted" }, nil, "given up: mail: smtp message 554 5.7.1"},
		"disk full":            {func(s *server) { s.reply["."] = "452 4.3.1 quoted" }, nil, "again: mail: smtp message 452 4.3.1"},
		"drops at the end":     {func(s *server) { s.reply["."] = "drop" }, nil, "again: mail: smtp message connection failed"},
		"bad farewell":         {func(s *server) { s.reply["QUIT"] = "500 what" }, nil, "sent"},
		"no farewell":          {func(s *server) { s.reply["QUIT"] = "drop" }, nil, "sent"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, row.script)
			require.Equal(t, row.want, outcome(t, send(t, s, row.change)))
		})
	}
}

// TestNobodyListens: nothing that a stranger could read is said to a server that is not known.
func TestNobodyListens(t *testing.T) {
	for name, row := range map[string]struct {
		script func(s *server)
		names  []string
		change func(c *mail.SMTPConfig, m *mail.Message)
		want   string
	}{
		"good":                     {func(*server) {}, []string{"127.0.0.1"}, nil, "sent"},
		"good from the first byte": {func(s *server) { s.implicit = true }, []string{"127.0.0.1"}, func(c *mail.SMTPConfig, _ *mail.Message) { c.ImplicitTLS = true }, "sent"},
		"STARTTLS taken out":       {func(s *server) { s.tls = nil }, []string{"127.0.0.1"}, func(c *mail.SMTPConfig, _ *mail.Message) { c.TLS = &tls.Config{} }, "again: mail: smtp starttls not offered"},
		"STARTTLS refused":         {func(s *server) { s.reply["STARTTLS"] = "454 4.7.0 quoted" }, []string{"127.0.0.1"}, nil, "again: mail: smtp starttls 454 4.7.0"},
		"another one's name":       {func(*server) {}, []string{"mail.example.org"}, nil, "again: mail: smtp starttls certificate"},
		"nobody's certificate":     {func(*server) {}, []string{"127.0.0.1"}, func(c *mail.SMTPConfig, _ *mail.Message) { c.TLS = &tls.Config{} }, "again: mail: smtp starttls certificate"},
		"an old TLS":               {func(s *server) { s.tls.MinVersion, s.tls.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, []string{"127.0.0.1"}, nil, "again: mail: smtp starttls connection failed"},
		"plain where TLS is due":   {func(*server) {}, []string{"127.0.0.1"}, func(c *mail.SMTPConfig, _ *mail.Message) { c.ImplicitTLS = true }, "again: mail: smtp starttls no TLS"},
		// What the one in the middle says before TLS begins must not count after it.
		"replies slipped in": {func(s *server) { s.reply["STARTTLS"] = "220 go\n250 slipped\n250 in" }, []string{"127.0.0.1"}, nil, "again: mail: smtp starttls no TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(s *server) {
				s.mechanisms = "PLAIN LOGIN"
				row.script(s)
			}, row.names...)
			got := outcome(t, send(t, s, func(c *mail.SMTPConfig, m *mail.Message) {
				c.Username, c.Password = "app", auth.NewSecret(fakePassword)
				if row.change != nil {
					row.change(c, m)
				}
			}))
			if name == "replies slipped in" { // which way it fails is up to what the bytes look like
				require.NotEqual(t, "sent", got)
			} else {
				require.Equal(t, row.want, got)
			}
			for _, command := range s.overheard() {
				require.NotContains(t, command, fakePassword)
				require.NotRegexp(t, `^(AUTH|MAIL|RCPT|DATA)`, command)
			}
			if got != "sent" {
				require.Empty(t, s.got())
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	for mechanisms, want := range map[string]string{
		"PLAIN LOGIN": "decoded |app|" + fakePassword,
		"LOGIN":       "decoded " + fakePassword,
		"login plain": "decoded |app|" + fakePassword,
	} {
		s := serve(t, func(s *server) { s.mechanisms = mechanisms }, "127.0.0.1")
		require.NoError(t, send(t, s, func(c *mail.SMTPConfig, _ *mail.Message) {
			c.Username, c.Password = "app", auth.NewSecret(fakePassword)
		}))
		require.Contains(t, s.heard(), want, mechanisms)
	}
	// Where SCRAM is offered, no other is used: the server learns no password.
	s := serve(t, func(s *server) { s.mechanisms, s.reply["AUTH"] = "PLAIN SCRAM-SHA-256", "535 5.7.8 no" }, "127.0.0.1")
	require.Error(t, send(t, s, func(c *mail.SMTPConfig, _ *mail.Message) {
		c.Username, c.Password = "app", auth.NewSecret(fakePassword)
	}))
	require.Contains(t, s.heard(), "AUTH SCRAM-SHA-256")
	require.NotContains(t, strings.Join(s.heard(), "\n"), fakePassword)
}

func TestWhatTheServerGets(t *testing.T) {
	s := serve(t, func(s *server) { s.extensions = []string{"8BITMIME", "SMTPUTF8"} })
	var sent mail.Message
	require.NoError(t, send(t, s, func(c *mail.SMTPConfig, m *mail.Message) {
		// Lines that end a message, or hide a command, if dots were not doubled.
		m.Text = auth.NewSecret("one\n.\nMAIL FROM:<eve@evil.example>\n..two\n.three\n")
		c.Hello = "client.example"
		sent = *m
	}))
	whole, err := sent.MIME()
	require.NoError(t, err)
	require.Equal(t, []string{string(whole)}, s.got())
	require.Equal(t, []string{"EHLO client.example", "MAIL FROM:<no-reply@app.example> BODY=8BITMIME", "RCPT TO:<ada@example.org>", "DATA", "QUIT"}, s.heard())
	_, text, _ := parts(t, []byte(s.got()[0]))
	require.Equal(t, sent.Text.Reveal(), text)
}

func TestAddressesThatAreNotASCII(t *testing.T) {
	to := func(address string) func(*mail.SMTPConfig, *mail.Message) {
		return func(_ *mail.SMTPConfig, m *mail.Message) { m.To.Address = address }
	}
	able := serve(t, func(s *server) { s.extensions = []string{"SMTPUTF8", "8BITMIME"} })
	require.NoError(t, send(t, able, to("zoë@example.org")))
	require.Contains(t, able.heard(), "MAIL FROM:<no-reply@app.example> BODY=8BITMIME SMTPUTF8")
	require.Contains(t, able.heard(), "RCPT TO:<zoë@example.org>")
	require.Contains(t, able.got()[0], "\r\nTo: <zoë@example.org>\r\n")

	unable := serve(t, func(*server) {})
	require.Equal(t, "given up: mail: smtp recipient the server takes no address that is not ASCII", outcome(t, send(t, unable, to("zoë@example.org"))))
	require.Empty(t, unable.got())
	require.NoError(t, send(t, unable, to("ada@xn--bcher-kva.example")))
}

// TestServersThatHang: a server that says nothing costs its timeout, and ends with the context.
func TestServersThatHang(t *testing.T) {
	for _, step := range []string{"CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "."} {
		t.Run(step, func(t *testing.T) {
			s := serve(t, func(s *server) { s.mechanisms, s.reply[step] = "PLAIN", "hang" }, "127.0.0.1")
			err := send(t, s, func(c *mail.SMTPConfig, _ *mail.Message) {
				c.Timeout, c.Username, c.Password = 300*time.Millisecond, "app", auth.NewSecret(fakePassword)
			})
			require.Regexp(t, `^again: mail: smtp \w+ timeout$`, outcome(t, err))
			require.Empty(t, s.got()[:max(0, len(s.got())-1)])
		})
	}
	s := serve(t, func(s *server) { s.reply["MAIL"] = "hang" })
	m, err := newRenderer(t, nil).Render(letterOf(auth.ResetLetter, "de"))
	require.NoError(t, err)
	sender, err := mail.NewSMTP(mail.SMTPConfig{Host: "127.0.0.1", Port: s.port()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	require.Error(t, sender.Send(ctx, m))

	// Nobody answers QUIT: the message is sent all the same.
	s = serve(t, func(s *server) { s.reply["QUIT"] = "hang" })
	require.NoError(t, send(t, s, nil))
}

func TestNobodyAtTheAddress(t *testing.T) {
	s := serve(t, func(*server) {})
	port := s.port()
	require.NoError(t, s.listener.Close())
	err := send(t, s, func(c *mail.SMTPConfig, _ *mail.Message) { c.Port = port })
	require.Equal(t, "again: mail: smtp connect connection failed", outcome(t, err))
}

func TestSMTPConfig(t *testing.T) {
	_, err := mail.NewSMTP(mail.SMTPConfig{
		Host: "mail.example:25", Port: 70000, TLS: &tls.Config{InsecureSkipVerify: true}, Username: "app", Timeout: time.Hour, Hello: "a b",
	})
	for _, field := range []string{"Host is", "Port is", "TLS has", "Username and Password", "Timeout is", "Hello is"} {
		require.ErrorContains(t, err, field)
	}
	for _, host := range []string{"", "a b", "a/b", "a@b", "a\r\nb", "a:25"} {
		_, err := mail.NewSMTP(mail.SMTPConfig{Host: host})
		require.ErrorContains(t, err, "Host is", host)
	}
	_, err = mail.NewSMTP(mail.SMTPConfig{Host: "::1", Username: "a\r\nb", Password: auth.NewSecret(fakePassword)})
	require.ErrorContains(t, err, "cannot be sent")
	require.NotContains(t, err.Error(), fakePassword)
	for _, host := range []string{"mail.example", "127.0.0.1", "::1", "localhost"} {
		_, err = mail.NewSMTP(mail.SMTPConfig{Host: host})
		require.NoError(t, err, host)
	}
}

func TestPermanent(t *testing.T) {
	require.NoError(t, mail.Permanent(nil))
	why := errors.New("why")
	require.ErrorIs(t, mail.Permanent(why), why)
	require.True(t, mail.IsPermanent(mail.Permanent(why)))
	require.False(t, mail.IsPermanent(why))
}
