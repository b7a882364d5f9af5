package mail_test

import (
	"encoding/json"
	"maps"
	"mime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
)

// FuzzHeaders writes letters with whatever strangers can put into them, and reads the message with other
// parsers: its headers are exactly those that it should have, it goes to the one address, and its parts are
// what was written.
func FuzzHeaders(f *testing.F) {
	for _, seed := range [][5]string{
		{"Ada", "ada@example.org", "de", firefox, "203.0.113.0/24"},
		{"Ada\r\nBcc: eve@evil.example", "ada@example.org\r\nBcc: eve@evil.example", "de\r\nX: y", "a\r\n\r\nb", "x\n"},
		{"=?utf-8?q?=0D=0ABcc:_eve?=", "zoë@bücher.example", "", "\x00", "::/48"},
		{`"a" <b@c>`, `"eve@evil.example> "@example.org`, "de-AT", "Firefox/", "\xff"},
		{".\r\n.\r\n", "a@b.example,c@d.example", "*", "--boundary", "1"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	r := newRenderer(f, nil)
	f.Fuzz(func(t *testing.T, name, to, tag, agent, network string) {
		for _, kind := range []auth.LetterKind{auth.AddressChangedNotice, auth.SignInLetter} {
			l, secret := letterOf(kind, tag)
			l.ID, l.Name, l.To, l.Device, l.Network, l.Method, l.Address = name, name, to, agent, network, network, to
			m, err := r.Render(l, secret)
			if err != nil {
				require.True(t, mail.IsPermanent(err))
				require.Equal(t, mail.Message{}, m)
				return
			}
			whole, err := m.MIME()
			require.NoError(t, err)
			header, text, document := parts(t, whole)
			require.Equal(t, []string{
				"Auto-Submitted", "Content-Language", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To",
			}, slices.Sorted(maps.Keys(header)))
			for key, values := range header {
				require.Len(t, values, 1, key)
			}
			list, err := header.AddressList("To")
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, m.To.Address, list[0].Address)
			require.NotRegexp(t, `[\s<>,;:"()\\\x00-\x1f]`, m.To.Address, "what could end the address in a command")
			require.Equal(t, m.Text.Reveal(), text)
			require.Equal(t, m.HTML.Reveal(), document)
			read(t, document)
		}
	})
}

// FuzzSubject: whatever a subject says, it is read as it was written and is one header.
func FuzzSubject(f *testing.F) {
	for _, seed := range []string{"plain", "Grüße  an\u00a0alle", "=?utf-8?q?x?=", strings.Repeat("ü", 200), "a\r\nBcc: b", "\xff", "?= =?", " _=", "\U0001f511\U0001f511"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		if !utf8.ValidString(subject) || strings.TrimSpace(subject) != subject {
			subject = "[" + strings.ToValidUTF8(subject, "\ufffd") + "]"
		}
		m := mail.Message{Subject: subject, MessageID: "<a@b.example>"}
		whole, err := m.MIME()
		require.NoError(t, err)
		header, _, _ := parts(t, whole)
		require.Len(t, header["Subject"], 1)
		got, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		require.NoError(t, err)
		require.Equal(t, subject, got)
	})
}

// FuzzLanguage: whatever tag a letter has, it is written in a language that there is.
func FuzzLanguage(f *testing.F) {
	for _, seed := range []string{"", "de", "de-AT-1996", "x-klingon", "zh-Hant-TW-u-co-pinyin", "de;q=0", "\x00", strings.Repeat("a-", 300)} {
		f.Add(seed)
	}
	r := newRenderer(f, nil)
	f.Fuzz(func(t *testing.T, tag string) {
		l, _ := letterOf(auth.PasswordNotice, tag)
		m, err := r.Render(l, auth.Secret{})
		require.NoError(t, err)
		require.Contains(t, []string{"en", "de"}, m.Language)
	})
}

// FuzzOverrides: a catalogue and a layout that New takes never fail later, and never change the headers.
func FuzzOverrides(f *testing.F) {
	for _, seed := range [][2]string{
		{"Hallo", "Bitte."}, {"a\r\nBcc: b", "{product}"}, {"{token}", "{{.Code}}"}, {"{{.URL}}", "<script>"}, {"", ""}, {"{product}{product}", "\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, subject, text string) {
		catalog, err := json.Marshal(map[string]any{"letters": map[string]any{"reset": map[string]string{"subject": subject, "text": text}}})
		require.NoError(t, err)
		layout := `{{define "layout"}}{{.Product}} {{.Heading}} {{.Text}} {{.Code}} {{with .Button}}{{.URL}}{{end}} {{.Valid}} {{.Unasked}} {{.Why}} {{.Help.URL}}{{end}}`
		cfg := sound()
		cfg.Overrides = fstest.MapFS{"de.json": {Data: catalog}, "layout.txt": {Data: []byte(layout)}, "layout.html": {Data: []byte(layout)}}
		r, err := mail.New(cfg)
		if err != nil {
			require.Nil(t, r)
			return
		}
		m, err := r.Render(letterOf(auth.ResetLetter, "de"))
		require.NoError(t, err)
		whole, err := m.MIME()
		require.NoError(t, err)
		header, _, _ := parts(t, whole)
		require.Len(t, header, 9)
		require.Contains(t, m.Text.Reveal(), fakeToken)
	})
}
