package standard_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/auth/standard"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/reset"
)

const (
	ada   = "ada@example.org"
	right = "kettle orbit velvet ninety"
)

func testKeys(t *testing.T) auth.Keys {
	t.Helper()
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}})
	require.NoError(t, err)
	return keys
}

// writing is a configuration whose mails a Preview keeps.
func writing(change ...func(*standard.Config)) (standard.Config, *mail.Preview) {
	preview := &mail.Preview{}
	c := standard.Config{
		Origin: "https://app.example", Product: "Example", Driver: "sqlite", Database: "app.db",
		Mail: standard.Mail{From: "no-reply@app.example", Sender: preview},
	}
	for _, f := range change {
		f(&c)
	}
	return c, preview
}

func assembled(t *testing.T, c standard.Config) (*standard.Site, *memory.Store) {
	t.Helper()
	store := memory.New()
	site, err := standard.Assemble(c, testKeys(t), store)
	require.NoError(t, err)
	return site, store
}

func TestMailProblemsAreReportedTogether(t *testing.T) {
	const (
		noFrom   = "Mail.From is required"
		noSender = "Mail.SMTP or Mail.Sender is required"
		two      = "Mail.SMTP and Mail.Sender are both set"
		noMail   = "SignUp requires Mail"
	)
	server := mail.SMTPConfig{Host: "smtp.app.example"}
	for name, c := range map[string]struct {
		mail   standard.Mail
		signUp bool
		said   []string
	}{
		"nobody sends":           {mail: standard.Mail{From: "a@app.example"}, said: []string{noSender}},
		"two send":               {mail: standard.Mail{From: "a@app.example", SMTP: server, Sender: &mail.Preview{}}, said: []string{two}},
		"a server alone":         {mail: standard.Mail{SMTP: server}, said: []string{noFrom}},
		"a sender alone":         {mail: standard.Mail{Sender: &mail.Preview{}}, said: []string{noFrom}},
		"a folder alone":         {mail: standard.Mail{Overrides: fstest.MapFS{}}, said: []string{noFrom}},
		"a lifetime alone":       {mail: standard.Mail{Lifetimes: reset.Config{Reset: time.Hour}}, said: []string{noFrom}},
		"sign-up alone":          {signUp: true, said: []string{noMail}},
		"everything":             {mail: standard.Mail{SMTP: server, Sender: &mail.Preview{}}, signUp: true, said: []string{noFrom, two, noMail}},
		"nothing, but for files": {said: nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := standard.Open(t.Context(), standard.Config{Mail: c.mail, SignUp: c.signUp})
			require.ErrorContains(t, err, "Driver is required", "the other problems are named with them")
			for _, problem := range []string{noFrom, noSender, two, noMail} {
				require.Equal(t, slices.Contains(c.said, problem), strings.Contains(err.Error(), problem), "%s\n%s", problem, err)
			}
		})
	}
}

// What only the parts can judge is their error, with all of it named.
func TestMailOfWrongParts(t *testing.T) {
	c, _ := writing(func(c *standard.Config) {
		c.Mail = standard.Mail{From: "nobody", Help: "http://help.example", SMTP: mail.SMTPConfig{Host: "smtp.app.example", Port: -1}}
		c.HTTP = func(web *authhttp.Config) { web.Language = "fr" }
	})
	_, err := standard.Assemble(c, testKeys(t), memory.New())
	for _, said := range []string{"From:", "Help:", "Port is -1", "authhttp: invalid Config"} {
		require.ErrorContains(t, err, said)
	}
	c, _ = writing(func(c *standard.Config) { c.Mail.Lifetimes.Reset = 25 * time.Hour })
	_, err = standard.Assemble(c, testKeys(t), memory.New())
	require.ErrorContains(t, err, "Reset is 25h")
}

// visitor signs in in process, from one browser.
type visitor struct {
	t       *testing.T
	service *auth.Service
	client  auth.Client
}

func visit(t *testing.T, site *standard.Site) visitor {
	return visitor{t, site.Service, auth.Client{Browser: auth.NewSecret("a browser"), Address: netip.MustParseAddr("203.0.113.7")}}
}

