// Package standard puts the parts of Cardea together in one call: accounts, flows and sessions in one SQLite
// database, passwords hashed with Argon2id, throttling, pages and a JSON API; and mails, if it is told how to send
// them.
//
//	site, err := standard.Open(ctx, standard.Config{
//		Origin: "https://app.example", Product: "Example", Driver: "sqlite", Database: "app.db",
//	})
//
// [Open] takes the few things that it cannot know and chooses the rest; every choice can be changed through
// the fields that hold the parts' own configurations. The result is an http.Handler for everything below
// /auth/, with Require, RequireFresh and RequireConfirmed to guard the host's own handlers.
//
// With [Config.Mail] set, whoever signs in with a password from a device that is not trusted is asked for a code
// from a mail, a forgotten password can be replaced, people can be invited, and owners are told of what was done
// to their accounts. [Config.SignUp] lets strangers open accounts, too.
//
// The package imports every feature it assembles, so a program that uses it links them all. Programs that
// want fewer wire the parts by hand; it takes about forty lines more, and examples/byhand shows them.
//
// The host supplies the SQL driver by importing it, serves the handler, and calls [Site.Run] in a goroutine
// of its own; nothing here starts one.
package standard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/mfa"
	"github.com/cardea-auth/cardea/mfa/totp"
	"github.com/cardea-auth/cardea/mfa/webauthn"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/session"
)

// Config is what a Site is made from. Origin, Product, Driver and Database are required.
type Config struct {
	// Origin is the public base URL, such as "https://app.example". Plain http is for loopback hosts, in
	// development; cookies then lose their Secure attribute and their __Host- prefix.
	Origin string
	// Product is the name that the pages show.
	Product string
	// Driver is the name under which an SQLite driver registered itself with database/sql.
	Driver string
	// Database is the path of the database file. It is created if it does not exist, readable by its
	// owner alone.
	Database string
	// KeyFile is the path of the file with the master keys; see LoadKeys. Empty means Database with
	// ".key" appended. They pepper the passwords, so keep a copy of the file, apart from the copies of the
	// database: whoever loses it loses all passwords.
	KeyFile string
	// TrustedProxies are the addresses of the reverse proxies whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix
	// Native also serves native clients, with bearer tokens instead of cookies; see authhttp.Config.
	Native bool
	// Mail is how the site writes to people. The zero value writes to nobody.
	Mail Mail
	// SignUp lets strangers open accounts, whose addresses are verified by mail. It requires Mail. If it is
	// false, accounts are made by the host and by invitation.
	SignUp bool
	// Providers are social providers that people can connect and then sign in with (federation/presets,
	// federation/oidc, federation/goth), in the order in which they are offered. The redirect address to register
	// with each is Origin, "/auth/provider/", its id and "/callback"; with OpenID providers there are also Origin and
	// "/auth/signed-out", where people return to who signed out there, and the redirect address with "/logout" at its end
	// instead, for logout tokens.
	Providers []auth.Provider
	// Passwords, Sessions and Passkeys are the parts' own configurations. In that of passkeys, Keys, Origin and
	// Product are those of the site unless they are set; its RPID is worth a thought before the first one is made.
	Passwords password.Config
	Sessions  session.Config
	Passkeys  webauthn.Config
	// Service and HTTP, if set, may change the assembled configurations before they are used.
	Service func(*auth.Config)
	HTTP    func(*authhttp.Config)
	// Logger receives decisions and faults. Nil discards.
	Logger *slog.Logger
}

// Site is an assembled installation. It is an http.Handler for everything below /auth/ and for
// /.well-known/change-password. It is safe for concurrent use.
type Site struct {
	*authhttp.Handler
	// Service is for what the pages do not do: creating, disabling and deleting accounts, and the report.
	Service *auth.Service
	// Store is the database; the host may share its pool.
	Store *sqlstore.Store
	// Outbox sends the mails. It is nil if Config.Mail is not set.
	Outbox *mail.Outbox
}

// stores keep everything; *sqlstore.Store is all of them in one.
type stores interface {
	auth.Directory
	auth.AccountStore
	auth.PasswordStore
	auth.FlowStore
	auth.Counters
	auth.LetterStore
	auth.TicketStore
	auth.FactorStore
	auth.ActivityStore
	auth.LinkStore
	auth.ProviderSessionStore
	session.Store
	session.TrustStore
}

