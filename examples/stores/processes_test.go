package stores_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	otp "github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/mfa"
	"github.com/cardea-auth/cardea/mfa/totp"
	"github.com/cardea-auth/cardea/mfa/webauthn"
	"github.com/cardea-auth/cardea/session"
)

// What works once works once however many processes serve it. Each test prepares what many people are about to hand
// in, and two more processes over the same file, of this very test binary, hand all of it in at the same time.

const (
	processFile  = "CARDEA_TEST_PROCESS_FILE" // says to a process that it is one of the two, and on which file
	processOrder = "CARDEA_TEST_PROCESS_ORDER"
	origin       = "https://app.example"
	racers       = 50
)

// handsIn is one person's last step of a sign-in, as one of the processes is to take it.
type handsIn struct {
	Handle, Browser, Action, Code, Credential string
}

// newFactored is a service over the file on which people have second factors. All processes have the same keys. What
// races is what works once, so nobody is held up for having tried too often.
func newFactored(t *testing.T, store *sqlstore.Store) *auth.Service {
	t.Helper()
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: sha256.Sum256([]byte("a key"))})
	require.NoError(t, err)
	sessions, err := session.New(session.Config{Store: store})
	require.NoError(t, err)
	devices, err := session.NewDevices(session.DevicesConfig{Keys: keys})
	require.NoError(t, err)
	apps, err := totp.New(totp.Config{Keys: keys, Issuer: "Test"})
	require.NoError(t, err)
	codes, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys})
	require.NoError(t, err)
	passkeys, err := webauthn.New(webauthn.Config{Keys: keys, Origin: origin, Product: "Test"})
	require.NoError(t, err)
	s, err := auth.New(auth.Config{
		Keys: keys, Directory: store, Accounts: store, PasswordStore: store, Flows: store, Counters: store,
		Passwords: plain{}, Sessions: sessions, Devices: devices, Factors: store, Apps: apps, Codes: codes, Passkeys: passkeys,
		Throttle: auth.Throttle{Free: 100, Cap: 100, AccountCap: 100, PrefixCap: 1000},
	})
	require.NoError(t, err)
	return s
}

// race is one account on one file, and what is about to be handed in.
type race struct {
	t     *testing.T
	path  string
	s     *auth.Service
	id    string
	token auth.Secret // of the session that adds the factors
	all   []handsIn
}

const phrase = "the first passphrase"

func newRace(t *testing.T) *race {
	t.Helper()
	r := &race{t: t, path: filepath.Join(t.TempDir(), "accounts.db")}
	r.s = newFactored(t, openSQLite(t, r.path))
	account, err := r.s.CreateAccount(t.Context(), auth.NewAccount{Identifier: "ann@example.com", Password: auth.NewSecret(phrase)})
	require.NoError(t, err)
	r.id = account.ID
	p := r.password(0)
	require.NotNil(t, p.Session)
	r.token = p.Session.Token
	return r
}

func (r *race) step(i int, handle auth.Secret, action string, in auth.Inputs) auth.Progress {
	r.t.Helper()
	client := clientOf(i)
	if i == 0 {
		client.Session = r.token
	}
	p, err := r.s.Continue(r.t.Context(), auth.ContinueRequest{Handle: handle, Action: action, Inputs: in, Client: client})
	require.NoError(r.t, err)
	return p
}

// password signs in with the password, as far as that leads.
func (r *race) password(i int) auth.Progress {
	r.t.Helper()
	p, err := r.s.Begin(r.t.Context(), auth.BeginRequest{Goal: flow.SignIn, Client: clientOf(i), Inputs: auth.Inputs{Identifier: "ann@example.com"}})
	require.NoError(r.t, err)
	return r.step(i, p.Handle, "password", auth.Inputs{Password: auth.NewSecret(phrase)})
}

