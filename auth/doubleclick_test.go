package auth_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
)

// TestADoubleClickOnWhatWorksOnceSignsIn: of two requests with one handle and one code one takes the step, and the
// other is a second look. The second one finds the code used, by the first, and must not be faster in saying so.
func TestADoubleClickOnWhatWorksOnceSignsIn(t *testing.T) {
	for _, method := range []string{"totp", "recovery-code", "passkey"} {
		t.Run(method, func(t *testing.T) {
			prepare := func(p *plot) {
				p.withApp()
				require.NoError(t, p.makesCodes())
				require.NoError(t, p.addsPasskey())
			}
			p := newPlot(t, mailStory{prepare: prepare}, factored(t))
			p.doubleClicks(method)
		})
	}
}

func (p *plot) doubleClicks(method string) {
	b := p.browser()
	at, err := b.try(ann, right)
	require.NoError(p.t, err)
	var in auth.Inputs
	switch method {
	case "totp":
		p.later()
		in.Code = p.has.app.code(p.clock.Now())
	case "recovery-code":
		in.Code = p.has.codes[0]
	case "passkey":
		at, err = b.do(at.Handle, "send-passkey", auth.Inputs{})
		require.NoError(p.t, err)
		in.Credential = must(p.has.device.Get(at.Passkey))
	}
	clicked := false
	p.tap.set(func(_ context.Context, _ int, name string, work func() error) error {
		err := work()
		if (name == "Factors.UseFactor" || name == "Factors.ConsumeFactor") && !clicked {
			clicked = true
			_, _ = b.do(at.Handle, method, in)
		}
		return err
	})
	at, err = b.do(at.Handle, method, in)
	require.NoError(p.t, err)
	require.True(p.t, clicked)
	require.False(p.t, b.session.IsZero(), "the code is used up, and nobody is in: %s", reasonOf(at))
}