// password gives the address and the password, and returns what comes next.
func (v visitor) password() auth.Progress {
	v.t.Helper()
	p, err := v.service.Begin(v.t.Context(), auth.BeginRequest{Goal: flow.SignIn, Client: v.client, Inputs: auth.Inputs{Identifier: ada}})
	require.NoError(v.t, err)
	return v.step(p, "password", auth.Inputs{Password: auth.NewSecret(right)})
}

func (v visitor) step(p auth.Progress, action string, in auth.Inputs) auth.Progress {
	v.t.Helper()
	p, err := v.service.Continue(v.t.Context(), auth.ContinueRequest{Handle: p.Handle, Action: action, Inputs: in, Client: v.client})
	require.NoError(v.t, err)
	return p
}

func withAda(t *testing.T, site *standard.Site) auth.Account {
	t.Helper()
	account, err := site.Service.CreateAccount(t.Context(), auth.NewAccount{Identifier: ada, Password: auth.NewSecret(right)})
	require.NoError(t, err)
	return account
}

func TestWithoutMailNothingIsMailed(t *testing.T) {
	c, _ := writing(func(c *standard.Config) { c.Mail = standard.Mail{} })
	site, store := assembled(t, c)
	withAda(t, site)
	require.Nil(t, site.Outbox)
	p := visit(t, site).password()
	require.NotNil(t, p.Session, "the password suffices")
	require.False(t, p.View.Recovery)
	queued, err := store.ClaimLetters(t.Context(), time.Now(), time.Now(), 10)
	require.NoError(t, err)
	require.Empty(t, queued)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, site.Run(ctx), context.Canceled)
}

var codeInText = regexp.MustCompile(`\b\d{4} \d{4}\b`)

func TestAnUnknownDeviceIsAskedForAMailedCode(t *testing.T) {
	c, preview := writing()
	site, _ := assembled(t, c)
	withAda(t, site)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- site.Run(running) }()

	v := visit(t, site)
	p := v.password()
	require.Nil(t, p.Session)
	require.Equal(t, flow.DeviceCheck, p.View.Need)
	require.Eventually(t, func() bool { return len(preview.Messages()) == 1 }, 3*time.Second, time.Millisecond, "it leaves at once: the queue is looked at every five seconds only")
	m := preview.Messages()[0]
	require.Equal(t, auth.SignInLetter, m.Kind)
	require.Equal(t, ada, m.To.Address)
	require.Equal(t, "Example", m.From.Name)
	p = v.step(p, "mail-code", auth.Inputs{Code: auth.NewSecret(codeInText.FindString(m.Text.Reveal()))})
	require.NotNil(t, p.Session)
	require.Eventually(t, func() bool { return preview.Messages()[0].Kind == auth.NewDeviceNotice }, 3*time.Second, time.Millisecond)

	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestTheHostsRulesWin(t *testing.T) {
	c, _ := writing(func(c *standard.Config) {
		c.Service = func(s *auth.Config) {
			s.Rules = func(context.Context, auth.Account) (flow.Rules, error) { return flow.Rules{}, nil }
		}
	})
	site, _ := assembled(t, c)
	withAda(t, site)
	require.NotNil(t, visit(t, site).password().Session)
}

func TestWhatStrangersAreOffered(t *testing.T) {
	for name, c := range map[string]struct {
		change           func(*standard.Config)
		recovery, signUp bool
	}{
		"without mail": {func(c *standard.Config) { c.Mail = standard.Mail{} }, false, false},
		"with mail":    {func(*standard.Config) {}, true, false},
		"with sign-up": {func(c *standard.Config) { c.SignUp = true }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			config, _ := writing(c.change)
			site, _ := assembled(t, config)
			view, err := site.Service.Preview(t.Context(), flow.SignIn)
			require.NoError(t, err)
			require.Equal(t, c.recovery, view.Recovery)
			require.Equal(t, c.signUp, view.SignUp)
		})
	}
}

