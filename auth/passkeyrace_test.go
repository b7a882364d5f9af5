package auth_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authtest"
)

// TestAPasskeyThatIsRemovedMeanwhileSignsNobodyIn: the account is looked at before its passkey is used. Looked at
// afterwards, it would be seen as it stands once the passkey is gone and all its sessions have ended.
func TestAPasskeyThatIsRemovedMeanwhileSignsNobodyIn(t *testing.T) {
	w := newKeyed(t)
	device := authtest.NewAuthenticator(site)
	a, _ := w.passkeyed(device)
	thief := w.browser()
	p, answer, err := thief.ready(device)
	require.NoError(t, err)
	removed := false
	w.tap.set(func(ctx context.Context, _ int, name string, work func() error) error {
		err := work()
		if name == "Factors.UseFactor" && !removed {
			removed = true
			require.NoError(t, w.ResetFactors(ctx, a.ID))
		}
		return err
	})
	p, err = thief.assert(p, answer)
	require.NoError(t, err)
	require.True(t, removed)
	require.Nil(t, p.Session)
	require.Empty(t, w.live(a.ID))
}
