package authhttp_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// TestNoCodeIsCarriedAlong: whoever comes back from a provider after their session ended is asked to sign in, and the
// answer's code and state go into no other address: it could not be used again, and would lead round in a circle.
func TestNoCodeIsCarriedAlong(t *testing.T) {
	for _, target := range []string{"/auth/provider/acme/callback?code=the-code&state=the-state", "/auth/provider/acme/continue?flow=flow-1"} {
		f := &fake{social: []auth.ProviderInfo{{ID: "acme", Name: "Acme"}}, err: flow.Deny(flow.SessionRequired)}
		w := open(t, f).get(target)
		require.Equal(t, 303, w.Code)
		to, err := url.Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		require.Equal(t, "/auth/sign-in", to.Path)
		require.Empty(t, to.RawQuery)
	}
}
