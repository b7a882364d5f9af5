package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
	"unicode"
)

// MIME returns the message as RFC 5322 and RFC 2045 want it, with CRLF at the ends of lines and no line
// longer than they allow: for SMTP, and for services that take whole messages. Its body is ASCII. It holds the
// secret. The same message gives the same bytes.
func (m Message) MIME() ([]byte, error) {
	var b bytes.Buffer
	sum := sha256.Sum256([]byte("cardea boundary " + m.MessageID + m.HTML.Reveal()))
	parts := multipart.NewWriter(&b)
	if err := parts.SetBoundary(hex.EncodeToString(sum[:24])); err != nil {
		return nil, err
	}
	// Auto-Submitted (RFC 3834) keeps vacation programs from answering.
	headers := [][2]string{
		{"Date", m.Date.Format(time.RFC1123Z)}, {"From", folded(m.From)}, {"Reply-To", folded(m.ReplyTo)}, {"To", folded(m.To)},
		{"Message-ID", m.MessageID}, {"Subject", encoded(m.Subject)}, {"Content-Language", m.Language},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"},
		{"Content-Type", "multipart/alternative;\r\n boundary=" + parts.Boundary()},
	}
	for _, h := range headers {
		if h[0] == "Reply-To" && m.ReplyTo == (mail.Address{}) {
			continue
		}
		if !oneHeader(h[1]) {
			return nil, errors.New("mail: a header has a line break in it: " + h[0])
		}
		_, _ = fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	for _, p := range [...]struct{ kind, text string }{{"text/plain", m.Text.Reveal()}, {"text/html", m.HTML.Reveal()}} {
		w, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type": {p.kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(w)
		if _, err := q.Write([]byte(p.text)); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// encoded writes a text as a header may have it: as it is if it is plain, else in encoded words (RFC 2047), one a
// line. The standard library's encoder does not leave room for the header's name.
func encoded(text string) string {
	if ascii(text) && !strings.ContainsFunc(text, unicode.IsControl) && !strings.Contains(text, "=?") {
		return text
	}
	const begin, end, most = "=?utf-8?q?", "?=", 64
	var b, word strings.Builder
	for _, c := range strings.ToValidUTF8(text, "\ufffd") {
		var letter strings.Builder
		for _, octet := range []byte(string(c)) {
			switch {
			case 'a' <= octet && octet <= 'z', 'A' <= octet && octet <= 'Z', '0' <= octet && octet <= '9':
				letter.WriteByte(octet)
			case octet == ' ':
				letter.WriteByte('_')
			default:
				_, _ = fmt.Fprintf(&letter, "=%02X", octet)
			}
		}
		if word.Len()+letter.Len() > most-len(begin)-len(end) { // a letter is not torn apart
			b.WriteString(begin + word.String() + end + "\r\n ")
			word.Reset()
		}
		word.WriteString(letter.String())
	}
	b.WriteString(begin + word.String() + end)
	return b.String()
}

// folded breaks the lines of an address with an encoded name.
func folded(a mail.Address) string {
	return strings.NewReplacer("?= =?", "?=\r\n =?", "?= <", "?=\r\n <").Replace(a.String())
}

// oneHeader reports whether a header's value ends with its line: a line break in it must be followed by a blank,
// or what comes after it would be a header of its own. Whatever is put in was encoded before; this is the last
// look.
func oneHeader(value string) bool {
	unfolded := strings.ReplaceAll(value, "\r\n ", "")
	return !strings.ContainsAny(unfolded, "\r\n\x00")
}
