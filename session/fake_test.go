package session_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// fakeStore keeps sessions in maps, by the letter of the contract. It counts its calls and can be told to
// fail or to hang.
type fakeStore struct {
	mu        sync.Mutex
	sessions  map[[32]byte]session.Record
	standings map[string]auth.Standing
	calls     map[string]int
	fail      map[string]error // by method; the call changes nothing
	hang      bool             // until the context is done
}

var _ session.Store = (*fakeStore)(nil)

func newFakeStore() *fakeStore {
	return &fakeStore{
		sessions: map[[32]byte]session.Record{}, standings: map[string]auth.Standing{},
		calls: map[string]int{}, fail: map[string]error{},
	}
}

// enter locks the store unless the call is to fail.
func (s *fakeStore) enter(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls[method]++
	err, hang := s.fail[method], s.hang
	if hang {
		s.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	if err = cmp.Or(err, ctx.Err()); err != nil {
		s.mu.Unlock()
	}
	return err
}

func (s *fakeStore) live(account string, now time.Time) []session.Record {
	var list []session.Record
	for _, r := range s.sessions {
		if r.Account == account && r.Epoch == s.standings[account].Epochs.Session && r.ExpiresAt.After(now) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b session.Record) int {
		return cmp.Or(b.SeenAt.Compare(a.SeenAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func (s *fakeStore) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	if err := s.enter(ctx, "CreateSession"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	known, ok := s.standings[r.Account]
	if ok && (known.Epochs.Session > expect.Epochs.Session || known.Epochs.Security > expect.Epochs.Security ||
		known.Epochs == expect.Epochs && known.Status != expect.Status) {
		return auth.ErrStale
	}
	live := s.live(r.Account, o.Now)
	var replaced *session.Record
	for _, l := range s.sessions {
		if l.ID == r.ID || l.Hash == r.Hash {
			return auth.ErrTaken
		}
		if o.Replaces != "" && l.ID == o.Replaces && l.Account == r.Account {
			replaced = &l
		}
	}
	if o.Replaces != "" && replaced == nil {
		return auth.ErrStale
	}
	live = slices.DeleteFunc(live, func(l session.Record) bool { return l.ID == o.Replaces })
	if o.Limit > 0 && len(live) >= o.Limit {
		if !o.Evict {
			return auth.ErrLimit
		}
		oldest := slices.MinFunc(live, func(a, b session.Record) int { return a.CreatedAt.Compare(b.CreatedAt) })
		delete(s.sessions, oldest.Hash)
	}
	if replaced != nil {
		delete(s.sessions, replaced.Hash)
	}
	s.sessions[r.Hash] = r
	s.standings[r.Account] = expect
	return nil
}

func (s *fakeStore) FindSession(ctx context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	if err := s.enter(ctx, "FindSession"); err != nil {
		return session.Record{}, auth.Standing{}, err
	}
	defer s.mu.Unlock()
	r, ok := s.sessions[hash]
	if !ok {
		return session.Record{}, auth.Standing{}, auth.ErrNotFound
	}
	return r, s.standings[r.Account], nil
}

func (s *fakeStore) TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
	if err := s.enter(ctx, "TouchSession"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if r, ok := s.sessions[hash]; ok && !r.SeenAt.After(seen) {
		r.SeenAt, r.ExpiresAt = seen, expires
		s.sessions[hash] = r
	}
	return nil
}

func (s *fakeStore) EndSession(ctx context.Context, account, id string) error {
	if err := s.enter(ctx, "EndSession"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for hash, r := range s.sessions {
		if r.Account == account && r.ID == id {
			delete(s.sessions, hash)
			return nil
		}
	}
	return auth.ErrNotFound
}

func (s *fakeStore) ListSessions(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error) {
	if err := s.enter(ctx, "ListSessions"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	live := s.live(account, now)
	return live[:min(limit, len(live))], nil
}

func (s *fakeStore) AlignStanding(ctx context.Context, account string, to auth.Standing) (auth.Standing, error) {
	if err := s.enter(ctx, "AlignStanding"); err != nil {
		return auth.Standing{}, err
	}
	defer s.mu.Unlock()
	was, ok := s.standings[account]
	is := was
	if !ok || to.Epochs.Security >= was.Epochs.Security {
		is.Status = to.Status
	}
	is.Epochs.Security = max(was.Epochs.Security, to.Epochs.Security)
	is.Epochs.Session = max(was.Epochs.Session, to.Epochs.Session)
	s.standings[account] = is
	return is, nil
}

func (s *fakeStore) RaiseStanding(ctx context.Context, account string, from, to auth.Standing, keep string) error {
	if err := s.enter(ctx, "RaiseStanding"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if to.Epochs == from.Epochs || to.Epochs.Security < from.Epochs.Security || to.Epochs.Session < from.Epochs.Session {
		return errors.New("nothing is raised")
	}
	if known := s.standings[account]; known != from && known != (auth.Standing{}) {
		return auth.ErrStale
	}
	kept := keep == ""
	for hash, r := range s.sessions {
		if keep != "" && r.Account == account && r.ID == keep && r.Epoch == from.Epochs.Session {
			r.Epoch = to.Epochs.Session
			s.sessions[hash], kept = r, true
		}
	}
	if !kept {
		return auth.ErrStale
	}
	s.standings[account] = to
	return nil
}

func (s *fakeStore) SweepSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := s.enter(ctx, "SweepSessions"); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	n := 0
	for hash, r := range s.sessions {
		if n < limit && (!r.ExpiresAt.After(now) || r.Epoch != s.standings[r.Account].Epochs.Session) {
			delete(s.sessions, hash)
			n++
		}
	}
	return n, nil
}

const (
	day  = 24 * time.Hour
	anna = "acct-anna"
)

var (
	start    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	standing = auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}}
	denied   = flow.Deny(flow.SessionRequired)
	errDown  = errors.New("the database is down")
)

func newManager(t testing.TB, store session.Store, change ...func(*session.Config)) *session.Manager {
	t.Helper()
	cfg := session.Config{Store: store}
	for _, c := range change {
		c(&cfg)
	}
	m, err := session.New(cfg)
	require.NoError(t, err)
	return m
}

func proof(m flow.Method, at time.Time) flow.Proof {
	return flow.Proof{Method: m, At: at, Account: anna}
}

// inherited marks proofs as a flow that begins with a session does.
func inherited(proofs []flow.Proof) []flow.Proof {
	marked := slices.Clone(proofs)
	for i := range marked {
		marked[i].Inherited = true
	}
	return marked
}

func request(proofs ...flow.Proof) auth.SessionRequest {
	return auth.SessionRequest{Account: anna, Standing: standing, Proofs: proofs, Assurance: flow.AssuranceOf(proofs)}
}

// signIn issues a session by password as of now.
func signIn(t testing.TB, m *session.Manager, keep bool, now time.Time) auth.IssuedSession {
	t.Helper()
	r := request(proof(flow.Password, now))
	r.Keep = keep
	issued, err := m.Issue(t.Context(), r, now)
	require.NoError(t, err)
	return issued
}
