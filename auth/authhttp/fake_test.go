package authhttp_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
)

const (
	origin  = "https://app.example"
	token   = "tttttttttttttttttttttttttttttttttttttttttt1" // of the session in a fake
	bearer  = auth.NativeSessionMark + token                // of the same session, were it a native client's
	binding = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb1" // a flow cookie
	handle  = "flow-1.secret"
)

var now = time.Date(2026, 3, 3, 14, 5, 0, 0, time.UTC)

// fake is a scripted service: it answers what a test put into it, and remembers what it was asked.
type fake struct {
	session  auth.Session
	account  auth.Account
	list     []auth.Session
	devices  []auth.TrustedDevice
	factors  []auth.Factor
	connects []auth.Connection
	social   []auth.ProviderInfo
	returned auth.ReturnRequest
	departs  string // where SignOutAt leads
	activity []auth.Activity
	progress auth.Progress // what Begin, Continue and Look answer
	err      error         // what they answer instead
	down     error         // what Authenticate answers instead
	fresh    bool
	panics   any
	confirming

	onBegin    func(auth.BeginRequest) (auth.Progress, error)
	onContinue func(auth.ContinueRequest) (auth.Progress, error)
	onLook     func(string) (auth.Progress, error)
	onLink     func(flow.Goal, auth.Secret) (flow.View, error)
	changeErr  error
	mails      bool // letters can be sent
	passkeys   bool // the sign-in page offers them
	recovers   bool // strangers are offered to recover and to sign up

	calls     []string
	begun     auth.BeginRequest
	continued auth.ContinueRequest
	looked    auth.Client
	ended     string
	named     string
	device    auth.Secret // that came along with a change, or with a listing
}

func (f *fake) call(name string) {
	f.calls = append(f.calls, name)
	if f.panics != nil {
		panic(f.panics)
	}
}

func (f *fake) Preview(context.Context, flow.Goal) (flow.View, error) {
	f.call("preview")
	v := identifyView()
	v.Recovery, v.SignUp = f.recovers, f.recovers
	if f.passkeys {
		v.Actions = slices.Insert(v.Actions, 1, flow.Action{Name: "send-passkey"})
	}
	return v, nil
}

func (f *fake) PreviewLink(_ context.Context, goal flow.Goal, token auth.Secret, _ auth.Client) (flow.View, error) {
	f.call("preview-link")
	if f.onLink != nil {
		return f.onLink(goal, token)
	}
	return flow.View{}, flow.Deny(flow.WrongCode)
}

func (f *fake) Serves(flow.Goal, flow.Target) bool { return f.mails }

func (f *fake) Begin(_ context.Context, r auth.BeginRequest) (auth.Progress, error) {
	f.call("begin")
	f.begun = r
	if f.onBegin != nil {
		return f.onBegin(r)
	}
	return f.progress, f.err
}

func (f *fake) Continue(_ context.Context, r auth.ContinueRequest) (auth.Progress, error) {
	f.call("continue")
	f.continued = r
	if f.onContinue != nil {
		return f.onContinue(r)
	}
	return f.progress, f.err
}

func (f *fake) Look(_ context.Context, id string, c auth.Client) (auth.Progress, error) {
	f.call("look")
	f.looked = c
	if f.onLook != nil {
		return f.onLook(id)
	}
	return f.progress, f.err
}

func (f *fake) Authenticate(_ context.Context, t auth.Secret) (auth.Session, error) {
	f.call("authenticate")
	if f.down != nil {
		return auth.Session{}, f.down
	}
	if t.Reveal() != token && t.Reveal() != bearer || f.session.ID == "" {
		return auth.Session{}, flow.Deny(flow.SessionRequired)
	}
	return f.session, nil
}

func (f *fake) Fresh(auth.Session, flow.Target) bool { return f.fresh }

func (f *fake) Account(context.Context, string) (auth.Account, error) { return f.account, nil }

func (f *fake) Sessions(context.Context, auth.Session) ([]auth.Session, error) {
	f.call("sessions")
	return f.list, f.changeErr
}

func (f *fake) EndSession(_ context.Context, _ auth.Session, id string) error {
	f.call("end-session")
	f.ended = id
	return f.changeErr
}

func (f *fake) EndOtherSessions(_ context.Context, _ auth.Session, c auth.Client) error {
	f.call("end-others")
	f.device = c.Device
	return f.changeErr
}

func (f *fake) TrustedDevices(_ context.Context, _ auth.Session, c auth.Client) ([]auth.TrustedDevice, error) {
	f.call("devices")
	f.device = c.Device
	return f.devices, f.changeErr
}

func (f *fake) RenameTrustedDevice(_ context.Context, _ auth.Session, id, name string) error {
	f.call("rename-device")
	f.ended, f.named = id, name
	return f.changeErr
}