// Open opens the database, creates or migrates its schema, reads or makes the keys and assembles the rest.
// Its error names every problem that it finds. The caller closes the Site.
func Open(ctx context.Context, c Config) (*Site, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.OpenSQLite(ctx, c.Driver, c.Database, sqlstore.Options{})
	if err != nil {
		return nil, fmt.Errorf("standard: %w", err)
	}
	site, err := assemble(c, keys, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	site.Store = store
	return site, nil
}

// keys reads the master keys. It makes them only together with the database: a new key beside an old database
// could verify none of its passwords, and would hide that the old one is lost.
func (c Config) keys() (auth.Keys, error) {
	path := cmp.Or(c.KeyFile, c.Database+".key")
	_, databaseErr := os.Stat(c.Database) // first: another process may be making both, the keys before the database
	_, keyErr := os.Stat(path)
	if errors.Is(keyErr, fs.ErrNotExist) && databaseErr == nil {
		return auth.Keys{}, fmt.Errorf("standard: the database %s is there and its keys %s are not; bring them back, for without them no password can be verified", c.Database, path)
	}
	return LoadKeys(path)
}

func (c Config) check() error {
	var problems []error
	for _, field := range []struct{ name, value string }{
		{"Origin", c.Origin}, {"Product", c.Product}, {"Driver", c.Driver}, {"Database", c.Database},
	} {
		if field.value == "" {
			problems = append(problems, fmt.Errorf("%s is required", field.name))
		}
	}
	problems = append(problems, c.mailProblems()...)
	if len(problems) > 0 {
		return fmt.Errorf("standard: invalid Config:\n%w", errors.Join(problems...))
	}
	return nil
}

// assemble puts the parts together over the stores.
func assemble(c Config, keys auth.Keys, store stores) (*Site, error) {
	config, err := c.features(keys, store)
	if err != nil {
		return nil, err
	}
	if err := c.factors(&config, store); err != nil {
		return nil, err
	}
	var outbox *mail.Outbox
	if c.Mail.set() {
		if err := c.mailing(&config, store); err != nil {
			return nil, err
		}
		config.Posted = func() { outbox.Notify() }
	}
	if c.Service != nil {
		c.Service(&config)
	}
	service, err := auth.New(config)
	if err != nil {
		return nil, err
	}
	web := authhttp.Config{
		Service: service, Keys: keys, Origin: c.Origin, Product: c.Product, Support: c.Mail.supportLink(),
		TrustedProxies: c.TrustedProxies, Native: c.Native,
		InsecureCookiesForLoopback: strings.HasPrefix(c.Origin, "http://"), Logger: c.Logger,
	}
	if c.HTTP != nil {
		c.HTTP(&web)
	}
	handler, err := authhttp.New(web)
	if c.Mail.set() {
		var outboxErr error
		outbox, outboxErr = c.outbox(config, web)
		err = errors.Join(err, outboxErr)
	}
	if err != nil {
		return nil, err
	}
	return &Site{Handler: handler, Service: service, Outbox: outbox}, nil
}

// factors lets people add second factors to their password, and sign in with a passkey alone. Nobody has to: that is
// for the rules to say. Where Origin's host is an IP address there are no passkeys.
func (c Config) factors(config *auth.Config, store stores) error {
	issuer := strings.ReplaceAll(c.Product, ":", " ") // apps end the issuer at a colon
	apps, appErr := totp.New(totp.Config{Keys: config.Keys, Issuer: issuer})
	codes, codeErr := mfa.NewCodes(mfa.CodesConfig{Keys: config.Keys})
	config.Factors, config.Apps, config.Codes = store, apps, codes
	if err := errors.Join(appErr, codeErr); err != nil || byAddress(c.Origin) {
		return err
	}
	if c.Passkeys.Keys.IsZero() {
		c.Passkeys.Keys = config.Keys
	}
	c.Passkeys.Origin = cmp.Or(c.Passkeys.Origin, c.Origin)
	c.Passkeys.Product = cmp.Or(c.Passkeys.Product, shortened(c.Product))
	passkeys, err := webauthn.New(c.Passkeys)
	if err != nil {
		return err
	}
	config.Passkeys = passkeys
	return nil
}

// byAddress reports whether the origin's host is an IP address: browsers give no passkey to one.
func byAddress(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil
}

// shortened cuts a name to what an authenticator keeps of one: 64 bytes.
func shortened(name string) string {
	for len(name) > 64 {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	return name
}

// features makes what a sign-in with a password takes.
func (c Config) features(keys auth.Keys, store stores) (auth.Config, error) {
	c.Passwords.ContextWords = append(contextWords(c.Origin, c.Product), c.Passwords.ContextWords...)
	c.Passwords.Logger = cmp.Or(c.Passwords.Logger, c.Logger)
	c.Sessions.Logger = cmp.Or(c.Sessions.Logger, c.Logger)
	c.Sessions.Store = store
	if c.Passwords.Keys.IsZero() {
		c.Passwords.Keys = keys
	}
	hasher, passwordErr := password.New(c.Passwords)
	sessions, sessionErr := session.New(c.Sessions)
	devices, deviceErr := session.NewDevices(session.DevicesConfig{Keys: keys})
	if err := errors.Join(passwordErr, sessionErr, deviceErr); err != nil {
		return auth.Config{}, err
	}
	trusted, err := session.NewTrustedDevices(session.TrustedDevicesConfig{Devices: devices, Store: store})
	if err != nil {
		return auth.Config{}, err
	}
	return auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Providers: c.Providers, Links: store, ProviderSessions: store, Callbacks: strings.TrimSuffix(c.Origin, "/") + "/auth/provider/",
		Passwords: hasher, Sessions: sessions, Devices: devices, TrustedDevices: trusted, Activity: store, Logger: c.Logger,
	}, nil
}

// contextWords are what a stranger would try first: the product and the host, if they can be part of a
// password at all.
func contextWords(origin, product string) []string {
	words := []string{product}
	if u, err := url.Parse(origin); err == nil && u.Hostname() != "localhost" {
		words = append(words, u.Hostname())
	}
	return slices.DeleteFunc(words, func(w string) bool { return !password.UsableContextWord(w) })
}

// Run sweeps what expired and sends mails until ctx is done. It returns ctx's error once both have stopped; a mail
// that is being sent then is sent first, which takes a minute at most. The host calls it in a goroutine of its own.
func (s *Site) Run(ctx context.Context) error {
	if s.Outbox == nil {
		return s.Service.Run(ctx)
	}
	var sending sync.WaitGroup
	sending.Go(func() { _ = s.Outbox.Run(ctx) }) // its error is ctx's too
	err := s.Service.Run(ctx)
	sending.Wait()
	return err
}

// Close closes the database. The host ends Run before, and waits for it.
func (s *Site) Close() error { return s.Store.Close() }
