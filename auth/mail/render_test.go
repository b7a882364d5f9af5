package mail_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/mail"
)

// TestBothPartsSayTheSame reads what the HTML part shows, and finds all of it in the text part, links too.
func TestBothPartsSayTheSame(t *testing.T) {
	r := newRenderer(t, nil)
	for _, kind := range everyKind {
		for _, tag := range []string{"en", "de"} {
			m, err := r.Render(letterOf(kind, tag))
			require.NoError(t, err)
			require.Equal(t, tag, m.Language)
			text := oneLine(m.Text.Reveal())
			shown, links := read(t, m.HTML.Reveal())
			intro := map[string]string{"en": "If the button does not work, open this address:", "de": "Falls die Schaltfläche nicht funktioniert, öffnen Sie diese Adresse:"}[tag]
			for _, words := range shown {
				if words != intro && words != "·" && words != "Example ·" {
					require.Contains(t, text, words, "%s in %s", kind, tag)
				}
			}
			for _, l := range links {
				require.Contains(t, text, strings.TrimPrefix(l, "mailto:"), "%s in %s", kind, tag)
			}
			require.Contains(t, links, "https://app.example/help/mails")
			require.Regexp(t, `(Why you got this mail|Warum Sie diese Nachricht erhalten)`, text)
			require.Regexp(t, `(If this was not you|Falls Sie das nicht waren)`, text)
			require.NotRegexp(t, `\{[a-z]+\}|<no value>|ZgotmplZ`, m.HTML.Reveal()+m.Text.Reveal()+m.Subject)
		}
	}
}