func (f *fake) RemoveTrustedDevice(_ context.Context, _ auth.Session, id string) error {
	f.call("remove-device")
	f.ended = id
	return f.changeErr
}

func (f *fake) RemoveTrustedDevices(context.Context, auth.Session) error {
	f.call("remove-devices")
	return f.changeErr
}

func (f *fake) Factors(context.Context, auth.Session) ([]auth.Factor, error) {
	f.call("factors")
	return f.factors, f.changeErr
}

func (f *fake) Callbacks() string { return origin + "/auth/provider/" }

func (f *fake) Providers() []auth.ProviderInfo { return f.social }

func (f *fake) Connections(context.Context, auth.Session) ([]auth.Connection, error) {
	f.call("connections")
	return f.connects, f.changeErr
}

func (f *fake) Return(_ context.Context, r auth.ReturnRequest) (auth.Progress, error) {
	f.call("return")
	f.returned = r
	return f.progress, f.err
}

func (f *fake) Park(_ context.Context, r auth.ReturnRequest) (string, error) {
	f.call("park")
	f.returned = r
	return "flow-1", f.err
}

func (f *fake) ReturnParked(_ context.Context, provider, flowID string, c auth.Client) (auth.Progress, error) {
	f.call("return-parked")
	f.returned = auth.ReturnRequest{Provider: provider, Client: c}
	f.ended = flowID
	return f.progress, f.err
}

func (f *fake) EndedAtProvider(_ context.Context, provider string, token auth.Secret) error {
	f.call("ended-at-provider")
	f.returned = auth.ReturnRequest{Provider: provider}
	f.named = token.Reveal()
	return f.err
}

func (f *fake) SignOutAt(context.Context, auth.Session, string, string) (string, error) {
	return f.departs, f.err
}

func (f *fake) Activity(context.Context, auth.Session) ([]auth.Activity, error) {
	f.call("activity")
	return f.activity, f.changeErr
}

func (f *fake) RenameFactor(_ context.Context, _ auth.Session, id, name string) error {
	f.call("rename-factor")
	f.ended, f.named = id, name
	return f.changeErr
}

func (*fake) QR(p auth.Pairing, title string) (auth.Secret, error) {
	return auth.NewSecret("<svg role=\"img\"><title>" + title + "</title></svg>"), nil
}

func (f *fake) SignOut(context.Context, auth.Session) error {
	f.call("sign-out")
	return f.changeErr
}

func (f *fake) PasswordLengths() (int, int) { return 15, 256 }

// changed reports whether anything was asked of the service that could change something.
func (f *fake) changed() bool {
	for _, c := range f.calls {
		switch c {
		case "begin", "continue", "end-session", "end-others", "sign-out", "rename-device", "remove-device", "remove-devices", "rename-factor":
			return true
		}
	}
	return false
}

const chromeOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36"

