package session_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

const (
	mark       = auth.NativeSessionMark
	deviceMark = auth.NativeDeviceMark
)

func nativeRequest(proofs ...flow.Proof) auth.SessionRequest {
	r := request(proofs...)
	r.Client.Native = true
	return r
}

func signInNative(t testing.TB, m *session.Manager) auth.IssuedSession {
	t.Helper()
	s, err := m.Issue(t.Context(), nativeRequest(proof(flow.Password, start)), start)
	require.NoError(t, err)
	return s
}

// The mark is part of what is hashed, so no token is good for the other transport, however it is dressed up.
func TestTokensStayWithTheirTransport(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	native, browser := signInNative(t, m), signIn(t, m, false, start)
	require.Regexp(t, `^cardea_st_[A-Za-z0-9_-]{43}$`, native.Token.Reveal(), "what scanners look for")
	require.Contains(t, store.sessions, sha256.Sum256([]byte(native.Token.Reveal())))
	for _, s := range []auth.IssuedSession{native, browser} {
		got, err := m.Authenticate(t.Context(), s.Token, start)
		require.NoError(t, err)
		require.Equal(t, s.Session, got)
	}
	bare := strings.TrimPrefix(native.Token.Reveal(), mark)
	for name, text := range map[string]string{
		"a native one without its mark":    bare,
		"a browser's with a mark":          mark + browser.Token.Reveal(),
		"with two marks":                   mark + native.Token.Reveal(),
		"with a device's mark":             deviceMark + bare,
		"with a mark in capitals":          strings.ToUpper(mark) + bare,
		"with half a mark":                 mark[1:] + bare,
		"with the mark at the end":         bare + mark,
		"both":                             native.Token.Reveal() + browser.Token.Reveal(),
		"one spelled as long as the other": mark + bare[:33],
	} {
		_, err := m.Authenticate(t.Context(), auth.NewSecret(text), start)
		require.ErrorIs(t, err, denied, name)
	}
}

// What is no token costs no read of the store, and no two texts are one token.
func TestNativeTokenIsReadStrictly(t *testing.T) {
	store := newFakeStore()
	m := newManager(t, store)
	good := signInNative(t, m).Token.Reveal()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	end := len(good) - 1
	bad := []string{
		mark, good[:end], good + "A", good + "=", good + "\n", good[:30] + "\r\n" + good[32:], good[:end] + "=", " " + good, good + " ",
		mark + strings.Repeat("\n", 43), mark + strings.Repeat("+", 43), mark + strings.Repeat("A", 1<<20), mark + strings.Repeat("\xff", 43),
	}
	last := strings.IndexByte(alphabet, good[end])
	for i := 1; i < 4; i++ { // the other three characters with the same four bits that count
		bad = append(bad, good[:end]+string(alphabet[last|i]))
	}
	for _, text := range bad {
		_, err := m.Authenticate(t.Context(), auth.NewSecret(text), start)
		require.ErrorIs(t, err, denied, "%.60q", text)
	}
	require.Zero(t, store.calls["FindSession"])
}

// A session is replaced by the client that holds it, and stays on its side.
func TestReplacingKeepsTheTransport(t *testing.T) {
	for name, c := range map[string]struct{ from, to, ok bool }{ // native?
		"browser": {false, false, true}, "native": {true, true, true},
		"from a browser to an app": {false, true, false}, "from an app to a browser": {true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			store := newFakeStore()
			m := newManager(t, store)
			old := request(proof(flow.Password, start))
			old.Client.Native = c.from
			first, err := m.Issue(t.Context(), old, start)
			require.NoError(t, err)
			up := request(proof(flow.Password, start), proof(flow.TOTP, start))
			up.Replaces, up.Client = first.ID, auth.Client{Native: c.to, Session: first.Token}
			second, err := m.Issue(t.Context(), up, start)
			_, alive := m.Authenticate(t.Context(), first.Token, start)
			require.Len(t, store.sessions, 1)
			if !c.ok {
				require.ErrorIs(t, err, auth.ErrStale)
				require.NoError(t, alive)
				return
			}
			require.NoError(t, err)
			require.ErrorIs(t, alive, denied)
			require.Equal(t, c.to, strings.HasPrefix(second.Token.Reveal(), mark))
		})
	}
}

// A native client's device token is signed with its mark, so it is no cookie, and no cookie is one.
func TestNativeDevice(t *testing.T) {
	d := newDevices(t, masterKey("k1", 1), masterKey("k0", 2))
	cookie := remember(t, d, auth.Secret{}, anna, start)
	token := remember(t, d, auth.NewSecret(deviceMark), anna, start)
	require.Regexp(t, `^cardea_dt_1\.k1\.`, token.Reveal())
	require.True(t, d.Known(token, anna, start))
	require.False(t, d.Known(token, "acct-ben", start))
	require.NotEmpty(t, d.Device(token))
	require.NotEqual(t, d.Device(cookie), d.Device(token))

	both := remember(t, d, token, "acct-ben", start)
	require.Regexp(t, `^cardea_dt_1\.k1\.`, both.Reveal())
	require.True(t, d.Known(both, anna, start) && d.Known(both, "acct-ben", start))
	require.Equal(t, d.Device(token), d.Device(both))

	old := remember(t, newDevices(t, masterKey("k0", 2)), auth.NewSecret(deviceMark), anna, start)
	require.True(t, d.Known(remember(t, d, old, "acct-ben", start), anna, start), "a rotation keeps it")

	for name, text := range map[string]string{
		"a cookie with the mark":     deviceMark + cookie.Reveal(),
		"a token without it":         strings.TrimPrefix(token.Reveal(), deviceMark),
		"a token with two":           deviceMark + token.Reveal(),
		"a session's mark":           strings.Replace(token.Reveal(), deviceMark, mark, 1),
		"another version":            strings.Replace(token.Reveal(), "_1.", "_2.", 1),
		"the mark alone":             deviceMark,
		"the mark of another, later": "1" + token.Reveal(),
	} {
		require.False(t, d.Known(auth.NewSecret(text), anna, start), name)
		require.Empty(t, d.Device(auth.NewSecret(text)), name)
		again := remember(t, d, auth.NewSecret(text), anna, start)
		require.Equal(t, strings.HasPrefix(text, deviceMark), strings.HasPrefix(again.Reveal(), deviceMark), name)
		require.NotEqual(t, d.Device(token), d.Device(again), "an altered one gives its id to nobody")
	}
}

// The longest names of keys and the most accounts fit into what is read again.
func TestNativeDeviceTokensFit(t *testing.T) {
	d := newDevices(t, masterKey("abcdefghijklmnop", 1))
	token := auth.NewSecret(deviceMark)
	for _, account := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		token = remember(t, d, token, account, start)
		require.True(t, d.Known(token, account, start))
	}
	require.True(t, d.Known(token, "b", start))
}
