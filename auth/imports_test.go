package auth_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/cardea-auth/cardea"

// layers says which of our packages each package may import. A new row, or a new word in one, needs a reason.
var layers = []struct {
	packages []string
	may      []string
	why      string
}{
	{[]string{"auth/flow"}, nil, "the machine is pure: its import list is the proof"},
	{[]string{"auth"}, []string{"auth/flow"}, "nouns, ports and the shell that runs the machine"},
	{[]string{"mfa", "password", "reset", "session"}, []string{"auth", "auth/flow"}, "features meet only through the ports of auth"},
	{[]string{"mfa/totp"}, []string{"auth", "auth/flow", "mfa"}, "apart from mfa, so that only who wants authenticator apps links what computes and draws them"},
	{[]string{"mfa/webauthn"}, []string{"auth", "auth/flow", "mfa"}, "apart from mfa, so that only who wants passkeys links what reads them"},
	{[]string{"federation"}, []string{"auth", "auth/flow"}, "features meet only through the ports of auth"},
	{[]string{"federation/oidc"}, []string{"auth", "federation"}, "apart from federation, so that only who wants OpenID providers links what asks them"},
	{[]string{"password/breach"}, []string{"auth"}, "it fits a field of password's Config by its signature; apart from password, so that only who asks a service links an HTTP client"},
	{[]string{"federation/goth"}, []string{"auth", "federation"}, "apart from the other providers, so that only who wants goth's links it"},
	{[]string{"federation/presets"}, []string{"auth", "auth/flow", "federation", "federation/goth", "federation/oidc"}, "what is known of each service, over the two ways to ask one"},
	{[]string{"password/weak"}, []string{"password"}, "hashes that only hosts with such a past link, by name"},
	{[]string{"auth/store/internal/bucket"}, []string{"auth"}, "the rule of a counter, which every store applies in its own way"},
	{[]string{"auth/store/memory", "auth/store/sqlstore"}, []string{"auth", "auth/flow", "auth/store/internal/bucket", "session"}, "stores implement ports"},
	{[]string{"auth/authtest"}, []string{"auth", "auth/flow", "session"}, "kits check ports; stores are given to them"},
	{[]string{"federation/oidc/oidctest"}, nil, "a provider is the other side of the wire: sharing code with the relying party would share its mistakes"},
	{[]string{"auth/mail"}, []string{"auth"}, "letters become mails; the queue and the secrets are ports"},
	{[]string{"auth/authhttp"}, []string{"auth", "auth/flow", "password", "session"}, "pages and JSON over the service"},
	{[]string{"auth/standard"}, []string{"auth", "auth/flow", "auth/authhttp", "auth/mail", "auth/store/sqlstore", "mfa", "mfa/totp", "mfa/webauthn", "password", "reset", "session"}, "the assembly links what it assembles"},
}

// flowImports are all that the machine may import: no clock, no randomness, no input or output.
var flowImports = []string{"cmp", "errors", "fmt", "maps", "slices", "strings", "time"}

// thirdParty are the modules that library code may use at all.
var thirdParty = []string{"golang.org/x/crypto", "golang.org/x/net", "golang.org/x/text"}

// brokenHashes are the hash functions that nothing may be protected with any more, and who reads them all the
// same (ASVS 11.4.1): old password hashes, which are replaced at the next sign-in, and the lists of breached
// passwords, which are made so. Argon2, HMAC-SHA-256 and SHA-256 are what is written.
var brokenHashes = map[string][]string{
	"crypto/md5":  {"password/weak"},
	"crypto/sha1": {"password", "password/breach", "password/weak"},
	"crypto/des":  nil,
	"crypto/rc4":  nil,
}

// ofOne are packages of modules that one package of ours may use and no other; where it is several, they stand in one
// text.
var ofOne = map[string]string{
	"github.com/boombuler/barcode":                          "mfa/totp", // the modules of a QR code
	"github.com/boombuler/barcode/qr":                       "mfa/totp",
	"github.com/pquerna/otp":                                "mfa/totp",     // the hashes of RFC 6238, of which SHA-1 in an HMAC is still sound
	"github.com/go-webauthn/webauthn/protocol":              "mfa/webauthn", // the ceremonies' structures and signatures
	"github.com/go-webauthn/webauthn/protocol/webauthncbor": "mfa/webauthn",
	"github.com/go-webauthn/webauthn/protocol/webauthncose": "mfa/webauthn",
	"github.com/markbates/goth":                             "federation/goth federation/presets", // what it knows of services; its providers are the host's to import
	"github.com/markbates/goth/providers/facebook":          "federation/presets",
	"github.com/wneessen/go-mail/smtp":                      "auth/mail",       // its SMTP client only; messages are composed with the standard library
	"github.com/coreos/go-oidc/v3/oidc":                     "federation/oidc", // discovery; keys and claims are checked by ours
	"golang.org/x/oauth2":                                   "federation/oidc", // the token request
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, patterns ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps=false", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, p)
	}
}

func TestLayers(t *testing.T) {
	for _, p := range list(t, module+"/...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		row := slices.IndexFunc(layers, func(l struct {
			packages []string
			may      []string
			why      string
		}) bool {
			return slices.Contains(l.packages, name)
		})
		require.GreaterOrEqual(t, row, 0, "package %s has no row in the table of layers", name)
		for _, imported := range p.Imports {
			checkImport(t, name, imported, layers[row].may)
		}
	}
}

func checkImport(t *testing.T, name, imported string, may []string) {
	t.Helper()
	if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
		require.Contains(t, may, ours, "%s must not import %s", name, ours)
		return
	}
	if name == "auth/flow" {
		require.Contains(t, flowImports, imported, "the machine must stay pure")
		return
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		if readers, broken := brokenHashes[imported]; broken {
			require.Contains(t, readers, name, "%s must not import %s", name, imported)
		}
		require.NotContains(t, []string{"math/rand", "math/rand/v2", "unsafe"}, imported, name)
		return
	}
	if slices.Contains(strings.Fields(ofOne[imported]), name) {
		return
	}
	require.True(t, slices.ContainsFunc(thirdParty, func(m string) bool { return strings.HasPrefix(imported, m+"/") }),
		"%s imports %s", name, imported)
}

// TestTheMachineReadsNoClock looks for the one function of package time that would make it impure.
func TestTheMachineReadsNoClock(t *testing.T) {
	files, err := os.ReadDir("flow")
	require.NoError(t, err)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "_test.go") || path.Ext(f.Name()) != ".go" {
			continue
		}
		text, err := os.ReadFile("flow/" + f.Name())
		require.NoError(t, err)
		for _, impure := range []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After"} {
			require.NotContains(t, string(text), impure+"(", f.Name())
		}
	}
}

// TestPasswordsAloneStayLight counts what a program links that wires passwords by hand, in modules.
func TestPasswordsAloneStayLight(t *testing.T) {
	foreign := map[string]bool{}
	for _, p := range list(t, module+"/auth", module+"/password", module+"/session", module+"/auth/authhttp", module+"/auth/store/memory") {
		for _, dep := range p.Deps {
			if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") && !strings.HasPrefix(dep, module) {
				foreign[strings.Join(strings.SplitN(dep, "/", 4)[:3], "/")] = true
			}
		}
	}
	for dep := range foreign {
		require.Contains(t, append(thirdParty, "golang.org/x/sys"), dep) // x/crypto asks it which processor this is
	}
}

func TestTopLevelFolders(t *testing.T) {
	entries, err := os.ReadDir("..")
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			require.Contains(t, []string{"auth", "password", "mfa", "federation", "sso", "session", "reset", "examples"}, e.Name())
		}
	}
}
