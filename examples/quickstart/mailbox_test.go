package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"html"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mailed is a mail as its reader gets it.
type mailed struct {
	id, subject, language string
	text, html            string
}

// mailbox reads what a site mailed, as people do: on the outbox page, or from a mail server.
type mailbox struct {
	read func(t *testing.T, address string) []mailed // the last one first
	used map[string]bool                             // the mails that a code or a link was taken from, and older ones
}

var (
	codeInMail = regexp.MustCompile(`(?m)^ *(\d{4} \d{4})$`)
	linkInMail = regexp.MustCompile(`(?m)^ *(http://\S+/auth/link/\S+)$`)
)

// code waits for a mail with a code, and returns the code. Each call takes a mail that came after the one of the
// call before, so it is made after each request that has one sent.
func (m *mailbox) code(t *testing.T, address string) string {
	t.Helper()
	return codeInMail.FindStringSubmatch(m.await(t, address, codeInMail).text)[1]
}

// link waits in the same way for a mail with a link that opens something, and returns the link.
func (m *mailbox) link(t *testing.T, address string) string {
	t.Helper()
	return linkInMail.FindStringSubmatch(m.await(t, address, linkInMail).text)[1]
}

// await waits for a new mail whose text matches, and counts it as read, with all that came before it.
func (m *mailbox) await(t *testing.T, address string, pattern *regexp.Regexp) mailed {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		all := m.read(t, address)
		i := slices.IndexFunc(all, func(one mailed) bool { return pattern.MatchString(one.text) })
		if i < 0 || m.used[all[i].id] {
			continue
		}
		for _, old := range all[i:] {
			m.used[old.id] = true
		}
		return all[i]
	}
	require.Fail(t, "no mail came", "to %s, like %s", address, pattern)
	return mailed{}
}

// outboxOf reads the outbox page of a site.
func outboxOf(site string) *mailbox {
	return &mailbox{used: map[string]bool{}, read: func(t *testing.T, address string) []mailed {
		t.Helper()
		w, err := http.Get(site + "/outbox?to=" + url.QueryEscape(address))
		require.NoError(t, err)
		defer w.Body.Close()
		require.Equal(t, 200, w.StatusCode)
		page, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		return mailsOn(string(page))
	}}
}

var mailOnPage = regexp.MustCompile(`(?s)<details class="mail" name="mail" id="mail-([^"]+)".*?<strong lang="([^"]*)">(.*?)</strong>.*? srcdoc="([^"]*)".*?<pre[^>]*>\n?(.*?)</pre>`)

func mailsOn(page string) []mailed {
	var all []mailed
	for _, found := range mailOnPage.FindAllStringSubmatch(page, -1) {
		all = append(all, mailed{
			id: found[1], language: found[2], subject: html.UnescapeString(found[3]),
			html: html.UnescapeString(found[4]), text: html.UnescapeString(found[5]),
		})
	}
	return all
}

const python = "/usr/bin/python3" // that of Debian, for which there is a package of the server

// startMailingSite is startSite with a real mail server, which wants TLS and a password, in place of the outbox.
func startMailingSite(t *testing.T, flags ...string) site {
	t.Helper()
	if exec.Command(python, "-c", "import aiosmtpd").Run() != nil {
		needed(t, "aiosmtpd") // there is no program of this name: it fails or skips
	}
	folder, out := t.TempDir(), t.TempDir()
	certificate, key, secret := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"), filepath.Join(folder, "password")
	certify(t, certificate, key)
	require.NoError(t, os.WriteFile(secret, []byte("only-for-this-test\n"), 0o600))
	cmd := exec.Command(python, "../outbox/testdata/sink.py", out, certificate, key, "quickstart", "only-for-this-test")
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the mail server said:\n%s", &said)
		}
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	port, ready := strings.CutPrefix(strings.TrimSpace(line), "READY ")
	require.True(t, ready, line)
	trusted := []string{"SSL_CERT_FILE=" + certificate} // this machine's certificates have none of the server's
	s := startSiteIn(t, trusted, append(flags, "-smtp", "127.0.0.1:"+port, "-smtp-user", "quickstart", "-smtp-password-file", secret, "-from", "Quickstart <no-reply@quickstart.example>")...)
	s.mails = &mailbox{used: map[string]bool{}, read: func(t *testing.T, address string) []mailed { return delivered(t, out, address) }}
	return s
}

// certify makes a certificate for a server on this machine.
func certify(t *testing.T, certificate, key string) {
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
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER}), 0o600))
}

// delivered reads what the mail server took for an address.
func delivered(t *testing.T, folder, address string) []mailed {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	require.NoError(t, err)
	var all []mailed
	for _, name := range names {
		var got struct {
			To        []string
			TLS, Auth bool
			Headers   map[string]string
			Parts     []struct{ Text string }
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &got))
		require.True(t, got.TLS && got.Auth, "the server lets nobody else in")
		if !slices.Contains(got.To, address) {
			continue
		}
		require.Len(t, got.Parts, 2)
		all = append(all, mailed{
			id: got.Headers["Message-ID"], subject: got.Headers["Subject"], language: got.Headers["Content-Language"],
			text: strings.ReplaceAll(got.Parts[0].Text, "\r\n", "\n"), html: got.Parts[1].Text,
		})
	}
	slices.Reverse(all)
	return all
}