// read returns the texts and the links of an HTML document, in order. It fails on what a mail must not have:
// anything that is loaded, runs or tells that the mail was opened.
func read(t *testing.T, document string) (texts, links []string) {
	t.Helper()
	var code strings.Builder
	z := html.NewTokenizer(strings.NewReader(document))
	for {
		switch z.Next() {
		case html.ErrorToken:
			require.ErrorIs(t, z.Err(), io.EOF)
			return append(texts, code.String()), links
		case html.TextToken:
			switch words := oneLine(html.UnescapeString(string(z.Raw()))); {
			case regexp.MustCompile(`^\d{4}$`).MatchString(words):
				code.WriteString(map[bool]string{true: " "}[code.Len() > 0] + words)
			case words != "":
				texts = append(texts, words)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			if tag.Data == "title" { // the subject
				z.Next()
			}
			require.NotContains(t, []string{"img", "script", "style", "link", "iframe", "form", "video", "base", "object"}, tag.Data)
			for _, a := range tag.Attr {
				require.NotContains(t, []string{"src", "srcset", "background", "class", "id"}, a.Key)
				require.NotContains(t, a.Val, "url(")
				if a.Key == "href" {
					links = append(links, a.Val)
				}
			}
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestCodesAreEasyToCopy(t *testing.T) {
	m, err := newRenderer(t, nil).Render(letterOf(auth.SignInLetter, "en"))
	require.NoError(t, err)
	require.Contains(t, m.Text.Reveal(), "\n\n1234 5678\n\n")
	// Two groups to the eye, one word to the clipboard.
	require.Regexp(t, `user-select:all">\s*<span>1234</span><span style="padding-left:[^"]+">5678</span></p>`, m.HTML.Reveal())
	require.NotContains(t, m.Subject, "1234", "a subject is shown on locked screens")
}

func TestLinks(t *testing.T) {
	require.Equal(t, "https://app.example/auth/link/reset?t=id.secret-_", mail.Link("https://app.example", "/auth", auth.ForReset, auth.NewSecret("id.secret-_")))
	require.Equal(t, "https://app.example/a/link/x%2F..?t=%26%20%22%0A", strings.ReplaceAll(mail.Link("https://app.example", "/a", "x/..", auth.NewSecret("& \"\n")), "+", "%20"))
	l, secret := letterOf(auth.AddressChangedNotice, "en")
	m, err := newRenderer(t, func(c *mail.Config) { c.Prefix = "/login" }).Render(l, secret)
	require.NoError(t, err)
	require.Contains(t, m.Text.Reveal(), "\nhttps://app.example/login/link/undo?t="+fakeToken+"\n")
}

// TestALetterOfManyNamesNone: a recovery removes whatever is there, and its letters do not say by what name.
func TestALetterOfManyNamesNone(t *testing.T) {
	r := newRenderer(t, nil)
	for _, kind := range []auth.LetterKind{auth.FactorGoneNotice, auth.LinkGoneNotice} {
		for tag, label := range map[string]string{"en": "Method", "de": "Verfahren"} {
			l, secret := letterOf(kind, tag)
			named, err := r.Render(l, secret)
			require.NoError(t, err)
			require.Contains(t, named.Text.Reveal(), "\n"+label+": ")
			shown, _ := read(t, named.HTML.Reveal())
			require.Contains(t, shown, label)
			l.Method = ""
			m, err := r.Render(l, secret)
			require.NoError(t, err)
			require.Equal(t, named.Subject, m.Subject)
			require.NotContains(t, m.Text.Reveal(), label+":")
			shown, _ = read(t, m.HTML.Reveal())
			require.NotContains(t, shown, label)
			require.NotRegexp(t, `\{[a-z]+\}|<no value>`, m.HTML.Reveal()+m.Text.Reveal()+m.Subject)
		}
	}
}

func TestTheLanguageIsTheLetters(t *testing.T) {
	r := newRenderer(t, nil)
	for tag, want := range map[string]string{
		"": "en", "de": "de", "de-AT": "de", "DE": "de", "de-CH-1996": "de", "en-GB": "en", "fr": "en", "gsw": "de", "nonsense-tag-xx": "en", "*": "en",
		strings.Repeat("de-", 100): "en", "\xff": "en", "zh-Hant": "en",
	} {
		l, _ := letterOf(auth.PasswordNotice, tag)
		m, err := r.Render(l, auth.Secret{})
		require.NoError(t, err)
		require.Equal(t, want, m.Language, tag)
	}
	l, _ := letterOf(auth.PasswordNotice, "fr")
	m, err := newRenderer(t, func(c *mail.Config) { c.Language = "de" }).Render(l, auth.Secret{})
	require.NoError(t, err)
	require.Equal(t, "de", m.Language)
}

// TestStrangersAreNotQuoted: to an address that nobody has shown to be theirs, a name is whatever the one who
// typed the address wants to say there.
func TestStrangersAreNotQuoted(t *testing.T) {
	r := newRenderer(t, nil)
	for _, kind := range everyKind {
		l, secret := letterOf(kind, "en")
		l.Name, l.Device, l.Network, l.Method = "Visit evil.example", "Agent evil.example", "evil.example", "evil.example"
		m, err := r.Render(l, secret)
		require.NoError(t, err)
		require.NotContains(t, m.HTML.Reveal()+m.Text.Reveal()+m.Subject, "evil")

		l.Name = "Ada"
		m, err = r.Render(l, secret)
		require.NoError(t, err)
		stranger := kind == auth.NoAccountLetter || kind == auth.SignUpLetter || kind == auth.NewAddressLetter
		require.Equal(t, !stranger, strings.Contains(m.Text.Reveal(), "Hello Ada,"), kind)
	}
}

func TestLettersThatCannotBeWritten(t *testing.T) {
	r := newRenderer(t, nil)
	reset, token := letterOf(auth.ResetLetter, "en")
	notice, _ := letterOf(auth.PasswordNotice, "en")
	for name, row := range map[string]struct {
		change func(l *auth.Letter)
		letter auth.Letter
		secret auth.Secret
	}{
		"no kind":           {func(l *auth.Letter) { l.Kind = "" }, notice, auth.Secret{}},
		"blank":             {func(l *auth.Letter) { l.Kind = auth.BlankLetter }, notice, auth.Secret{}},
		"secret missing":    {func(*auth.Letter) {}, reset, auth.Secret{}},
		"secret too much":   {func(*auth.Letter) {}, notice, token},
		"no address":        {func(l *auth.Letter) { l.To = "" }, reset, token},
		"two addresses":     {func(l *auth.Letter) { l.To = "ada@example.org, eve@example.org" }, reset, token},
		"header in address": {func(l *auth.Letter) { l.To = "ada@example.org\r\nBcc: eve@example.org" }, reset, token},
		"quoted address":    {func(l *auth.Letter) { l.To = `"eve@evil.example> "@example.org` }, reset, token},
		"address with name": {func(l *auth.Letter) { l.To = "Ada <ada@example.org>" }, reset, token},
		"not a domain":      {func(l *auth.Letter) { l.To = "ada@exa mple.org" }, reset, token},
	} {
		t.Run(name, func(t *testing.T) {
			row.change(&row.letter)
			m, err := r.Render(row.letter, row.secret)
			require.Error(t, err)
			require.Equal(t, mail.Message{}, m)
			require.NotContains(t, err.Error(), "example.org")
			require.NotContains(t, err.Error(), fakeToken)
		})
	}
}

func TestInternationalAddresses(t *testing.T) {
	r := newRenderer(t, nil)
	for to, want := range map[string]string{
		"ada@bücher.example":    "ada@xn--bcher-kva.example",
		"Ada@Example.ORG":       "Ada@example.org",
		"zoë@bücher.example":    "zoë@xn--bcher-kva.example",
		" ada@example.org ":     "ada@example.org",
		"ada+tag@例え.example":    "ada+tag@xn--r8jz45g.example",
		"x'y!#$%&*@example.org": "x'y!#$%&*@example.org",
	} {
		l, _ := letterOf(auth.PasswordNotice, "en")
		l.To = to
		m, err := r.Render(l, auth.Secret{})
		require.NoError(t, err, to)
		require.Equal(t, want, m.To.Address)
	}
}

func TestTheSameLetterIsTheSameMessage(t *testing.T) {
	r := newRenderer(t, nil)
	first, err := r.Render(letterOf(auth.ResetLetter, "de"))
	require.NoError(t, err)
	second, err := r.Render(letterOf(auth.ResetLetter, "de"))
	require.NoError(t, err)
	require.Equal(t, first, second)
	one, err := first.MIME()
	require.NoError(t, err)
	two, err := second.MIME()
	require.NoError(t, err)
	require.Equal(t, one, two)

	l, secret := letterOf(auth.ResetLetter, "de")
	l.ID = "another\r\n"
	other, err := r.Render(l, secret)
	require.NoError(t, err)
	require.NotEqual(t, first.MessageID, other.MessageID)
	require.Regexp(t, `^<[A-Za-z0-9_-]{24}@app\.example>$`, other.MessageID)
}

// TestMessagesDoNotPrintThemselves: a message that is logged by mistake must not tell its link.
func TestMessagesDoNotPrintThemselves(t *testing.T) {
	m, err := newRenderer(t, nil).Render(letterOf(auth.ResetLetter, "en"))
	require.NoError(t, err)
	encoded, err := json.Marshal(map[string]any{"m": m, "p": &m, "held": struct{ M mail.Message }{m}})
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "m", m, "p", &m, "held", struct{ M mail.Message }{m})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "m", m, "p", &m, "held", struct{ M mail.Message }{m})
	held := struct{ m mail.Message }{m}
	all := string(encoded) + log.String() + m.String() + m.GoString() + fmt.Sprintf("%v %+v %#v %s %q %x %d", m, m, m, m, m, m, m) + fmt.Sprintf("%v %+v %#v", held, held, held)
	require.NotContains(t, all, fakeToken)
	require.NotContains(t, fmt.Sprintf("%v %+v %s", m, m, m)+string(encoded)+log.String(), "ada@example.org")
}

// parts takes a message apart with the standard library's parsers.
func parts(t testing.TB, whole []byte) (header netmail.Header, text, document string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(whole))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	r := multipart.NewReader(m.Body, params["boundary"])
	var bodies []string
	for _, want := range []string{"text/plain; charset=utf-8", "text/html; charset=utf-8"} {
		p, err := r.NextRawPart()
		require.NoError(t, err)
		require.Equal(t, want, p.Header.Get("Content-Type"))
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		require.NoError(t, err)
		bodies = append(bodies, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	_, err = r.NextRawPart()
	require.ErrorIs(t, err, io.EOF)
	return m.Header, bodies[0], bodies[1]
}

func TestMIME(t *testing.T) {
	r := newRenderer(t, func(c *mail.Config) {
		c.Product, c.From, c.ReplyTo = "Bücher & Söhne", `"Bücher, Inc." <no-reply@bücher.example>`, "hilfe@app.example"
	})
	for _, kind := range everyKind {
		m, err := r.Render(letterOf(kind, "de"))
		require.NoError(t, err)
		whole, err := m.MIME()
		require.NoError(t, err)
		for line := range bytes.Lines(whole) {
			require.True(t, bytes.HasSuffix(line, []byte("\r\n")), "%q", line)
			require.LessOrEqual(t, len(line), 78+2, "%q", line)
		}
		require.NotContains(t, string(bytes.ReplaceAll(whole, []byte("\r\n"), nil)), "\n")
		require.NotRegexp(t, `[^\x00-\x7f]`, string(whole))
		header, text, document := parts(t, whole)
		require.Equal(t, m.Text.Reveal(), text)
		require.Equal(t, m.HTML.Reveal(), document)
		require.Equal(t, "auto-generated", header.Get("Auto-Submitted"))
		require.Equal(t, m.MessageID, header.Get("Message-Id"))
		subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		require.NoError(t, err)
		require.Equal(t, m.Subject, subject)
		from, err := header.AddressList("From")
		require.NoError(t, err)
		require.Equal(t, []*netmail.Address{{Name: "Bücher, Inc.", Address: "no-reply@xn--bcher-kva.example"}}, from)
		date, err := header.Date()
		require.NoError(t, err)
		require.True(t, date.Equal(noon))
		require.Empty(t, header.Get("List-Unsubscribe"))
	}
}

func TestMIMERefusesHeadersInHeaders(t *testing.T) {
	m, err := newRenderer(t, nil).Render(letterOf(auth.PasswordNotice, "en"))
	require.NoError(t, err)
	for name, change := range map[string]func(m *mail.Message){
		"message id": func(m *mail.Message) { m.MessageID = "<a@b>\r\nBcc: eve@evil.example" },
		"language":   func(m *mail.Message) { m.Language = "en\nBcc: eve@evil.example" },
		"to":         func(m *mail.Message) { m.To.Address = "ada@example.org>\r\nBcc: <eve@evil.example" },
		"from":       func(m *mail.Message) { m.From.Address = "ada@example.org\r\nBcc: eve@evil.example" },
	} {
		bad := m
		change(&bad)
		whole, err := bad.MIME()
		if err == nil {
			header, _, _ := parts(t, whole)
			require.Empty(t, header.Get("Bcc"), name)
		}
	}
}
