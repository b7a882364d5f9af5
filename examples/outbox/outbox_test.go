package outbox_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authtest"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/auth/store/sqlstore"
	"github.com/cardea-auth/cardea/reset"
)

const (
	python   = "/usr/bin/python3"
	user     = "app"
	password = "only-for-this-test"
)

// sink is the mail server.
type sink struct {
	port  int
	out   string
	roots *x509.CertPool
}

// mailed is a mail as the server's parser reads it.
type mailed struct {
	From    string            `json:"from"`
	To      []string          `json:"to"`
	TLS     bool              `json:"tls"`
	Auth    bool              `json:"auth"`
	Headers map[string]string `json:"headers"`
	Defects []string          `json:"defects"`
	Parts   []struct {
		Type    string   `json:"type"`
		Text    string   `json:"text"`
		Defects []string `json:"defects"`
	} `json:"parts"`
}

// startSink starts the server, which ends with the test.
func startSink(t *testing.T) *sink {
	t.Helper()
	if exec.Command(python, "-c", "import aiosmtpd").Run() != nil {
		t.Skip("there is no mail server to test with; on Debian, python3-aiosmtpd is one")
	}
	s := &sink{out: t.TempDir()}
	certificate, key := s.certify(t)
	cmd := exec.Command(python, "testdata/sink.py", s.out, certificate, key, user, password)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	port, ready := strings.CutPrefix(strings.TrimSpace(line), "READY ")
	require.True(t, ready, line)
	s.port, err = strconv.Atoi(port)
	require.NoError(t, err)
	return s
}

// certify makes a certificate for the server's address.
func (s *sink) certify(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	s.roots = x509.NewCertPool()
	s.roots.AddCert(parsed)
	return certificate, key
}

// got returns the mails in the order in which they came.
func (s *sink) got(t *testing.T) []mailed {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.out, "*.json"))
	require.NoError(t, err)
	all := make([]mailed, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &all[i]))
	}
	return all
}

// office is a program that sends mails.
type office struct {
	store   *sqlstore.Store
	secrets *reset.Secrets
	clock   *authtest.Clock
	outbox  *mail.Outbox
	log     bytes.Buffer
}

func newOffice(t *testing.T, s *sink) *office {
	t.Helper()
	o := &office{clock: authtest.NewClock(time.Now())}
	var err error
	o.store, err = sqlstore.OpenSQLite(t.Context(), "sqlite", filepath.Join(t.TempDir(), "app.db"), sqlstore.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, o.store.Close()) })
	keys, err := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}})
	require.NoError(t, err)
	o.secrets, err = reset.New(reset.Config{Keys: keys})
	require.NoError(t, err)
	renderer, err := mail.New(mail.Config{
		Origin: "https://app.example", Product: "Bücherstube", From: "no-reply@app.example", ReplyTo: "Hilfe & Büro <hilfe@app.example>", Help: "/help",
	})
	require.NoError(t, err)
	sender, err := mail.NewSMTP(mail.SMTPConfig{
		Host: "127.0.0.1", Port: s.port, TLS: &tls.Config{RootCAs: s.roots}, Username: user, Password: auth.NewSecret(password),
	})
	require.NoError(t, err)
	o.outbox, err = mail.NewOutbox(mail.OutboxConfig{
		Store: o.store, Secrets: o.secrets, Renderer: renderer, Sender: sender, Now: o.clock.Now,
		Logger: slog.New(slog.NewTextHandler(&o.log, nil)), Concurrency: 1,
	})
	require.NoError(t, err)
	return o
}

// queue queues a letter with a link that resets a password, and returns the link.
func (o *office) queue(t *testing.T, to string) string {
	t.Helper()
	now := o.clock.Now()
	ticket, err := o.secrets.NewTicket(auth.ForReset, "account-1", now)
	require.NoError(t, err)
	ref := auth.SecretRef{Purpose: auth.ForReset, Ticket: ticket.ID}
	require.NoError(t, o.store.AddLetters(t.Context(), auth.Letter{
		ID: ticket.ID, Kind: auth.ResetLetter, Account: "account-1", To: to, Name: "Zoë Müller", Language: "de",
		Secret: ref, Key: ticket.Key, At: now, Network: "203.0.113.0/24", CreatedAt: now, ExpiresAt: ticket.ExpiresAt,
	}))
	token, ok := o.secrets.Reveal(ref, ticket.Key)
	require.True(t, ok)
	return mail.Link("https://app.example", "/auth", auth.ForReset, token)
}

func TestLettersReachARealServer(t *testing.T) {
	s := startSink(t)
	o := newOffice(t, s)
	first, second := o.queue(t, "ada@example.org"), o.queue(t, "zoë@bücher.example")
	require.NoError(t, o.outbox.Flush(t.Context()))

	got := s.got(t)
	require.Len(t, got, 2, o.log.String())
	byAddress := map[string]mailed{}
	for _, m := range got {
		require.Len(t, m.To, 1)
		byAddress[m.To[0]] = m
	}
	for to, address := range map[string]string{"ada@example.org": first, "zoë@xn--bcher-kva.example": second} {
		m, ok := byAddress[to]
		require.True(t, ok, to)
		require.True(t, m.TLS && m.Auth)
		for _, defect := range m.Defects { // Python's parser knows no addresses of RFC 6532
			require.Contains(t, defect, "on-ASCII")
			require.Contains(t, to, "zoë")
		}
		require.Equal(t, "no-reply@app.example", m.From)
		require.Equal(t, "Neues Passwort für Bücherstube festlegen", m.Headers["Subject"])
		require.Equal(t, "Bücherstube <no-reply@app.example>", m.Headers["From"])
		require.Equal(t, "Hilfe & Büro <hilfe@app.example>", m.Headers["Reply-To"])
		require.Equal(t, "auto-generated", m.Headers["Auto-Submitted"])
		require.Len(t, m.Parts, 2)
		for i, kind := range []string{"text/plain", "text/html"} {
			require.Equal(t, kind, m.Parts[i].Type)
			require.Empty(t, m.Parts[i].Defects)
			require.Contains(t, m.Parts[i].Text, address)
			require.Contains(t, m.Parts[i].Text, "Guten Tag Zoë Müller,")
		}
	}
}

func TestARealServerRefuses(t *testing.T) {
	s := startSink(t)
	o := newOffice(t, s)
	o.queue(t, "reject@example.org")
	o.queue(t, "greylist@example.org")
	require.NoError(t, o.outbox.Flush(t.Context()))
	require.Empty(t, s.got(t))
	require.Contains(t, o.log.String(), `reason=refused error="mail: smtp recipient 550 5.1.1"`)
	require.Contains(t, o.log.String(), `error="mail: smtp recipient 451 4.7.1"`)
	require.NotContains(t, o.log.String(), "example.org")

	o.clock.Advance(5 * time.Second)
	require.NoError(t, o.outbox.Flush(t.Context()))
	require.Len(t, s.got(t), 1)
	require.Equal(t, []string{"greylist@example.org"}, s.got(t)[0].To)
}
