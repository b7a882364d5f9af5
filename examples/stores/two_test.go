package stores_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/session"
)

// two is two Stores over one file that take turns, call by call: what one writes the other must see.
type two struct {
	stores [2]*sqlstore.Store
	calls  atomic.Uint32
}

func newTwo(t *testing.T) *two {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.db")
	return &two{stores: [2]*sqlstore.Store{openSQLite(t, path), openSQLite(t, path)}}
}

func (t *two) turn() *sqlstore.Store { return t.stores[t.calls.Add(1)%2] }

func TestTwoDirectories(t *testing.T) {
	authtest.RunDirectory(t, func(t *testing.T) auth.Directory { return newTwo(t) })
}

func TestTwoAccounts(t *testing.T) {
	authtest.RunAccounts(t, func(t *testing.T) authtest.Accounts { return newTwo(t) })
}

func TestTwoFlows(t *testing.T) {
	authtest.RunFlows(t, func(t *testing.T) auth.FlowStore { return twoFlows{newTwo(t)} })
}

func TestTwoCounters(t *testing.T) {
	authtest.RunCounters(t, func(t *testing.T) auth.Counters { return newTwo(t) })
}

func TestTwoSessions(t *testing.T) {
	authtest.RunSessions(t, func(t *testing.T) session.Store { return newTwo(t) })
}

func TestTwoTrust(t *testing.T) {
	authtest.RunTrust(t, func(t *testing.T) session.TrustStore { return newTwo(t) })
}

func TestTwoTickets(t *testing.T) {
	authtest.RunTickets(t, func(t *testing.T) authtest.Tickets { return newTwo(t) })
}

func TestTwoLetters(t *testing.T) {
	authtest.RunLetters(t, func(t *testing.T) auth.LetterStore { return newTwo(t) })
}

func TestTwoFactors(t *testing.T) {
	authtest.RunFactors(t, func(t *testing.T) authtest.Factors { return newTwo(t) })
}

func TestTwoActivity(t *testing.T) {
	authtest.RunActivity(t, func(t *testing.T) authtest.Activities { return newTwo(t) })
}

func TestTwoLinks(t *testing.T) {
	authtest.RunLinks(t, func(t *testing.T) authtest.Links { return newTwo(t) })
}

func TestTwoProviderSessions(t *testing.T) {
	authtest.RunProviderSessions(t, func(t *testing.T) auth.ProviderSessionStore { return newTwo(t) })
}

func (t *two) FindByIdentifier(ctx context.Context, identifier string) (auth.Account, error) {
	return t.turn().FindByIdentifier(ctx, identifier)
}

func (t *two) FindByID(ctx context.Context, id string) (auth.Account, error) {
	return t.turn().FindByID(ctx, id)
}

func (t *two) Create(ctx context.Context, a auth.Account) error { return t.turn().Create(ctx, a) }

func (t *two) ChangeIdentifier(ctx context.Context, id, from, to, display string) error {
	return t.turn().ChangeIdentifier(ctx, id, from, to, display)
}

func (t *two) Open(ctx context.Context, id string, status flow.Status, hash string, now time.Time) error {
	return t.turn().Open(ctx, id, status, hash, now)
}

func (t *two) State(ctx context.Context, id string) (auth.AccountState, error) {
	return t.turn().State(ctx, id)
}

func (t *two) SetStatus(ctx context.Context, id string, from auth.Standing, to flow.Status, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	return t.turn().SetStatus(ctx, id, from, to, now, letters...)
}

func (t *two) RaiseEpochs(ctx context.Context, id string, least flow.Epochs) (flow.Epochs, error) {
	return t.turn().RaiseEpochs(ctx, id, least)
}

func (t *two) Delete(ctx context.Context, id string) error { return t.turn().Delete(ctx, id) }

func (t *two) PasswordHash(ctx context.Context, id string) (string, error) {
	return t.turn().PasswordHash(ctx, id)
}

func (t *two) ReplacePassword(ctx context.Context, id string, from flow.Epochs, hash string, end bool, now time.Time, letters ...auth.Letter) (flow.Epochs, error) {
	return t.turn().ReplacePassword(ctx, id, from, hash, end, now, letters...)
}

func (t *two) Rehash(ctx context.Context, id, old, hash string) error {
	return t.turn().Rehash(ctx, id, old, hash)
}

func (t *two) MarkCompromised(ctx context.Context, id string, now time.Time) (flow.Epochs, error) {
	return t.turn().MarkCompromised(ctx, id, now)
}

