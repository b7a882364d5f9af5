package auth_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
)

// BenchmarkReturn is what it costs to take somebody back from a provider, from the answer to the session, beside what
// the provider itself is asked. The figure to look at is us/return; the rest of a turn is a person on their way there.
func BenchmarkReturn(b *testing.B) {
	s := newSocial(b, func(c *auth.Config) {
		c.Audit, c.Logger = nil, slog.New(slog.DiscardHandler)
		c.Throttle.BeginCap = 1 << 20
	})
	s.connected(ann, "ann-at-acme")
	var spent time.Duration
	for b.Loop() {
		s.clock.Advance(time.Second)
		person := s.browser()
		_, err := person.leave("acme")
		require.NoError(b, err)
		r := auth.ReturnRequest{Provider: "acme", Params: answerOf(s.acme, s.acme.trip(), "ann-at-acme"), Client: person.client()}
		began := time.Now()
		p, err := s.Return(context.Background(), r)
		spent += time.Since(began)
		require.NoError(b, err)
		require.NotNil(b, p.Session)
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "us/return")
}
