package oidctest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// How long things live.
const (
	codeLife    = time.Minute
	accessLife  = time.Hour
	idTokenLife = 5 * time.Minute
	sessionLife = 12 * time.Hour
	askingLife  = 10 * time.Minute
)

// Provider is an OpenID provider for tests and demos. It is an http.Handler for everything below its issuer. Make it
// with New or Start. It is safe for concurrent use, and has no goroutines of its own.
type Provider struct {
	cfg    Config
	base   string // the issuer's path
	cookie string
	now    func() time.Time
	http   *http.Client

	mu       sync.Mutex
	mode     Mode
	only     []string // the paths that a failure is confined to; nil for all
	asked    int      // authorization requests since the mode was set
	clients  map[string]Client
	people   []Person
	here     *presence // who is signed in without a page; nil for nobody
	keys     *keySet   // those that sign
	retired  []*keySet // those that signed, for hints
	strange  []*keySet // those that never sign
	jwksPath string
	sessions map[string]*session
	asking   map[string]*request // shown on a page, to be answered
	codes    map[string]*grant
	access   map[string]*grant
	alter    func(*Token)
	seen     Log
}

// presence is who answers without a page.
type presence struct {
	subject string
	since   time.Time
}

// New returns a provider, or an error that names every problem of its Config. It refuses an issuer that is not on a
// loopback host, since it lets anybody in as anybody.
func New(c Config) (*Provider, error) {
	if err := errors.Join(c.problems()...); err != nil {
		return nil, fmt.Errorf("oidctest: invalid Config: %w", err)
	}
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(c.Issuer)) // browsers do not tell ports apart, so that two providers need two names
	p := &Provider{
		cfg: c, base: u.Path, cookie: "oidctest_" + hex.EncodeToString(sum[:4]), now: c.Now, http: c.HTTP,
		clients: map[string]Client{}, people: slices.Clone(c.People), jwksPath: pathKeys,
		sessions: map[string]*session{}, asking: map[string]*request{},
		codes: map[string]*grant{}, access: map[string]*grant{}, seen: Log{Fetches: map[string]int{}},
	}
	p.cfg.Delay = cmp.Or(c.Delay, 30*time.Second)
	if p.now == nil {
		p.now = time.Now
	}
	if p.http == nil {
		p.http = &http.Client{
			Timeout:       5 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	for _, k := range c.Clients {
		p.clients[k.ID] = k.filled()
	}
	if !c.Interactive {
		p.here = &presence{c.People[0].Subject, p.now()}
	}
	p.keys = newKeySet()
	return p, nil
}

// Issuer returns the provider's issuer.
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// Register adds a client, or replaces the one with its ID. It panics if the client cannot be one.
func (p *Provider) Register(k Client) {
	if err := k.problem(); err != nil {
		panic("oidctest: " + err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[k.ID] = k.filled()
}

// SetPerson adds a person, or replaces the one with the subject: what is told of them from now on.
func (p *Provider) SetPerson(person Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.people, func(q Person) bool { return q.Subject == person.Subject }); i >= 0 {
		p.people[i] = person
		return
	}
	p.people = append(p.people, person)
}

// SignIn makes the subject the one whom the next requests are answered as, without a page, authenticated now. The empty
// subject is nobody: browsers with a session keep it, and others see the page. It panics if there is no such person.
func (p *Provider) SignIn(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if subject == "" {
		p.here = nil
		return
	}
	if _, ok := p.person(subject); !ok {
		panic(fmt.Sprintf("oidctest: nobody has the subject %q", subject))
	}
	p.here = &presence{subject, p.now()}
}

// SetMode sets what is wrong or special from now on, as Modes and Failures list it; Default ends it. Down, Garbage,
// Slow and Huge can be confined to paths such as "/token", which are those that Log.Fetches counts. Keys, sessions and
// codes stay. It panics on a mode that is in neither list.
func (p *Provider) SetMode(m Mode, only ...string) {
	if m != Default && m.Info().Mode == "" {
		panic(fmt.Sprintf("oidctest: no mode %q", string(m)))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.only, p.asked, p.jwksPath = m, slices.Clone(only), 0, pathKeys
	if m == DiscoveryJWKSURIKeys {
		p.jwksPath = pathKeys + "-" + random()[:10]
	}
}

// Alter has f change every token and answer of /userinfo before it is signed; nil ends that. It may be called by
// several requests at once.
func (p *Provider) Alter(f func(*Token)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alter = f
}

// Rotate replaces the signing keys. The old ones are not published any more.
func (p *Provider) Rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rotate()
}

func (p *Provider) rotate() {
	p.retired = append(p.retired, p.keys)
	p.keys = newKeySet()
}

// state returns what most requests need to know.
func (p *Provider) state() (Mode, *keySet, func(*Token)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.keys, p.alter
}

func (p *Provider) person(subject string) (Person, bool) {
	i := slices.IndexFunc(p.people, func(q Person) bool { return q.Subject == subject })
	if i < 0 {
		return Person{}, false
	}
	return p.people[i], true
}

// random returns 256 bits as text.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return encoded(b[:])
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
