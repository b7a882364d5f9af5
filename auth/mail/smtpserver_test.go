package mail_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is an SMTP server that follows a script.
type server struct {
	t        *testing.T
	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool

	// reply answers a command, by its verb ("CONNECT" for the greeting, "." for the end of the message). An
	// empty answer is the usual one; "hang" says nothing, "drop" closes.
	reply      map[string]string
	extensions []string // beside STARTTLS, which is offered where there is a certificate
	mechanisms string   // of AUTH
	implicit   bool

	mu       sync.Mutex
	commands []string // as they came; base64 of AUTH decoded
	secure   []bool   // whether each came over TLS
	messages []string // after dot-stuffing was undone
	hold     chan struct{}
}

// serve starts the server. With certificate names it has a certificate for them.
func serve(t *testing.T, change func(s *server), names ...string) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{t: t, listener: listener, reply: map[string]string{}, hold: make(chan struct{})}
	if len(names) > 0 {
		s.certify(names)
	}
	change(s)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.talk(conn) })
		}
	})
	t.Cleanup(func() {
		close(s.hold)
		_ = listener.Close()
		all.Wait()
	})
	return s
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

func (s *server) certify(names []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(s.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(s.t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(s.t, err)
	s.roots = x509.NewCertPool()
	s.roots.AddCert(certificate)
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// talk is one connection.
func (s *server) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if s.implicit {
		conn = tls.Server(conn, s.tls)
	}
	c := &talk{s: s, conn: conn, in: bufio.NewReader(conn), secure: s.implicit}
	if !c.answer("CONNECT", "220 test ready") {
		return
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		if !c.command(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

type talk struct {
	s      *server
	conn   net.Conn
	in     *bufio.Reader
	secure bool
}

func (c *talk) note(command string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.commands, c.s.secure = append(c.s.commands, command), append(c.s.secure, c.secure)
}

// answer says what the script says, or else the usual; it reports whether the connection goes on.
func (c *talk) answer(verb, usual string) bool {
	text := usual
	if scripted := c.s.reply[verb]; scripted != "" {
		text = scripted
	}
	switch text {
	case "hang":
		<-c.s.hold
		return false
	case "drop":
		return false
	}
	_, err := io.WriteString(c.conn, strings.ReplaceAll(text, "\n", "\r\n")+"\r\n")
	return err == nil
}

func (c *talk) command(line string) bool {
	verb := strings.ToUpper(strings.Fields(line + " ?")[0])
	c.note(line)
	switch verb {
	case "EHLO":
		return c.answer("EHLO", c.ehlo())
	case "STARTTLS":
		if !c.answer("STARTTLS", "220 go ahead") || c.s.reply["STARTTLS"] != "" {
			return c.s.reply["STARTTLS"] != "drop"
		}
		secure := tls.Server(c.conn, c.s.tls)
		if secure.Handshake() != nil {
			return false
		}
		c.conn, c.in, c.secure = secure, bufio.NewReader(secure), true
		return true
	case "AUTH":
		return c.authenticate(line)
	case "DATA":
		if !c.answer("DATA", "354 go ahead") || c.s.reply["DATA"] != "" {
			return c.s.reply["DATA"] != "drop"
		}
		return c.message()
	case "QUIT":
		c.answer("QUIT", "221 bye")
		return false
	}
	return c.answer(verb, "250 fine")
}

func (c *talk) ehlo() string {
	lines := []string{"test"}
	if c.s.tls != nil && !c.secure {
		lines = append(lines, "STARTTLS")
	}
	if c.s.mechanisms != "" {
		lines = append(lines, "AUTH "+c.s.mechanisms)
	}
	lines = append(lines, c.s.extensions...)
	for i := range lines {
		lines[i] = "250" + map[bool]string{true: " ", false: "-"}[i == len(lines)-1] + lines[i]
	}
	return strings.Join(lines, "\n")
}

func (c *talk) authenticate(line string) bool {
	words := strings.Fields(line)
	if len(words) == 3 {
		c.noteDecoded(words[2])
	}
	if words[1] == "LOGIN" {
		for _, prompt := range []string{"Username:", "Password:"} {
			if _, err := io.WriteString(c.conn, "334 "+base64.StdEncoding.EncodeToString([]byte(prompt))+"\r\n"); err != nil {
				return false
			}
			answer, err := c.in.ReadString('\n')
			if err != nil {
				return false
			}
			c.noteDecoded(strings.TrimSpace(answer))
		}
	}
	return c.answer("AUTH", "235 welcome")
}

func (c *talk) noteDecoded(text string) {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		c.note("decoded " + strings.ReplaceAll(string(plain), "\x00", "|"))
	}
}

// message reads up to the lone dot.
func (c *talk) message() bool {
	var b strings.Builder
	for {
		if c.s.reply["BODY"] != "" && b.Len() > 200 { // in the middle
			return c.answer("BODY", "")
		}
		line, err := c.in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	c.s.mu.Lock()
	c.s.messages = append(c.s.messages, b.String())
	c.s.mu.Unlock()
	return c.answer(".", "250 queued")
}

// overheard are the commands that came without TLS.
func (s *server) overheard() (plain []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, command := range s.commands {
		if !s.secure[i] {
			plain = append(plain, command)
		}
	}
	return plain
}

// heard returns the commands.
func (s *server) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

// got returns the messages.
func (s *server) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...)
}
