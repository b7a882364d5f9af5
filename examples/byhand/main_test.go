package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSignInAndShutDown serves as main does, signs in, and stops.
func TestSignInAndShutDown(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	addr := "localhost:" + port
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, addr) }()
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		return err == nil && conn.Close() == nil
	}, 30*time.Second, 20*time.Millisecond)

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	call := func(method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		w, err := client.Do(r)
		require.NoError(t, err)
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		return w.StatusCode, string(text)
	}
	status, _ := call("GET", "/", "")
	require.Equal(t, 401, status)
	status, text := call("POST", "/auth/flow", `{"goal":"sign-in","identifier":"ada@example.com"}`)
	require.Equal(t, 200, status, text)
	var view struct{ Flow, Outcome string }
	require.NoError(t, json.Unmarshal([]byte(text), &view))
	status, text = call("POST", "/auth/flow", `{"flow":"`+view.Flow+`","action":"password","password":"kettle orbit velvet ninety"}`)
	require.Equal(t, 200, status, text)
	status, text = call("GET", "/", "")
	require.Equal(t, 200, status)
	require.Contains(t, text, "Only you see this.")

	client.CloseIdleConnections()
	stop()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("it does not stop")
	}
	_, err = net.DialTimeout("tcp", addr, time.Second)
	require.Error(t, err)
}

// TestAMistakeIsReported: nothing is served from a configuration that is wrong.
func TestAMistakeIsReported(t *testing.T) {
	_, _, err := site("http://app.example", slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "Origin")
}

// TestOnlyWhatIsNamedIsCompiled is what wiring by hand is for.
func TestOnlyWhatIsNamedIsCompiled(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.Contains(t, deps, "github.com/cardea-auth/cardea/auth/authhttp")
	for _, dep := range deps {
		for _, unwanted := range []string{"cardea/auth/standard", "cardea/auth/store/sqlstore", "database/sql", "modernc.org/"} {
			require.NotContains(t, dep, unwanted)
		}
	}
}