// post has a letter of the kind sent, and returns what was written.
func post(t *testing.T, site *standard.Site, store *memory.Store, preview *mail.Preview, kind auth.LetterKind) string {
	t.Helper()
	now := time.Now()
	require.NoError(t, store.AddLetters(t.Context(), auth.Letter{
		ID: "letter-" + string(kind), Kind: kind, To: ada, At: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}))
	require.NoError(t, site.Outbox.Flush(t.Context()))
	require.Equal(t, kind, preview.Messages()[0].Kind)
	return preview.Messages()[0].Text.Reveal()
}

func TestMailsLeadToThePages(t *testing.T) {
	c, preview := writing()
	site, store := assembled(t, c)
	notice := post(t, site, store, preview, auth.PasswordNotice)
	for _, page := range []string{"/auth/account", "/auth/recovery", "/auth/help/mail"} {
		require.Contains(t, notice, "https://app.example"+page)
	}
	require.NotContains(t, post(t, site, store, preview, auth.NoAccountLetter), "/sign-up")

	c, preview = writing(func(c *standard.Config) {
		c.SignUp = true
		c.Mail.Support, c.Mail.ReplyTo, c.Mail.Help = "Help Desk <help@app.example>", "desk@app.example", "/questions"
		c.HTTP = func(web *authhttp.Config) { web.Prefix = "/login" }
	})
	site, store = assembled(t, c)
	notice = post(t, site, store, preview, auth.PasswordNotice)
	for _, text := range []string{"https://app.example/login/account", "https://app.example/login/recovery", "https://app.example/questions", "help@app.example"} {
		require.Contains(t, notice, text)
	}
	require.Equal(t, "desk@app.example", preview.Messages()[0].ReplyTo.Address)
	require.Contains(t, post(t, site, store, preview, auth.NoAccountLetter), "https://app.example/login/sign-up")
	page := httptest.NewRecorder()
	site.ServeHTTP(page, httptest.NewRequest("GET", "/login/sign-in", nil))
	require.Contains(t, page.Body.String(), `href="mailto:help@app.example"`, "people find the same help on the pages")
}

// failing refuses every message, or keeps it until it is told to go on.
type failing struct {
	err     error
	began   chan struct{}
	proceed chan struct{}
}

func (f failing) Send(context.Context, mail.Message) error {
	if f.began != nil {
		close(f.began)
		<-f.proceed
	}
	return f.err
}

// events keep what the audit was told.
type events struct {
	sync.Mutex
	what []string
}

func (e *events) Record(_ context.Context, event auth.AuditEvent) error {
	e.Lock()
	defer e.Unlock()
	e.what = append(e.what, event.What)
	return nil
}

func TestTheAuditHearsOfLettersThatNobodyGot(t *testing.T) {
	audit := &events{}
	c, _ := writing(func(c *standard.Config) {
		c.Mail.Sender = failing{err: mail.Permanent(errors.New("refused"))}
		c.Service = func(s *auth.Config) { s.Audit = audit }
	})
	site, store := assembled(t, c)
	now := time.Now()
	require.NoError(t, store.AddLetters(t.Context(), auth.Letter{
		ID: "letter", Kind: auth.PasswordNotice, To: ada, At: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}))
	require.NoError(t, site.Outbox.Flush(t.Context()))
	require.Contains(t, audit.what, "letter-failed")
}

// Whoever closes the database after Run must not close it under a mail that is being sent.
func TestRunWaitsForTheMailInHand(t *testing.T) {
	sender := failing{began: make(chan struct{}), proceed: make(chan struct{})}
	c, _ := writing(func(c *standard.Config) { c.Mail.Sender = sender })
	site, store := assembled(t, c)
	now := time.Now()
	require.NoError(t, store.AddLetters(t.Context(), auth.Letter{
		ID: "letter", Kind: auth.PasswordNotice, To: ada, At: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- site.Run(ctx) }()
	<-sender.began
	stop()
	select {
	case <-ended:
		require.Fail(t, "Run ended with a mail in its hands")
	case <-time.After(50 * time.Millisecond):
	}
	close(sender.proceed)
	require.ErrorIs(t, <-ended, context.Canceled)
	queued, err := store.ClaimLetters(t.Context(), now.Add(30*time.Minute), now, 10)
	require.NoError(t, err)
	require.Empty(t, queued, "and noted that it was sent")
}
