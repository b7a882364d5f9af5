package sqlstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/flow"
)

// TestAMethodKeepsItsNumber: the rows of a database say by a number what a factor is. Another order of the constants
// would make passkeys of codes.
func TestAMethodKeepsItsNumber(t *testing.T) {
	for method, number := range map[flow.Method]int{flow.TOTP: 4, flow.RecoveryCode: 5, flow.Passkey: 6, flow.HostFactor: 7} {
		require.EqualValues(t, number, method, "%s needs a migration", method)
	}
}
