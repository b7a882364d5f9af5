package stores_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/session"
)

// acts are all the methods that change something, each on a database that somebody has used.
var acts = map[string]func(ctx context.Context, s *sqlstore.Store) error{
	"Create": func(ctx context.Context, s *sqlstore.Store) error {
		return s.Create(ctx, auth.Account{ID: "new", Identifier: "new@example.org"})
	},
	"ChangeIdentifier": func(ctx context.Context, s *sqlstore.Store) error {
		return s.ChangeIdentifier(ctx, "a1", "a1@example.org", "new@example.org", "New")
	},
	"Open": func(ctx context.Context, s *sqlstore.Store) error {
		return s.Open(ctx, "new", flow.Active, "hash", noon)
	},
	"SetStatus": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SetStatus(ctx, "a1", active, flow.Locked, noon, dueLetter("new1"), dueLetter("new2"))
		return err
	},
	"RaiseEpochs": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.RaiseEpochs(ctx, "a1", flow.Epochs{Security: 5, Session: 6})
		return err
	},
	"ReplacePassword": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.ReplacePassword(ctx, "a1", active.Epochs, "new", true, noon, dueLetter("new1"), dueLetter("new2"))
		return err
	},
	"Rehash": func(ctx context.Context, s *sqlstore.Store) error { return s.Rehash(ctx, "a1", "hash", "new") },
	"MarkCompromised": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.MarkCompromised(ctx, "a1", noon)
		return err
	},
	"Delete":              func(ctx context.Context, s *sqlstore.Store) error { return s.Delete(ctx, "a1") },
	"Delete with factors": func(ctx context.Context, s *sqlstore.Store) error { return s.Delete(ctx, "a3") },
	"Delete with links":   func(ctx context.Context, s *sqlstore.Store) error { return s.Delete(ctx, "a4") },
	"Flows.Create": func(ctx context.Context, s *sqlstore.Store) error {
		return s.CreateFlow(ctx, auth.FlowRecord{ID: "new", Version: 1, ExpiresAt: noon.Add(time.Hour)})
	},
	"Flows.Save": func(ctx context.Context, s *sqlstore.Store) error {
		return s.SaveFlow(ctx, auth.FlowRecord{ID: "f1", Version: 2, Data: []byte("new"), ExpiresAt: noon.Add(time.Hour)})
	},
	"SweepFlows": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepFlows(ctx, noon.Add(2*time.Hour), 10)
		return err
	},
	"Take": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.Take(ctx, buckets, noon)
		return err
	},
	"Refund": func(ctx context.Context, s *sqlstore.Store) error { return s.Refund(ctx, buckets, noon) },
	"Reset":  func(ctx context.Context, s *sqlstore.Store) error { return s.Reset(ctx, "b1", "b2") },
	"SweepCounters": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepCounters(ctx, noon.Add(48*time.Hour), 10)
		return err
	},
	"CreateSession": func(ctx context.Context, s *sqlstore.Store) error {
		raised := auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 2, Session: 1}}
		return s.CreateSession(ctx, signedIn("new"), raised, session.CreateOptions{Now: noon, Replaces: "s1", Limit: 1, Evict: true})
	},
	"TouchSession": func(ctx context.Context, s *sqlstore.Store) error {
		return s.TouchSession(ctx, signedIn("s1").Hash, noon.Add(time.Minute), noon.Add(2*time.Hour))
	},
	"EndSession": func(ctx context.Context, s *sqlstore.Store) error { return s.EndSession(ctx, "a1", "s1") },
	"AlignStanding": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.AlignStanding(ctx, "a1", auth.Standing{Status: flow.Locked, Epochs: flow.Epochs{Security: 2, Session: 2}})
		return err
	},
	"RaiseStanding": func(ctx context.Context, s *sqlstore.Store) error {
		raised := auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 2, Session: 2}}
		return s.RaiseStanding(ctx, "a1", active, raised, "s1")
	},
	"PutTrust": func(ctx context.Context, s *sqlstore.Store) error {
		r := trusting("t1")
		r.ID, r.Epoch = "new", 2
		return s.PutTrust(ctx, r, noon, 1)
	},
	"TouchTrust": func(ctx context.Context, s *sqlstore.Store) error {
		return s.TouchTrust(ctx, "a1", trusting("t1").Device, 1, noon.Add(time.Minute))
	},
	"RestampTrust": func(ctx context.Context, s *sqlstore.Store) error {
		return s.RestampTrust(ctx, "a1", trusting("t1").Device, 1, 2)
	},
	"RenameTrust":    func(ctx context.Context, s *sqlstore.Store) error { return s.RenameTrust(ctx, "a1", "t1", "new") },
	"RemoveTrust":    func(ctx context.Context, s *sqlstore.Store) error { return s.RemoveTrust(ctx, "a1", "t1") },
	"RemoveAllTrust": func(ctx context.Context, s *sqlstore.Store) error { return s.RemoveAllTrust(ctx, "a1") },
	"SweepTrust": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepTrust(ctx, noon.Add(2*time.Hour), 10)
		return err
	},
	"AddTicket": func(ctx context.Context, s *sqlstore.Store) error {
		return s.AddTicket(ctx, mailed("new", "a1", auth.ForReset), dueLetter("new1"), dueLetter("new2"))
	},
	"DropTickets": func(ctx context.Context, s *sqlstore.Store) error { return s.DropTickets(ctx, "a1", auth.ForUndo) },
	"CompleteRecovery": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.CompleteRecovery(ctx, using("t1", "a1", active))
		return err
	},
	"CompleteRecovery that forgets": func(ctx context.Context, s *sqlstore.Store) error {
		c := using("t8", "a4", linked)
		c.ForgetFactors, c.ForgetLinks = true, true
		_, err := s.CompleteRecovery(ctx, c)
		return err
	},
	"CompleteActivation": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.CompleteActivation(ctx, using("t5", "a2", auth.Standing{Epochs: active.Epochs}))
		return err
	},
	"ChangeAddress": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.ChangeAddress(ctx, "a1", active, mailed("new", "a1", auth.ForUndo), dueLetter("new1"), dueLetter("new2"))
		return err
	},
	"CompleteUndo": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.CompleteUndo(ctx, using("t3", "a1", active))
		return err
	},
	"SweepTickets": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepTickets(ctx, noon.Add(2*time.Hour), 3)
		return err
	},
	"ChangeFactors": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.ChangeFactors(ctx, auth.FactorChange{
			Account: "a3", From: enrolled, Remove: []string{"f1", "f2"}, RemoveAll: flow.RecoveryCode, EndSessions: true, Now: noon,
			Add:     []auth.StoredFactor{enrolling("new1", flow.RecoveryCode), enrolling("new2", flow.RecoveryCode)},
			Letters: []auth.Letter{dueLetter("new1"), dueLetter("new2")},
		})
		return err
	},
	"UseFactor": func(ctx context.Context, s *sqlstore.Store) error {
		return s.UseFactor(ctx, "a3", "f1", 0, 5, "new", noon)
	},
	"ConsumeFactor": func(ctx context.Context, s *sqlstore.Store) error { return s.ConsumeFactor(ctx, "a3", "c1", "c1") },
	"RenameFactor":  func(ctx context.Context, s *sqlstore.Store) error { return s.RenameFactor(ctx, "a3", "f1", "new") },
	"AddLink": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.AddLink(ctx, linking("new"))
		return err
	},
	"AddLink again": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.AddLink(ctx, linking("gone"))
		return err
	},
	"RemoveLink": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.RemoveLink(ctx, linking("l1"))
		return err
	},
	"UseLink": func(ctx context.Context, s *sqlstore.Store) error {
		return s.UseLink(ctx, "a4", "l1", "new", "new", noon)
	},
	"ReleaseLink": func(ctx context.Context, s *sqlstore.Store) error { return s.ReleaseLink(ctx, "gone") },
	"AttachSession": func(ctx context.Context, s *sqlstore.Store) error {
		return s.AttachSession(ctx, []auth.ProviderSession{vouched("k1", "new"), vouched("k2", "new"), vouched("k1", "s1")}, noon)
	},
	"EndSessions": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.EndSessions(ctx, "k1", noon, noon.Add(time.Minute))
		return err
	},
	"SweepProviderSessions": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepProviderSessions(ctx, noon.Add(2*time.Hour), 10)
		return err
	},
	"AddLetters": func(ctx context.Context, s *sqlstore.Store) error {
		return s.AddLetters(ctx, dueLetter("new1"), dueLetter("new2"))
	},
	"ClaimLetters": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.ClaimLetters(ctx, noon, noon.Add(time.Minute), 10)
		return err
	},
	"PostponeLetter": func(ctx context.Context, s *sqlstore.Store) error {
		return s.PostponeLetter(ctx, "m1", 1, noon.Add(2*time.Minute))
	},
	"RemoveLetter": func(ctx context.Context, s *sqlstore.Store) error { return s.RemoveLetter(ctx, "m1") },
	"SweepLetters": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepLetters(ctx, noon.Add(2*time.Hour), 10)
		return err
	},
	"RecordActivity": func(ctx context.Context, s *sqlstore.Store) error {
		return s.RecordActivity(ctx, happened("x1", "new", noon.Add(time.Minute)), 1)
	},
	"SweepActivity": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepActivity(ctx, noon.Add(2*time.Hour), 10)
		return err
	},
	"SweepSessions": func(ctx context.Context, s *sqlstore.Store) error {
		_, err := s.SweepSessions(ctx, noon.Add(2*time.Hour), 10)
		return err
	},
}

