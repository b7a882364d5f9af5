package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The accounts of demo.go, by what the tests call them.
var (
	ada   = person{demo[0].Identifier, demo[0].Password.Reveal()}
	grace = person{demo[1].Identifier, demo[1].Password.Reveal()}
)

type person struct{ address, password string }

// binary is the program as `go build` makes it, built once for all tests: they try what a user runs.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(workshop, "quickstart")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return path, err
})

// workshop is where the program is built, and where browsers keep their profiles.
var workshop string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if workshop, err = os.MkdirTemp("", "quickstart"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(workshop)
		defer endBrowsers()
		return m.Run()
	}())
}

// site is a running quickstart.
type site struct {
	url   string
	mails *mailbox
}

// startSite runs the program on a free port of this machine with a database of its own, until the test ends.
func startSite(t *testing.T, flags ...string) site {
	t.Helper()
	return startSiteIn(t, nil, flags...)
}

// startSiteIn is startSite with more variables in the program's environment.
func startSiteIn(t *testing.T, variables []string, flags ...string) site {
	t.Helper()
	path, err := binary()
	require.NoError(t, err, "go build")
	addr := freeAddress(t)
	said := &bytes.Buffer{}
	cmd := exec.Command(path, append(flags, "-addr", addr, "-data", filepath.Join(t.TempDir(), "site.db"))...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(os.Environ(), variables...)
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the program said:\n%s", said)
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, 30*time.Second, 20*time.Millisecond, "the program does not listen")
	return site{url: "http://" + addr, mails: outboxOf("http://" + addr)}
}

// freeAddress is one that nobody listens on, and that no other test was given: its site may not listen yet.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	_, given := givenPorts.LoadOrStore(port, true)
	_, taken := givenPorts.LoadOrStore(next(port), true) // where the site's provider listens
	if given || taken {
		return freeAddress(t)
	}
	return net.JoinHostPort("localhost", port)
}

// next is the port after the given one.
func next(port string) string {
	number, _ := strconv.Atoi(port)
	return strconv.Itoa(number + 1)
}

var givenPorts sync.Map

// newClient is a client with cookies that follows no redirect.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// needed skips the test if a program is not installed, and fails it where nothing may be skipped.
func needed(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI skips nothing", names[0])
	}
	t.Skipf("%s is not installed, so this test has nothing to run", names[0])
	return ""
}

// texts are the sentences of a language, so that a test follows their wording.
func texts(t *testing.T, language string) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../auth/authhttp/catalog/" + language + ".json")
	require.NoError(t, err)
	all := map[string]string{}
	require.NoError(t, json.Unmarshal(data, &all))
	return all
}