func ada() *fake {
	s := auth.Session{
		ID: "session-1", Account: "account-1", CreatedAt: now.Add(-50 * time.Hour), AuthenticatedAt: now.Add(-50 * time.Hour),
		SeenAt: now.Add(-30 * time.Second), ExpiresAt: now.Add(30 * 24 * time.Hour), Assurance: flow.AAL1, Current: true,
		Proofs: []flow.Proof{{Method: flow.Password, At: now.Add(-50 * time.Hour), Account: "account-1"}},
		Prefix: netip.MustParsePrefix("203.0.113.0/24"), UserAgent: chromeOnWindows,
	}
	phone, old := s, s
	phone.ID, phone.Current, phone.Keep = "session-2", false, true
	phone.UserAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1"
	phone.SeenAt, phone.Prefix = now.Add(-3*time.Hour), netip.MustParsePrefix("2001:db8:1::/48")
	phone.CreatedAt = now.Add(-70 * 24 * time.Hour)
	old.ID, old.Current = "session-3", false
	old.UserAgent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:146.0) Gecko/20100101 Firefox/146.0"
	old.SeenAt, old.Prefix = now.Add(-5*24*time.Hour), netip.MustParsePrefix("198.51.100.0/24")
	old.CreatedAt = now.Add(-6 * 24 * time.Hour)
	return &fake{
		session: s, list: []auth.Session{s, phone, old}, fresh: true,
		account:  auth.Account{ID: "account-1", Identifier: "ada@example.com", Display: "Ada@example.com", Name: "Ada Lovelace"},
		progress: at(passwordView()),
		factors: []auth.Factor{
			{ID: "factor-1", Method: flow.TOTP, Name: "Ada's phone", CreatedAt: now.Add(-3 * 24 * time.Hour), UsedAt: now.Add(-2 * time.Hour)},
			{ID: "factor-2", Method: flow.RecoveryCode, CreatedAt: now.Add(-3 * 24 * time.Hour), Left: 9},
		},
		connects: []auth.Connection{
			{ProviderName: "Google", Link: auth.Link{
				ID: "link-1", Provider: "google", Email: "ada@gmail.com", LinkedAt: now.Add(-9 * 24 * time.Hour), UsedAt: now.Add(-2 * time.Hour),
			}},
			{ProviderName: "GitHub", Link: auth.Link{ID: "link-2", Provider: "github", LinkedAt: now.Add(-2 * 24 * time.Hour)}},
		},
		activity: []auth.Activity{
			{
				Account: "account-1", Class: auth.ActivityUse, What: auth.ActivitySignedIn, Methods: flow.MethodsOf(flow.Password, flow.TOTP),
				Network: s.Prefix, UserAgent: chromeOnWindows, Count: 1, FirstAt: now.Add(-time.Minute), At: now.Add(-time.Minute),
			},
			{
				Account: "account-1", Class: auth.ActivityAttempt, What: auth.ActivityAttemptFailed, Methods: flow.MethodsOf(flow.Password),
				Network: old.Prefix, UserAgent: "Mozilla/5.0 <b>\"Eve\"</b>", Count: 7, FirstAt: now.Add(-5 * time.Hour), At: now.Add(-3 * time.Hour),
			},
			{
				Account: "account-1", Class: auth.ActivityChange, What: auth.ActivityAccountCreated, Count: 1,
				FirstAt: now.Add(-70 * 24 * time.Hour), At: now.Add(-70 * 24 * time.Hour),
			},
		},
		devices: []auth.TrustedDevice{
			{
				ID: "device-1", Account: "account-1", CreatedAt: now.Add(-2 * 24 * time.Hour), SeenAt: now.Add(-time.Minute),
				ExpiresAt: now.Add(28 * 24 * time.Hour), UserAgent: chromeOnWindows, Current: true,
			},
			{
				ID: "device-2", Account: "account-1", Name: "Ada's <phone>", CreatedAt: now.Add(-20 * 24 * time.Hour), SeenAt: now.Add(-3 * time.Hour),
				ExpiresAt: now.Add(10 * 24 * time.Hour), UserAgent: phone.UserAgent,
			},
		},
	}
}

// at is a flow that stands at the View.
func at(v flow.View) auth.Progress {
	return auth.Progress{FlowID: "flow-1", Handle: auth.NewSecret(handle), View: v, ReturnTo: "/inbox", ExpiresAt: now.Add(10 * time.Minute)}
}

// granted is a flow that has just issued its session.
func granted(goal flow.Goal, keep bool) auth.Progress {
	p := at(flow.View{Goal: goal, Phase: flow.Closed, Outcome: "granted", Actions: []flow.Action{}})
	s := ada().session
	s.Keep = keep
	p.Session = &auth.IssuedSession{Session: s, Token: auth.NewSecret(token)}
	p.Device = auth.NewSecret("device-cookie")
	return p
}

func identifyView() flow.View {
	return flow.View{
		Goal: flow.SignIn, Phase: flow.Identifying, Need: flow.Identification, Outcome: "open", ExpiresAt: now.Add(10 * time.Minute),
		Actions: []flow.Action{
			{Name: "identify", Inputs: []flow.Input{{Name: "identifier", Kind: "text", Required: true}, {Name: "keep", Kind: "flag"}}},
			{Name: "cancel"},
		},
	}
}

func passwordView() flow.View {
	return flow.View{
		Goal: flow.SignIn, Phase: flow.Proving, Need: flow.FirstFactor, Outcome: "open", Address: "Ada@example.com", ExpiresAt: now.Add(10 * time.Minute),
		Actions: []flow.Action{
			{Name: "password", Inputs: []flow.Input{{Name: "password", Kind: "secret", Required: true}}}, {Name: "restart"},
		},
	}
}

func newPasswordView() flow.View {
	v := passwordView()
	v.Phase, v.Need = flow.Providing, flow.PasswordChange
	v.Actions = []flow.Action{{Name: "new-password", Inputs: []flow.Input{{Name: "new_password", Kind: "secret", Required: true}}}, {Name: "restart"}}
	return v
}

func freshPasswordView() flow.View {
	v := passwordView()
	v.Goal, v.Need = flow.Enrolment, flow.FreshPassword
	v.Actions = []flow.Action{
		{Name: "password", Inputs: []flow.Input{
			{Name: "password", Kind: "secret", Required: true}, {Name: "new_password", Kind: "secret", Required: true}, {Name: "end_others", Kind: "flag"},
		}},
		{Name: "cancel"},
	}
	return v
}