var (
	active   = auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 1, Session: 1}}
	enrolled = auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 2, Session: 1}}
	buckets  = []auth.Bucket{{Key: "b1", Cap: 10, Forget: time.Hour}, {Key: "b2", Cap: 10, Forget: time.Hour}}
)

func signedIn(id string) session.Record {
	return session.Record{ID: id, Hash: sha256.Sum256([]byte(id)), Account: "a1", Epoch: 1, ExpiresAt: noon.Add(time.Hour)}
}

func trusting(id string) session.TrustRecord {
	return session.TrustRecord{ID: id, Device: sha256.Sum256([]byte(id)), Account: "a1", Name: id, Epoch: 1, SeenAt: noon, ExpiresAt: noon.Add(time.Hour)}
}

func happened(account, merge string, at time.Time) auth.Activity {
	return auth.Activity{
		Account: account, Class: auth.ActivityAttempt, Merge: merge, What: auth.ActivityAttemptFailed, Count: 1,
		FirstAt: at, At: at, ExpiresAt: at.Add(time.Hour),
	}
}

func dueLetter(id string) auth.Letter {
	return auth.Letter{ID: id, Kind: auth.ResetLetter, To: "a1@example.org", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
}

func mailed(id, account string, p auth.Purpose) auth.Ticket {
	t := auth.Ticket{ID: id, Purpose: p, Account: account, Security: 1, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	if p == auth.ForUndo {
		t.Security, t.Old = 0, id+"@example.org"
	}
	return t
}

func enrolling(id string, m flow.Method) auth.StoredFactor {
	return auth.StoredFactor{ID: id, Account: "a3", Method: m, Handle: id, Data: id, CreatedAt: noon}
}

func using(ticket, account string, from auth.Standing) auth.Completion {
	return auth.Completion{
		Ticket: ticket, Account: account, From: from, Hash: "new", EndSessions: true,
		Letters: []auth.Letter{dueLetter("new1"), dueLetter("new2")}, Now: noon,
	}
}

// use makes the database that the acts begin with, and returns its file.
func use(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "used.db")
	s, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Options{})
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, s.Create(ctx, auth.Account{ID: "a1", Identifier: "a1@example.org"}))
	require.NoError(t, s.Open(ctx, "a1", flow.Active, "hash", noon))
	require.NoError(t, s.Open(ctx, "a2", flow.Invited, "hash", noon))
	require.NoError(t, s.Open(ctx, "a3", flow.Active, "hash", noon))
	_, err = s.ChangeFactors(ctx, auth.FactorChange{Account: "a3", From: active, Now: noon, Add: []auth.StoredFactor{
		enrolling("f1", flow.TOTP), enrolling("f2", flow.Passkey), enrolling("c1", flow.RecoveryCode), enrolling("c2", flow.RecoveryCode),
	}})
	require.NoError(t, err)
	link(t, s)
	for _, ticket := range []auth.Ticket{
		mailed("t1", "a1", auth.ForReset), mailed("t2", "a1", auth.ForUndo), mailed("t3", "a1", auth.ForUndo), mailed("t4", "a1", auth.ForUndo),
		mailed("t5", "a2", auth.ForInvitation), mailed("t6", "a2", auth.ForReset), mailed("t7", "a3", auth.ForReset), resetting("t8"),
	} {
		require.NoError(t, s.AddTicket(ctx, ticket))
	}
	require.NoError(t, s.AttachSession(ctx, []auth.ProviderSession{vouched("k1", "s1"), vouched("k1", "s2")}, noon))
	_, err = s.EndSessions(ctx, "k1", noon.Add(-time.Hour), noon.Add(-time.Minute))
	require.NoError(t, err)
	require.NoError(t, s.AttachSession(ctx, []auth.ProviderSession{vouched("k1", "s1"), vouched("k1", "s2")}, noon))
	require.NoError(t, s.CreateFlow(ctx, auth.FlowRecord{ID: "f1", Version: 1, ExpiresAt: noon.Add(time.Hour)}))
	for range 2 {
		_, err = s.Take(ctx, buckets, noon)
		require.NoError(t, err)
	}
	for _, id := range []string{"t0", "t1", "t2"} {
		require.NoError(t, s.PutTrust(ctx, trusting(id), noon, 10))
	}
	for _, merge := range []string{"m", "n", "n"} {
		require.NoError(t, s.RecordActivity(ctx, happened("a1", merge, noon), 10))
		require.NoError(t, s.RecordActivity(ctx, happened("x1", merge, noon), 10))
	}
	require.NoError(t, s.AddLetters(ctx, dueLetter("m1")))
	_, err = s.ClaimLetters(ctx, noon, noon.Add(time.Minute), 1)
	require.NoError(t, err)
	require.NoError(t, s.AddLetters(ctx, dueLetter("m2"), dueLetter("m3")))
	for _, id := range []string{"s0", "s1", "s2"} {
		require.NoError(t, s.CreateSession(ctx, signedIn(id), active, session.CreateOptions{Now: noon}))
	}
	require.NoError(t, s.Close())
	return path
}

