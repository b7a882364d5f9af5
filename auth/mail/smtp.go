package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/cardea-auth/cardea/auth"
)

// SMTPConfig is what an SMTP sender is made from.
type SMTPConfig struct {
	// Host is the mail server's name, which its certificate must have, or its address. Required.
	Host string
	// Port is the server's port. Zero means 587 (submission), 465 with ImplicitTLS, and 25 for a loopback host.
	Port int
	// ImplicitTLS begins with TLS (RFC 8314), as servers do on port 465. Otherwise TLS begins with STARTTLS,
	// which a server that is not on this very machine must offer: one that does not is given neither a password
	// nor a message. A loopback server is spoken to without TLS, unless TLS is set.
	ImplicitTLS bool
	// TLS changes how certificates are checked, such as with RootCAs of one's own. Nil checks them against the
	// system's. InsecureSkipVerify is refused: whoever is in the middle would read every link.
	TLS *tls.Config
	// Username and Password are what the server knows this program by. Without a Username there is no
	// authentication. Of the server's mechanisms SCRAM-SHA-256, PLAIN and LOGIN are used, in this order.
	Username string
	Password auth.Secret
	// Hello is the name that this machine introduces itself with. Empty means its host name.
	Hello string
	// Timeout is how long one message may take, from connecting to the server's last word; at most 5 minutes.
	// Zero means 30 seconds.
	Timeout time.Duration
}

// SMTP sends messages to a mail server, each over a connection of its own. It is safe for concurrent use. Make
// one with NewSMTP.
type SMTP struct {
	cfg      SMTPConfig
	tls      *tls.Config
	loopback bool
}

// SMTPError says at which step a server refused, without its words, which often quote the address.
type SMTPError struct {
	Step string // "connect", "greeting", "starttls", "auth", "mail", "recipient", "data", "message"
	// Code is the server's reply code (RFC 5321 §4.2) and Status its enhanced one (RFC 3463), such as 550 and
	// "5.1.1". They are zero and empty if it did not reply.
	Code   int
	Status string
	// Cause says what happened if no reply came: "timeout", "certificate", …
	Cause string
}

// Error names the step and the codes.
func (e *SMTPError) Error() string {
	text := "mail: smtp " + e.Step
	if e.Code != 0 {
		text += " " + strconv.Itoa(e.Code)
	}
	for _, more := range []string{e.Status, e.Cause} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

// NewSMTP returns an SMTP sender, or an error that names every problem of the configuration. It does not
// connect.
func NewSMTP(cfg SMTPConfig) (*SMTP, error) {
	var problems []error
	s := &SMTP{cfg: cfg, loopback: loopback(cfg.Host)}
	if cfg.Host == "" || strings.ContainsAny(cfg.Host, "/@ \r\n\t") || strings.Contains(cfg.Host, ":") && !strings.Contains(cfg.Host, "::") {
		problems = append(problems, fmt.Errorf("Host is %q; it must be a name or an address, without a port", cfg.Host))
	}
	if cfg.Port < 0 || cfg.Port > 65535 {
		problems = append(problems, fmt.Errorf("Port is %d; it must be at most 65535", cfg.Port))
	}
	if cfg.TLS != nil && cfg.TLS.InsecureSkipVerify {
		problems = append(problems, errors.New("TLS has InsecureSkipVerify; give it RootCAs instead"))
	}
	if (cfg.Username == "") != cfg.Password.IsZero() {
		problems = append(problems, errors.New("Username and Password go together"))
	}
	if strings.ContainsAny(cfg.Username, "\x00\r\n") || strings.ContainsRune(cfg.Password.Reveal(), 0) {
		problems = append(problems, errors.New("Username or Password has a character that cannot be sent"))
	}
	if cfg.Timeout < 0 || cfg.Timeout > 5*time.Minute {
		problems = append(problems, fmt.Errorf("Timeout is %s; it must be positive and at most 5m", cfg.Timeout))
	}
	if strings.ContainsAny(cfg.Hello, "\r\n ") || !ascii(cfg.Hello) {
		problems = append(problems, fmt.Errorf("Hello is %q; it must be a host name", cfg.Hello))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("mail: invalid SMTPConfig:\n%w", err)
	}
	port := 587
	switch {
	case cfg.ImplicitTLS:
		port = 465
	case s.loopback:
		port = 25
	}
	s.cfg.Port, s.cfg.Timeout = cmp.Or(cfg.Port, port), cmp.Or(cfg.Timeout, 30*time.Second)
	if s.cfg.Hello == "" {
		s.cfg.Hello = hostname()
	}
	s.tls = &tls.Config{}
	if cfg.TLS != nil {
		s.tls = cfg.TLS.Clone()
	}
	s.tls.ServerName = cmp.Or(s.tls.ServerName, cfg.Host)
	s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS12)
	return s, nil
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" || !ascii(name) || strings.ContainsAny(name, "\r\n ") {
		return "localhost"
	}
	return name
}