func (r *race) enrol(m flow.Method) auth.Progress {
	r.t.Helper()
	client := clientOf(0)
	client.Session = r.token
	p, err := r.s.Begin(r.t.Context(), auth.BeginRequest{Goal: flow.Enrolment, Target: flow.Target{Enrol: m}, Client: client})
	require.NoError(r.t, err)
	return p
}

// added takes over the session that comes with a new factor.
func (r *race) added(p auth.Progress) auth.Progress {
	r.t.Helper()
	require.NotNil(r.t, p.Session, "%+v", p.View)
	r.token = p.Session.Token
	return p
}

// pair adds an authenticator app by the code of the step before this one, so that this one's is not used yet.
func (r *race) pair() (code string) {
	r.t.Helper()
	p := r.enrol(flow.TOTP)
	key := strings.ReplaceAll(p.Pairing.Text.Reveal(), " ", "")
	now := time.Now()
	before, err := otp.GenerateCode(key, now.Add(-30*time.Second))
	require.NoError(r.t, err)
	code, err = otp.GenerateCode(key, now)
	require.NoError(r.t, err)
	r.added(r.step(0, p.Handle, "enrol-totp", auth.Inputs{Code: auth.NewSecret(before)}))
	return code
}

// ready takes everybody up to the second factor. They all have the same code.
func (r *race) ready(action, code string) {
	for i := 1; i <= racers; i++ {
		p := r.password(i)
		require.Equal(r.t, flow.SecondFactor, p.View.Need)
		r.all = append(r.all, handsIn{p.Handle.Reveal(), clientOf(i).Browser.Reveal(), action, code, ""})
	}
}

// ceremony begins a sign-in with a passkey.
func (r *race) ceremony(i int, key *authtest.Authenticator) handsIn {
	r.t.Helper()
	p, err := r.s.Begin(r.t.Context(), auth.BeginRequest{Goal: flow.SignIn, Action: "send-passkey", Client: clientOf(i)})
	require.NoError(r.t, err)
	answer, err := key.Get(p.Passkey)
	require.NoError(r.t, err)
	return handsIn{p.Handle.Reveal(), clientOf(i).Browser.Reveal(), "passkey", "", answer.Reveal()}
}

// key adds a passkey, of a key that counts or one that does not.
func (r *race) key(counts bool) *authtest.Authenticator {
	r.t.Helper()
	key := authtest.NewAuthenticator(origin)
	key.Counts = counts
	p := r.step(0, r.enrol(flow.Passkey).Handle, "send-passkey", auth.Inputs{})
	answer, err := key.Create(p.Passkey)
	require.NoError(r.t, err)
	r.added(r.step(0, p.Handle, "enrol-passkey", auth.Inputs{Credential: answer}))
	return key
}

// TestOneCodeOfAnAppHasOneWinner in two processes (ASVS 6.5.1).
func TestOneCodeOfAnAppHasOneWinner(t *testing.T) {
	r := newRace(t)
	r.ready("totp", r.pair())
	r.oneWinner()
}

// TestOneRecoveryCodeHasOneWinner in two processes.
func TestOneRecoveryCodeHasOneWinner(t *testing.T) {
	r := newRace(t)
	r.pair()
	p := r.added(r.step(0, r.enrol(flow.RecoveryCode).Handle, "enrol-recovery-code", auth.Inputs{}))
	r.ready("recovery-code", p.Codes[0].Reveal())
	r.oneWinner()
}

// TestOneAnswerOfAPasskeyHasOneWinner: it is of one ceremony, and so of one flow, whose handle everybody has.
func TestOneAnswerOfAPasskeyHasOneWinner(t *testing.T) {
	r := newRace(t)
	answer := r.ceremony(1, r.key(true))
	for range racers {
		r.all = append(r.all, answer)
	}
	r.oneWinner()
}

// TestOneAnswerOfAKeyThatDoesNotCountHasOneWinner: the flow alone says that it works once.
func TestOneAnswerOfAKeyThatDoesNotCountHasOneWinner(t *testing.T) {
	r := newRace(t)
	answer := r.ceremony(1, r.key(false))
	for range racers {
		r.all = append(r.all, answer)
	}
	r.oneWinner()
}

