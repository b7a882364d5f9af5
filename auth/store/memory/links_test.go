package memory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestNothingOfAnIdentityIsLeft looks at what a kit cannot see: of a link that was removed the id and whose it was stay,
// and of a deleted account's links the ids; and with a release nothing at all.
func TestNothingOfAnIdentityIsLeft(t *testing.T) {
	s, ctx := New(), t.Context()
	require.NoError(t, s.Open(ctx, "a1", flow.Active, "", time.Time{}))
	change := func(id string, security uint64) auth.LinkChange {
		return auth.LinkChange{
			Link: auth.Link{ID: id, Account: "a1", Method: flow.Social, Issuer: "i", Subject: "secret", Email: "e", Name: "n"},
			From: auth.Standing{Status: flow.Active, Epochs: flow.Epochs{Security: security, Session: 1}},
		}
	}
	_, err := s.AddLink(ctx, change("l1", 1))
	require.NoError(t, err)
	_, err = s.AddLink(ctx, change("l2", 2))
	require.NoError(t, err)
	_, err = s.RemoveLink(ctx, change("l1", 3))
	require.NoError(t, err)
	x := &s.people.links
	require.Equal(t, link{Link: auth.Link{ID: "l1", Account: "a1"}}, x.byID["l1"])

	require.NoError(t, s.Delete(ctx, "a1"))
	for _, id := range []string{"l1", "l2"} {
		require.Equal(t, link{Link: auth.Link{ID: id}, lost: true}, x.byID[id])
		require.NoError(t, s.ReleaseLink(ctx, id))
	}
	require.Empty(t, x.byID)
	require.Empty(t, x.byAccount)
}