// Send implements Sender. Its errors are SMTPErrors; permanent are those of a reply 5xx to this recipient or
// this message. A server that refuses everybody (a wrong password, an unwelcome sender) is tried again: that
// mends when somebody mends it, and the letters are still wanted then.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	content, err := m.MIME()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	dialer := net.Dialer{}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port)))
	if err != nil {
		return failed("connect", err)
	}
	defer func() { _ = conn.Close() }()
	// A server that says nothing, or one byte a minute, is left when the context ends.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	client, secured, err := s.open(ctx, conn)
	if err != nil {
		return err
	}
	if err := s.authenticate(client, secured); err != nil {
		return err
	}
	if err := deliver(client, m, content); err != nil {
		return err
	}
	// The server has the message, whatever becomes of the farewell.
	stop()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_ = client.Quit()
	return nil
}

// open greets the server and makes sure that nobody listens in.
func (s *SMTP) open(ctx context.Context, conn net.Conn) (client *smtp.Client, secured bool, err error) {
	if s.cfg.ImplicitTLS {
		secure := tls.Client(conn, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, false, failed("starttls", err)
		}
		conn = secure
	}
	client, err = smtp.NewClient(conn, s.cfg.Host)
	if err != nil {
		return nil, false, failed("greeting", err)
	}
	if err := client.Hello(s.cfg.Hello); err != nil {
		return nil, false, failed("greeting", err)
	}
	switch offered, _ := client.Extension("STARTTLS"); {
	case s.cfg.ImplicitTLS:
		return client, true, nil
	case s.loopback && s.cfg.TLS == nil && loopbackAddr(conn.RemoteAddr()):
		return client, false, nil
	case !offered: // the server's doing, or somebody's in the middle who wants to read along
		return nil, false, &SMTPError{Step: "starttls", Cause: "not offered"}
	}
	if err := client.StartTLS(s.tls); err != nil {
		return nil, false, failed("starttls", err)
	}
	return client, true, nil
}

func (s *SMTP) authenticate(client *smtp.Client, secured bool) error {
	if s.cfg.Username == "" {
		return nil
	}
	_, offered := client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	var how smtp.Auth
	switch user, password := s.cfg.Username, s.cfg.Password.Reveal(); {
	case slices.Contains(mechanisms, "SCRAM-SHA-256"):
		how = smtp.ScramSHA256Auth(user, password)
	case slices.Contains(mechanisms, "PLAIN"):
		how = smtp.PlainAuth("", user, password, s.cfg.Host, !secured)
	case slices.Contains(mechanisms, "LOGIN"):
		how = smtp.LoginAuth(user, password, s.cfg.Host, !secured)
	default:
		return &SMTPError{Step: "auth", Cause: "no mechanism that is known here"}
	}
	if err := client.Auth(how); err != nil {
		return failed("auth", err)
	}
	return nil
}

// deliver hands the message over.
func deliver(client *smtp.Client, m Message, content []byte) error {
	utf8Needed := !ascii(m.To.Address)
	if offered, _ := client.Extension("SMTPUTF8"); utf8Needed && !offered {
		return Permanent(&SMTPError{Step: "recipient", Cause: "the server takes no address that is not ASCII"})
	}
	client.SkipSMTPUTF8(!utf8Needed) // asked for without need, it keeps mail from servers that lack it
	if err := client.Mail(mailbox(m.From)); err != nil {
		return failed("mail", err)
	}
	if err := client.Rcpt(mailbox(m.To)); err != nil {
		return forGood(failed("recipient", err))
	}
	data, err := client.Data()
	if err != nil {
		return forGood(failed("data", err))
	}
	if _, err := data.Write(content); err != nil {
		return failed("message", err)
	}
	if err := data.Close(); err != nil {
		return forGood(failed("message", err))
	}
	return nil
}

// mailbox returns an address as SMTP commands have it.
func mailbox(a mail.Address) string { return "<" + a.Address + ">" }

var enhancedStatus = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// failed keeps of an error what says no address and no secret.
func failed(step string, err error) error {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return &SMTPError{Step: step, Code: reply.Code, Status: enhancedStatus.FindString(reply.Msg)}
	}
	return &SMTPError{Step: step, Cause: cause(err)}
}

func cause(err error) string {
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var lookup *net.DNSError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &certificate):
		return "certificate"
	case errors.As(err, &record):
		return "no TLS"
	case errors.As(err, &lookup):
		return "unknown host"
	}
	return "connection failed"
}

// forGood makes a reply 5xx permanent.
func forGood(err error) error {
	var e *SMTPError
	if errors.As(err, &e) && e.Code >= 500 {
		return Permanent(err)
	}
	return err
}