// TestCopiesOfAKeyHaveOneWinner: each answers a ceremony of its own, and tells the same number.
func TestCopiesOfAKeyHaveOneWinner(t *testing.T) {
	r := newRace(t)
	key := r.key(true)
	for i := 1; i <= racers; i++ {
		r.all = append(r.all, r.ceremony(i, key))
		if key.Counts = false; i == 1 {
			r.all = r.all[:0] // it told the number that all the others tell
		}
	}
	r.oneWinner()
}

// granted has two processes hand everything in at once, half of it each, and counts the sessions.
func (r *race) granted() int {
	half := len(r.all) / 2
	one, other := r.process(r.all[:half]), r.process(r.all[half:])
	one.start()
	other.start()
	return one.granted() + other.granted()
}

func (r *race) oneWinner() {
	require.Equal(r.t, 1, r.granted(), "sign-ins by what works once")
}

// process is another one over the same file.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	orders io.WriteCloser
	says   *bufio.Reader
}

func (r *race) process(list []handsIn) *process {
	t := r.t
	t.Helper()
	order := filepath.Join(t.TempDir(), "order.json")
	text, err := json.Marshal(list)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(order, text, 0o600))
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), self, "-test.run", "^TestProcess$", "-test.v")}
	p.cmd.Env = append(os.Environ(), processFile+"="+r.path, processOrder+"="+order)
	p.cmd.Stderr = os.Stderr
	p.orders, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.says = bufio.NewReader(out)
	require.NoError(t, p.cmd.Start())
	p.hear("ready")
	return p
}

// hear reads on until the process says so, and returns the rest of that line.
func (p *process) hear(word string) string {
	p.t.Helper()
	for {
		line, err := p.says.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, "process: "+word); ok {
			return strings.TrimSpace(rest)
		}
		require.NoError(p.t, err, "the process said %q", line)
	}
}

func (p *process) start() {
	_, err := io.WriteString(p.orders, "go\n")
	require.NoError(p.t, err)
}

func (p *process) granted() (n int) {
	p.t.Helper()
	_, err := fmt.Sscan(p.hear("granted"), &n)
	require.NoError(p.t, err)
	_, err = io.Copy(io.Discard, p.says)
	require.NoError(p.t, err)
	require.NoError(p.t, p.cmd.Wait())
	return n
}

// TestProcess is what the processes do: they wait for the word and hand everything in at once.
func TestProcess(t *testing.T) {
	path := os.Getenv(processFile)
	if path == "" {
		return // it is one of the tests, and no process of another one
	}
	text, err := os.ReadFile(os.Getenv(processOrder))
	require.NoError(t, err)
	var list []handsIn
	require.NoError(t, json.Unmarshal(text, &list))
	s := newFactored(t, openSQLite(t, path))
	fmt.Println("\nprocess: ready")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	require.NoError(t, err)
	var all sync.WaitGroup
	var granted atomic.Int64
	faults := make([]error, len(list))
	for i, h := range list {
		all.Go(func() {
			in := auth.Inputs{Code: auth.NewSecret(h.Code), Credential: auth.NewSecret(h.Credential)}
			client := clientOf(0)
			client.Browser = auth.NewSecret(h.Browser)
			p, err := s.Continue(t.Context(), auth.ContinueRequest{Handle: auth.NewSecret(h.Handle), Action: h.Action, Inputs: in, Client: client})
			if p.Session != nil {
				granted.Add(1)
			}
			faults[i] = notRefused(err)
		})
	}
	all.Wait()
	for _, err := range faults {
		require.NoError(t, err, "nobody is told that the database is locked")
	}
	fmt.Printf("\nprocess: granted %d\n", granted.Load())
}

// notRefused is the error unless it is a refusal.
func notRefused(err error) error {
	var denied *auth.DeniedError
	if errors.As(err, &denied) {
		return nil
	}
	return err
}