func refusedView(v flow.View, r flow.Refusal) flow.View {
	v.Refusal = &r
	return v
}

func endedView(r flow.Reason) flow.View {
	return flow.View{Goal: flow.SignIn, Phase: flow.Closed, Outcome: "ended", Address: "Ada@example.com", Actions: []flow.Action{}, Refusal: &flow.Refusal{Reason: r}}
}

func config() authhttp.Config {
	return authhttp.Config{
		Keys: testKey("k1", 1), Origin: origin, Product: "Helpdesk", Support: "https://help.example/",
		Now: func() time.Time { return now },
	}
}

// site is a handler over a fake.
type site struct {
	t testing.TB
	h *authhttp.Handler
	f *fake
}

func open(t testing.TB, f *fake, change ...func(*authhttp.Config)) site {
	t.Helper()
	cfg := config()
	for _, c := range change {
		c(&cfg)
	}
	h, err := authhttp.NewWith(cfg, f)
	require.NoError(t, err)
	return site{t, h, f}
}

// request is one request; its zero fields are those of an honest browser.
type request struct {
	method, target string
	form           url.Values
	body           string
	header         map[string]string // an empty value removes the header
	cookies        string
}

const (
	flowCookie = "__Host-cardea-flow=" + binding
	bothCookie = flowCookie + "; __Host-cardea-session=" + token
)

func (s site) do(q request) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.serve(s.h, q)
}

func (s site) serve(h http.Handler, q request) *httptest.ResponseRecorder {
	s.t.Helper()
	var body io.Reader = strings.NewReader(q.body)
	if q.form != nil {
		body = strings.NewReader(q.form.Encode())
	}
	if q.method == "" {
		q.method = "GET"
	}
	r := httptest.NewRequest(q.method, q.target, body)
	r.Host = "app.example"
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("User-Agent", chromeOnWindows)
	if q.method == "POST" {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", origin)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if q.body != "" && q.form == nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.cookies != "" {
		r.Header.Set("Cookie", q.cookies)
	}
	for k, v := range q.header {
		r.Header.Del(k)
		if v != "" {
			r.Header.Set(k, v)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get reads a page as a signed-in browser.
func (s site) get(target string) *httptest.ResponseRecorder {
	return s.do(request{target: target, cookies: bothCookie})
}

// submit fills the form on a page that goes to action, and sends it.
func (s site) submit(page *httptest.ResponseRecorder, action string, values map[string]string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.do(s.filled(page, action, values))
}

func (s site) filled(page *httptest.ResponseRecorder, action string, values map[string]string) request {
	s.t.Helper()
	for _, f := range forms(parse(s.t, page)) {
		if attr(f, "action") != action || values["action"] != "" && formValues(f).Get("action") != values["action"] {
			continue
		}
		form := formValues(f)
		for k, v := range values {
			form.Set(k, v)
			if v == "" {
				form.Del(k)
			}
		}
		return request{method: "POST", target: action, form: form, cookies: bothCookie}
	}
	s.t.Fatalf("no form for %s on:\n%s", action, page.Body)
	return request{}
}

// set returns the cookie of that name that an answer sets, or nil.
func set(w *httptest.ResponseRecorder, name string) *http.Cookie {
	for _, c := range w.Result().Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func parse(t testing.TB, w *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"), w.Body.String())
	doc, err := html.Parse(strings.NewReader(w.Body.String()))
	require.NoError(t, err)
	return doc
}

func all(n *html.Node, match func(*html.Node) bool) []*html.Node {
	var list []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && match(d) {
			list = append(list, d)
		}
	}
	return list
}

func tags(n *html.Node, names ...string) []*html.Node {
	return all(n, func(d *html.Node) bool {
		for _, name := range names {
			if d.Data == name {
				return true
			}
		}
		return false
	})
}

// tableOf is the table under the heading with the id.
func tableOf(doc *html.Node, id string) *html.Node {
	return all(doc, func(d *html.Node) bool { return d.Data == "table" && attr(d, "aria-labelledby") == id })[0]
}

func forms(doc *html.Node) []*html.Node { return tags(doc, "form") }

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// formValues is what a browser would send.
func formValues(f *html.Node) url.Values {
	v := url.Values{}
	for _, in := range tags(f, "input") {
		if attr(in, "type") == "checkbox" && !hasAttr(in, "checked") {
			continue
		}
		v.Set(attr(in, "name"), attr(in, "value"))
	}
	return v
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testKey(id string, first byte) auth.Keys {
	k := auth.Key{ID: id}
	k.Bytes[0] = first
	keys, err := auth.NewKeys(k)
	if err != nil {
		panic(err)
	}
	return keys
}