func (t *two) Take(ctx context.Context, buckets []auth.Bucket, now time.Time) (auth.Taken, error) {
	return t.turn().Take(ctx, buckets, now)
}

func (t *two) Refund(ctx context.Context, buckets []auth.Bucket, now time.Time) error {
	return t.turn().Refund(ctx, buckets, now)
}

func (t *two) Reset(ctx context.Context, keys ...string) error { return t.turn().Reset(ctx, keys...) }

func (t *two) SweepCounters(ctx context.Context, now time.Time, limit int) (int, error) {
	return t.turn().SweepCounters(ctx, now, limit)
}

func (t *two) CreateSession(ctx context.Context, r session.Record, expect auth.Standing, o session.CreateOptions) error {
	return t.turn().CreateSession(ctx, r, expect, o)
}

func (t *two) FindSession(ctx context.Context, hash [32]byte) (session.Record, auth.Standing, error) {
	return t.turn().FindSession(ctx, hash)
}

func (t *two) TouchSession(ctx context.Context, hash [32]byte, seen, expires time.Time) error {
	return t.turn().TouchSession(ctx, hash, seen, expires)
}

func (t *two) EndSession(ctx context.Context, account, id string) error {
	return t.turn().EndSession(ctx, account, id)
}

func (t *two) ListSessions(ctx context.Context, account string, now time.Time, limit int) ([]session.Record, error) {
	return t.turn().ListSessions(ctx, account, now, limit)
}

func (t *two) AlignStanding(ctx context.Context, account string, s auth.Standing) (auth.Standing, error) {
	return t.turn().AlignStanding(ctx, account, s)
}

func (t *two) RaiseStanding(ctx context.Context, account string, from, to auth.Standing, keep string) error {
	return t.turn().RaiseStanding(ctx, account, from, to, keep)
}

func (t *two) SweepSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	return t.turn().SweepSessions(ctx, now, limit)
}

func (t *two) PutTrust(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
	return t.turn().PutTrust(ctx, r, now, limit)
}

func (t *two) FindTrust(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error) {
	return t.turn().FindTrust(ctx, account, device)
}

func (t *two) TouchTrust(ctx context.Context, account string, device [32]byte, epoch uint64, seen time.Time) error {
	return t.turn().TouchTrust(ctx, account, device, epoch, seen)
}

func (t *two) RestampTrust(ctx context.Context, account string, device [32]byte, from, to uint64) error {
	return t.turn().RestampTrust(ctx, account, device, from, to)
}

func (t *two) ListTrust(ctx context.Context, account string, epoch uint64, now time.Time, limit int) ([]session.TrustRecord, error) {
	return t.turn().ListTrust(ctx, account, epoch, now, limit)
}

func (t *two) RenameTrust(ctx context.Context, account, id, name string) error {
	return t.turn().RenameTrust(ctx, account, id, name)
}

func (t *two) RemoveTrust(ctx context.Context, account, id string) error {
	return t.turn().RemoveTrust(ctx, account, id)
}

func (t *two) RemoveAllTrust(ctx context.Context, account string) error {
	return t.turn().RemoveAllTrust(ctx, account)
}

func (t *two) SweepTrust(ctx context.Context, now time.Time, limit int) (int, error) {
	return t.turn().SweepTrust(ctx, now, limit)
}

func (t *two) AddTicket(ctx context.Context, ticket auth.Ticket, letters ...auth.Letter) error {
	return t.turn().AddTicket(ctx, ticket, letters...)
}

func (t *two) FindTicket(ctx context.Context, id string, now time.Time) (auth.Ticket, error) {
	return t.turn().FindTicket(ctx, id, now)
}

func (t *two) DropTickets(ctx context.Context, account string, p auth.Purpose) error {
	return t.turn().DropTickets(ctx, account, p)
}

func (t *two) Reserved(ctx context.Context, identifier string, now time.Time) (bool, error) {
	return t.turn().Reserved(ctx, identifier, now)
}

func (t *two) CompleteRecovery(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return t.turn().CompleteRecovery(ctx, c)
}

func (t *two) CompleteActivation(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return t.turn().CompleteActivation(ctx, c)
}

func (t *two) ChangeAddress(ctx context.Context, id string, from auth.Standing, undo auth.Ticket, letters ...auth.Letter) (flow.Epochs, error) {
	return t.turn().ChangeAddress(ctx, id, from, undo, letters...)
}