// TestCut cuts every act off at every call that it makes to its driver, in each of the ways there are. What
// it changed must be all or nothing, all if it reported success, and the Store must go on working.
func TestCut(t *testing.T) {
	used := use(t)
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			before, err, after := run(t, used, act, cut{})
			require.NoError(t, err)
			require.NotEqual(t, before, after, "the act must change something")
			cuts := 0
			for _, how := range []string{cancelBefore, cancelAfter, failBefore, failAfter, failOn} {
				for call := 1; ; call++ {
					c := cut{how: how, call: call}
					was, err, is := run(t, used, act, c)
					require.Equal(t, before, was)
					if err == nil {
						require.Equal(t, after, is, "%+v: success, but not all was done", c)
						break // the call was past the last one, or its fault came too late
					}
					cuts++
					if is != before {
						require.Equal(t, after, is, "%+v: half done", c)
					}
				}
			}
			require.Greater(t, cuts, 1)
		})
	}
}

// run runs the act on a copy of the file, cut off as told, and returns what was in the database, what the
// act returned and what is in the database then.
//
//lint:ignore ST1008 what stands between before and after is the act, and its error
func run(t *testing.T, used string, act func(ctx context.Context, s *sqlstore.Store) error, c cut) (before string, err error, after string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	copyFile(t, used, path)
	s, err := sqlstore.OpenSQLite(t.Context(), faultyDriver, path, sqlstore.Options{BusyTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	before = dump(t, s)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	faults.arm(c, cancel)
	err = act(ctx, s)
	faults.disarm()

	require.NotErrorIs(t, err, auth.ErrNotFound)
	require.NotErrorIs(t, err, auth.ErrStale)
	after = dump(t, s)
	require.NoError(t, s.Reset(t.Context(), "anything"), "a lock was left behind")
	require.Zero(t, s.DB().Stats().InUse, "a connection was left behind")
	return before, err, after
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}

// dump returns every row of every table.
func dump(t *testing.T, s *sqlstore.Store) string {
	t.Helper()
	var all strings.Builder
	for _, table := range []string{"people", "accounts", "flows", "counters", "standings", "sessions", "trust", "tickets", "letters", "factors", "activity",
		"links", "provider_sessions", "provider_ends"} {
		rows, err := s.DB().QueryContext(t.Context(), "SELECT * FROM cardea_"+table+" ORDER BY 1")
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(t, rows.Scan(into...))
			_, _ = fmt.Fprintln(&all, table, values)
		}
		require.NoError(t, rows.Err())
	}
	return all.String()
}

var errBroken = errors.New("the disk is on fire")
