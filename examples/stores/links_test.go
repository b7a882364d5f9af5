package stores_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
)

// linked is how the account "a4" stands, which has the link "l1" and had the link "gone".
var linked = auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: 4, Session: 1}}

func linking(id string) auth.LinkChange {
	return auth.LinkChange{
		Link: auth.Link{ID: id, Account: "a4", Method: flow.Social, Provider: "acme", Issuer: "i", Subject: "secret " + id, Email: "e", Name: "n", LinkedAt: noon},
		From: linked, EndSessions: true, Letters: []auth.Letter{dueLetter("new1"), dueLetter("new2")}, Now: noon,
	}
}

// link opens the account "a4".
func link(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, s.Open(ctx, "a4", flow.Active, "hash", noon))
	for i, verb := range []func(context.Context, auth.LinkChange) (flow.Epochs, error){s.AddLink, s.AddLink, s.RemoveLink} {
		c := linking([]string{"l1", "gone", "gone"}[i])
		c.From.Epochs.Security, c.EndSessions, c.Letters = uint64(i+1), false, nil
		_, err := verb(ctx, c)
		require.NoError(t, err)
	}
}

// resetting is a ticket of the account "a4" as it stands.
func resetting(id string) auth.Ticket {
	t := mailed(id, "a4", auth.ForReset)
	t.Security = linked.Epochs.Security
	return t
}

func vouched(key, session string) auth.ProviderSession {
	return auth.ProviderSession{Key: key, Account: "a1", Session: session, Since: noon, ExpiresAt: noon.Add(time.Hour)}
}

// TestNothingOfAnIdentityIsLeft reads what a kit cannot see: of a link that was removed, by itself or by a recovery, the
// id and whose it was stay, and of a deleted account's links the ids.
func TestNothingOfAnIdentityIsLeft(t *testing.T) {
	s, ctx := newSQLite(t), t.Context()
	link(t, s)
	rows := func() string {
		var all []string
		for line := range strings.Lines(dump(t, s)) {
			if row, ok := strings.CutPrefix(line, "links "); ok {
				all = append(all, strings.TrimSpace(row))
			}
		}
		return strings.Join(all, "\n")
	}
	require.Contains(t, rows(), "secret l1")
	require.Contains(t, rows(), "[2 gone a4 0      0 0]")
	require.NotContains(t, rows(), "secret gone")
	require.NoError(t, s.AddTicket(ctx, resetting("t8")))
	c := using("t8", "a4", linked)
	c.ForgetLinks = true
	_, err := s.CompleteRecovery(ctx, c)
	require.NoError(t, err)
	require.Equal(t, "[1 l1 a4 0      0 0]\n[2 gone a4 0      0 0]", rows())
	require.NoError(t, s.Delete(ctx, "a4"))
	require.Equal(t, "[1 l1 <nil> 0      0 0]\n[2 gone <nil> 0      0 0]", rows())
}

// TestLinksKeepMicroseconds: the kit asks for milliseconds.
func TestLinksKeepMicroseconds(t *testing.T) {
	s, ctx := newSQLite(t), t.Context()
	link(t, s)
	now := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
	c := linking("new")
	c.Link.LinkedAt = now
	_, err := s.AddLink(ctx, c)
	require.NoError(t, err)
	require.NoError(t, s.UseLink(ctx, "a4", "new", "", "", now))
	want := c.Link
	want.LinkedAt, want.UsedAt = now.UTC().Truncate(time.Microsecond), now.UTC().Truncate(time.Microsecond)
	got, err := s.FindLink(ctx, "new")
	require.NoError(t, err)
	require.Equal(t, want, got)

	// What came in the same microsecond as the end is late, whichever came first.
	_, err = s.EndSessions(ctx, "k1", now, now.Add(time.Hour))
	require.NoError(t, err)
	p := vouched("k1", "s1")
	for since, want := range map[time.Duration]error{0: auth.ErrStale, 200: auth.ErrStale, time.Microsecond: nil} {
		p.Since = now.Add(since)
		require.ErrorIs(t, s.AttachSession(ctx, []auth.ProviderSession{p}, now), want)
	}
}

// TestLinksAreFoundByIndexes: the state is read at every step of a flow, and a provider ends sessions when it likes.
func TestLinksAreFoundByIndexes(t *testing.T) {
	s := newSQLite(t)
	for query, want := range map[string]string{
		`SELECT SUM(DISTINCT 1 << method) FROM cardea_links WHERE account = ? AND method > 0`:              "COVERING INDEX cardea_links_account (account=? AND method>?)",
		`SELECT subject FROM cardea_links WHERE id = ? AND method > 0`:                                     "(id=?)",
		`SELECT session FROM cardea_provider_sessions WHERE provider_key = ? AND expires_at > ?`:           "(provider_key=?)",
		`SELECT number FROM cardea_provider_sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT 10`:   "INDEX cardea_provider_sessions_expiry (expires_at<?)",
		`SELECT 1 FROM cardea_provider_ends WHERE provider_key = ? AND ended_at >= 1 AND expires_at > 1`:   "PRIMARY KEY (provider_key=?)",
		`SELECT provider_key FROM cardea_provider_ends WHERE expires_at <= ? ORDER BY expires_at LIMIT 10`: "INDEX cardea_provider_ends_expiry (expires_at<?)",
	} {
		require.Contains(t, planOf(t, s, query), want)
	}
}
