package memory_test

import (
	"testing"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

func TestDirectory(t *testing.T) {
	authtest.RunDirectory(t, func(*testing.T) auth.Directory { return memory.New() })
}

func TestAccounts(t *testing.T) {
	authtest.RunAccounts(t, func(*testing.T) authtest.Accounts { return memory.New() })
}

func TestFlows(t *testing.T) {
	authtest.RunFlows(t, func(*testing.T) auth.FlowStore { return memory.New() })
}

func TestCounters(t *testing.T) {
	authtest.RunCounters(t, func(*testing.T) auth.Counters { return memory.New() })
}

func TestSessions(t *testing.T) {
	authtest.RunSessions(t, func(*testing.T) session.Store { return memory.New() })
}

func TestTrust(t *testing.T) {
	authtest.RunTrust(t, func(*testing.T) session.TrustStore { return memory.New() })
}

func TestTickets(t *testing.T) {
	authtest.RunTickets(t, func(*testing.T) authtest.Tickets { return memory.New() })
}

func TestLetters(t *testing.T) {
	authtest.RunLetters(t, func(*testing.T) auth.LetterStore { return memory.New() })
}
