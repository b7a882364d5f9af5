package authhttp

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cardea-auth/cardea/auth/flow"
)

// openapi.json and ERRORS.md are made from the tables below and of the neighbouring files, from the machine's
// own constants and from what is written in the folder contract. A test fails while they are out of date.
//
//go:generate go test -run TestContractIsCurrent -update .

//go:embed openapi.json
var contractFile []byte

// shape says which fields a JSON request must have and which it may have. Any other is refused: to ignore one
// would promise something that nobody looked at.
type shape struct{ must, may []string }

// goalFields are the fields that begin a flow of each goal, beside "goal".
var goalFields = map[flow.Goal]shape{
	flow.SignIn:     {may: []string{"identifier", "keep", "return_to"}},
	flow.SignUp:     {may: []string{"identifier", "return_to"}},
	flow.StepUp:     {may: []string{"level", "max_age", "operation", "return_to"}},
	flow.Recovery:   {may: []string{"identifier", "return_to"}},
	flow.Activation: {may: []string{"return_to"}},
	flow.Linking:    {may: []string{"connection", "remove", "return_to"}},
	flow.Enrolment:  {must: []string{"enrol"}, may: []string{"remove", "return_to"}},
	flow.Handoff:    {may: []string{"return_to"}},
	flow.Reversal:   {may: []string{"return_to"}},
}

// actionFields are the fields of each action, beside "flow" and "action": what the machine asks for with it
// under every policy, and what it asks for under some. Actions that need what no request can carry are not
// here. An empty field of must is told to the person right away, and does not cost an attempt.
var actionFields = map[string]shape{
	"identify":            {must: []string{"identifier"}, may: []string{"keep"}},
	"password":            {must: []string{"password"}, may: []string{"new_password", "end_others"}},
	"new-password":        {must: []string{"new_password"}, may: []string{"end_others"}},
	"mail-code":           {must: []string{"code"}, may: []string{"trust"}},
	"mail-link":           {must: []string{"code"}},
	"totp":                {must: []string{"code"}, may: []string{"trust"}},
	"recovery-code":       {must: []string{"code"}},
	"passkey":             {must: []string{"credential"}, may: []string{"keep"}},
	"host-factor":         {must: []string{"code"}, may: []string{"trust"}},
	"approval":            {},
	"enrol-totp":          {must: []string{"code"}, may: []string{"name", "end_others"}},
	"enrol-passkey":       {must: []string{"credential"}, may: []string{"name", "end_others"}},
	"enrol-host-factor":   {must: []string{"code"}, may: []string{"name", "end_others"}},
	"enrol-recovery-code": {may: []string{"end_others"}},
	"remove":              {may: []string{"end_others"}},
	"send-mail-code":      {},
	"send-mail-link":      {},
	"send-passkey":        {},
	"social":              {must: []string{"connection"}},
	"social-return":       {may: []string{"connection"}},
	"sso":                 {may: []string{"connection"}},
	"sso-return":          {may: []string{"connection"}},
	"new-address":         {must: []string{"identifier"}},
	"accept":              {},
	"restart":             {},
	"cancel":              {},
}

// What goes with every goal and with every action.
var (
	goalCommon   = []string{"goal", "client", "device_token"}
	actionCommon = []string{"flow", "action", "client", "device_token"}
)

// checkFields refuses a POST {prefix}/flow with a field that does not belong there: the goal decides if it begins
// a flow, the action if it takes a step in one. Which of client and device_token go together, exchange.transport
// says; the lack of a field that must be there shows where it is read. About an action that does not exist the
// service has the word: it is not offered.
func checkFields(in fields) error {
	common, own := actionCommon, shape{may: inputNames}
	if in.has("flow") {
		if s, known := actionFields[in.text("action")]; known {
			own = s
		}
	} else {
		var goal flow.Goal
		if goal.UnmarshalText([]byte(in.text("goal"))) != nil || goal == 0 {
			return refuseBody(errFieldValue)
		}
		common, own = goalCommon, goalFields[goal]
	}
	for name := range in {
		if !slices.Contains(common, name) && !slices.Contains(own.must, name) && !slices.Contains(own.may, name) {
			return refuseBody(errUnknownField)
		}
	}
	return nil
}

// What the file says of every installation, and newContract replaces by this one's.
const (
	contractServer  = "https://app.example/auth"
	contractCookies = "__Host-cardea-"
)

// contractAge is how long others may keep the document. It changes with the program alone.
const contractAge = "public, max-age=3600"

// contract is the description of the JSON API as this installation serves it.
type contract struct {
	text []byte
	tag  string
}

func newContract(cfg Config) (contract, error) {
	server, err := json.Marshal(cfg.Origin + cfg.Prefix)
	if err != nil {
		return contract{}, fmt.Errorf("authhttp: encode server: %w", err)
	}
	text := bytes.ReplaceAll(contractFile, []byte(`"`+contractServer+`"`), server)
	if cfg.InsecureCookiesForLoopback {
		text = bytes.ReplaceAll(text, []byte(contractCookies), []byte("cardea-"))
	}
	sum := sha256.Sum256(text)
	return contract{text, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, nil
}

// isKept reports whether an If-None-Match names this text. A proxy that compresses it marks the tag as weak.
func (c contract) isKept(ifNoneMatch string) bool {
	for tag := range strings.SplitSeq(ifNoneMatch, ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == c.tag {
			return true
		}
	}
	return false
}

// showContract serves the document. It is the same for everybody and holds nothing of anybody, so it may be
// kept by others than the one who asked.
func showContract(x *exchange) error {
	header := x.w.Header()
	header.Set("Content-Type", "application/json") // application/openapi+json is not registered yet
	header.Set("Cache-Control", contractAge)
	header.Set("ETag", x.h.contract.tag)
	if x.h.contract.isKept(x.r.Header.Get("If-None-Match")) {
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return x.write(http.StatusOK, x.h.contract.text)
}