func (t *two) CompleteUndo(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
	return t.turn().CompleteUndo(ctx, c)
}

func (t *two) SweepTickets(ctx context.Context, now time.Time, limit int) (int, error) {
	return t.turn().SweepTickets(ctx, now, limit)
}

func (t *two) AddLetters(ctx context.Context, letters ...auth.Letter) error {
	return t.turn().AddLetters(ctx, letters...)
}

func (t *two) ClaimLetters(ctx context.Context, now, until time.Time, limit int) ([]auth.QueuedLetter, error) {
	return t.turn().ClaimLetters(ctx, now, until, limit)
}

func (t *two) PostponeLetter(ctx context.Context, id string, attempts int, due time.Time) error {
	return t.turn().PostponeLetter(ctx, id, attempts, due)
}

func (t *two) RemoveLetter(ctx context.Context, id string) error {
	return t.turn().RemoveLetter(ctx, id)
}

func (t *two) SweepLetters(ctx context.Context, now time.Time, limit int) ([]auth.Letter, error) {
	return t.turn().SweepLetters(ctx, now, limit)
}

func (t *two) Factors(ctx context.Context, account string) ([]auth.StoredFactor, error) {
	return t.turn().Factors(ctx, account)
}

func (t *two) FindPasskey(ctx context.Context, handle string) (auth.StoredFactor, error) {
	return t.turn().FindPasskey(ctx, handle)
}

func (t *two) ChangeFactors(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
	return t.turn().ChangeFactors(ctx, c)
}

func (t *two) UseFactor(ctx context.Context, account, id string, from, to int64, data string, now time.Time) error {
	return t.turn().UseFactor(ctx, account, id, from, to, data, now)
}

func (t *two) ConsumeFactor(ctx context.Context, account, id, data string) error {
	return t.turn().ConsumeFactor(ctx, account, id, data)
}

func (t *two) RenameFactor(ctx context.Context, account, id, name string) error {
	return t.turn().RenameFactor(ctx, account, id, name)
}

func (t *two) Links(ctx context.Context, account string) ([]auth.Link, error) {
	return t.turn().Links(ctx, account)
}

func (t *two) FindLink(ctx context.Context, id string) (auth.Link, error) {
	return t.turn().FindLink(ctx, id)
}

func (t *two) AddLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return t.turn().AddLink(ctx, c)
}

func (t *two) RemoveLink(ctx context.Context, c auth.LinkChange) (flow.Epochs, error) {
	return t.turn().RemoveLink(ctx, c)
}

func (t *two) UseLink(ctx context.Context, account, id, email, name string, now time.Time) error {
	return t.turn().UseLink(ctx, account, id, email, name, now)
}

func (t *two) ReleaseLink(ctx context.Context, id string) error { return t.turn().ReleaseLink(ctx, id) }

func (t *two) AttachSession(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
	return t.turn().AttachSession(ctx, sessions, now)
}

func (t *two) SessionsOf(ctx context.Context, key string, now time.Time) ([]auth.ProviderSession, error) {
	return t.turn().SessionsOf(ctx, key, now)
}

func (t *two) EndSessions(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
	return t.turn().EndSessions(ctx, key, now, until)
}

func (t *two) SweepProviderSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	return t.turn().SweepProviderSessions(ctx, now, limit)
}

// twoFlows is two as the store of flows.
type twoFlows struct{ *two }

func (t twoFlows) CreateFlow(ctx context.Context, r auth.FlowRecord) error {
	return t.turn().CreateFlow(ctx, r)
}

func (t twoFlows) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	return t.turn().LoadFlow(ctx, id, now)
}

func (t twoFlows) SaveFlow(ctx context.Context, r auth.FlowRecord) error {
	return t.turn().SaveFlow(ctx, r)
}

func (t twoFlows) SweepFlows(ctx context.Context, now time.Time, limit int) (int, error) {
	return t.turn().SweepFlows(ctx, now, limit)
}

func (t *two) RecordActivity(ctx context.Context, a auth.Activity, keep int) error {
	return t.turn().RecordActivity(ctx, a, keep)
}

func (t *two) ListActivity(ctx context.Context, account string, now time.Time, limit int) ([]auth.Activity, error) {
	return t.turn().ListActivity(ctx, account, now, limit)
}

func (t *two) SweepActivity(ctx context.Context, now time.Time, limit int) (int, error) {
	return t.turn().SweepActivity(ctx, now, limit)
}
