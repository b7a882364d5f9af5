// Package memory keeps everything in memory: every store that the library needs, in one value, for tests,
// demonstrations and programs whose sign-ins may be lost when they end.
//
// Start with New. The Store is the host's list of people (auth.Directory), what the library keeps of them
// (auth.AccountStore, auth.PasswordStore), their flows (auth.FlowStore), the counters of attempts
// (auth.Counters), the sessions (session.Store), the trusted devices (session.TrustStore), what mailed links stand
// for (auth.TicketStore), the second factors (auth.FactorStore), the connected identities (auth.LinkStore) and the
// providers' sessions (auth.ProviderSessionStore), the mails that are due (auth.LetterStore) and what happened lately
// (auth.ActivityStore):
//
//	store := memory.New()
//	cfg := auth.Config{
//		Directory: store, Accounts: store, PasswordStore: store, Counters: store, Flows: store,
//		// …
//	}
//
// It is for one process. Everything is lost when the process ends, attempts and locks included, so a
// program that faces strangers wants a database: see package sqlstore. The Store keeps the contracts to the
// letter, which the kits of package authtest check: acts are atomic, values are copied on the way in and on
// the way out, times are kept to the microsecond.
//
// A Store starts no goroutine and drops nothing by itself. Service.Run calls its sweeps; without them it
// grows. A session takes less than 200 bytes, its account and its share of the indexes included, in pieces of
// memory that the garbage collector need not look into; what ended sessions took is used again. Looking one
// up takes two read locks, each one of 64, and two allocations, for the proofs and for the names.
package memory

import (
	"sync"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/session"
)

// Store is every store in one. Make one with New; it is safe for concurrent use.
type Store struct {
	people   people
	flows    flows
	counters counters
	sessions sessions
	trusted  trusted
	letters  letters
	activity activity
	provider providerSessions
}

var (
	_ auth.Directory     = (*Store)(nil)
	_ auth.AccountStore  = (*Store)(nil)
	_ auth.PasswordStore = (*Store)(nil)
	_ auth.Counters      = (*Store)(nil)
	_ session.Store      = (*Store)(nil)
	_ session.TrustStore = (*Store)(nil)
	_ auth.FlowStore     = (*Store)(nil)
	_ auth.TicketStore   = (*Store)(nil)
	_ auth.LetterStore   = (*Store)(nil)
	_ auth.FactorStore   = (*Store)(nil)
	_ auth.ActivityStore = (*Store)(nil)
	_ auth.LinkStore     = (*Store)(nil)

	_ auth.ProviderSessionStore = (*Store)(nil)
)

// New returns an empty Store.
func New() *Store {
	s := &Store{}
	s.people.byID = map[string]auth.Account{}
	s.people.byIdentifier = map[string]string{}
	s.people.kept = map[string]kept{}
	s.people.tickets.init()
	s.people.factors.init()
	s.people.links.init()
	s.flows.byID = map[string]auth.FlowRecord{}
	s.counters.init()
	s.sessions.init()
	s.trusted.init()
	s.letters.init()
	s.activity.init()
	s.provider.init()
	return s
}

// people are the directory, what is kept of each account, its tickets, its factors and its links, under one lock:
// Delete ends all of it in one act.
type people struct {
	mu           sync.RWMutex
	byID         map[string]auth.Account
	byIdentifier map[string]string // to the id
	kept         map[string]kept
	tickets      tickets
	factors      factors
	links        links
}

// kept is what the library keeps of one account.
type kept struct {
	standing    auth.Standing
	hash        string
	compromised bool
	resetDue    bool
}
