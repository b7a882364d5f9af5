package oidc_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation/oidc"
)

// attack is an ID token that must be refused, for this reason and no other.
type attack struct {
	name string
	make func(*world) string
	code string
}

func bent(header, claims object) func(*world) string {
	return func(w *world) string { return w.token(header, claims) }
}

func claim(name string, value any) func(*world) string { return bent(nil, object{name: value}) }

func header(name string, value any) func(*world) string { return bent(object{name: value}, nil) }

// raw is a token by r1 over a payload as it stands, made of the honest one.
func raw(bend func(payload string) string) func(*world) string {
	return func(w *world) string {
		return sign(object{"alg": "RS256", "kid": "r1"}, []byte(bend(string(marshal(w.claims())))), rsaKey())
	}
}

// with adds members at the end of the payload.
func with(members string) func(*world) string {
	return raw(func(p string) string { return strings.TrimSuffix(p, "}") + "," + members + "}" })
}

// rawHeader is a token by r1 under a header as it stands.
func rawHeader(h string) func(*world) string {
	return func(w *world) string {
		input := b64([]byte(h)) + "." + b64(marshal(w.claims()))
		return input + "." + b64(signature("RS256", input, rsaKey()))
	}
}

// sent bends the honest token as it is sent.
func sent(bend func(head, body, tail string) string) func(*world) string {
	return func(w *world) string {
		p := strings.Split(w.token(nil, nil), ".")
		return bend(p[0], p[1], p[2])
	}
}

// hmacBy is a token by HS256, with what everybody knows of a public key for the secret.
func hmacBy(key func() []byte) func(*world) string {
	return func(w *world) string {
		input := b64(marshal(object{"alg": "HS256", "kid": "r1"})) + "." + b64(marshal(w.claims()))
		h := hmac.New(sha256.New, key())
		h.Write([]byte(input))
		return input + "." + b64(h.Sum(nil))
	}
}

func der() []byte { return must(x509.MarshalPKIXPublicKey(rsaKey().Public())) }

func unsigned(alg string) func(*world) string {
	return func(w *world) string {
		return b64(marshal(object{"alg": alg, "kid": "r1"})) + "." + b64(marshal(w.claims())) + "."
	}
}

var signatureAttacks = []attack{
	{"alg none", unsigned("none"), oidc.TokenMalformed},
	{"alg none with a signature", bent(object{"alg": "none"}, nil), oidc.AlgorithmNotAllowed},
	{"alg NoNe", bent(object{"alg": "NoNe"}, nil), oidc.AlgorithmNotAllowed},
	{"alg missing", bent(object{"alg": nil}, nil), oidc.AlgorithmNotAllowed},
	{"alg empty", header("alg", ""), oidc.AlgorithmNotAllowed},
	{"alg is no text", header("alg", 256), oidc.AlgorithmNotAllowed},
	{"alg rs256", header("alg", "rs256"), oidc.AlgorithmNotAllowed},
	{"HS256 by the PEM of the public key", hmacBy(func() []byte { return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der()}) }), oidc.AlgorithmNotAllowed},
	{"HS256 by the DER of the public key", hmacBy(der), oidc.AlgorithmNotAllowed},
	{"HS256 by the client secret", hmacBy(func() []byte { return []byte(theSecret) }), oidc.AlgorithmNotAllowed},
	{"RS512, which is not configured", header("alg", "RS512"), oidc.AlgorithmNotAllowed},
	{"another key of the same kid", func(w *world) string {
		return sign(object{"alg": "RS256", "kid": "r1"}, marshal(w.claims()), otherRSA())
	}, oidc.SignatureInvalid},
	{"another key without a kid", func(w *world) string {
		return sign(object{"alg": "RS256"}, marshal(w.claims()), otherRSA())
	}, oidc.SignatureInvalid},
	{"another EC key", func(w *world) string {
		return sign(object{"alg": "ES256", "kid": "e1"}, marshal(w.claims()), otherEC())
	}, oidc.SignatureInvalid},
	{"another Ed25519 key", func(w *world) string {
		return sign(object{"alg": "EdDSA", "kid": "d1"}, marshal(w.claims()), ed25519.NewKeyFromSeed(repeatByte(1, 32)))
	}, oidc.SignatureInvalid},
	{"ES256 signature with a zero between its halves", func(w *world) string {
		p := strings.Split(sign(object{"alg": "ES256", "kid": "e1"}, marshal(w.claims()), ecKey()), ".")
		s := must(decode64(p[2]))
		return p[0] + "." + p[1] + "." + b64(slices.Concat(s[:32], []byte{0}, s[32:]))
	}, oidc.SignatureInvalid},
	{"PS256 signature with a shorter salt", func(w *world) string {
		input := b64(marshal(object{"alg": "PS256", "kid": "r1"})) + "." + b64(marshal(w.claims()))
		sum := sha256.Sum256([]byte(input))
		return input + "." + b64(must(rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 8})))
	}, oidc.SignatureInvalid},
	{"the payload of another token", sent(func(h, b, s string) string {
		return h + "." + b64([]byte(strings.Replace(string(must(decode64(b))), "subject-1", "subject-2", 1))) + "." + s
	}), oidc.SignatureInvalid},
	{"kid unknown", header("kid", "r2"), oidc.KeyUnknown},
	{"kid of a path", header("kid", "../../../../dev/null"), oidc.KeyUnknown},
	{"kid of an injection", header("kid", "r1' OR '1'='1"), oidc.KeyUnknown},
	{"kid of an address", header("kid", "https://evil.example/keys"), oidc.KeyUnknown},
	{"kid of a key for another algorithm", header("kid", "e1"), oidc.KeyUnknown},
	{"kid in another case", header("kid", "R1"), oidc.KeyUnknown},
	{"kid empty", header("kid", ""), oidc.TokenMalformed},
	{"kid is no text", header("kid", 1), oidc.TokenMalformed},
	{"kid null", rawHeader(`{"alg":"RS256","kid":null}`), oidc.TokenMalformed},
	{"kid too long", header("kid", repeat("k", 256)), oidc.TokenMalformed},
	{"kid with a zero byte", header("kid", "r1\x00"), oidc.TokenMalformed},
	{"jwk header", func(w *world) string {
		return sign(object{"alg": "RS256", "kid": "evil", "jwk": jwk("evil", otherRSA())}, marshal(w.claims()), otherRSA())
	}, oidc.HeaderNotAllowed},
	{"jku header", header("jku", "https://evil.example/keys"), oidc.HeaderNotAllowed},
	{"x5u header", header("x5u", "https://evil.example/cert"), oidc.HeaderNotAllowed},
	{"x5c header", header("x5c", []string{b64(der())}), oidc.HeaderNotAllowed},
	{"crit header", header("crit", []string{"exp"}), oidc.HeaderNotAllowed},
	{"b64 header", header("b64", false), oidc.HeaderNotAllowed},
	{"crit and b64 headers", bent(object{"crit": []string{"b64"}, "b64": false}, nil), oidc.HeaderNotAllowed},
	{"zip header", header("zip", "DEF"), oidc.HeaderNotAllowed},
	{"cty header", header("cty", "JWT"), oidc.HeaderNotAllowed},
	{"nested header", header("custom", object{"alg": "none"}), oidc.HeaderNotAllowed},
	{"alg twice", rawHeader(`{"alg":"none","alg":"RS256","kid":"r1"}`), oidc.TokenMalformed},
	{"alg twice, escaped", rawHeader(`{"alg":"RS256","kid":"r1","\u0061lg":"none"}`), oidc.TokenMalformed},
	{"kid twice", rawHeader(`{"alg":"RS256","kid":"r1","kid":"r1"}`), oidc.TokenMalformed},
	{"header in capitals", rawHeader(`{"ALG":"RS256","KID":"r1"}`), oidc.AlgorithmNotAllowed},
	{"header is a list", rawHeader(`["RS256"]`), oidc.TokenMalformed},
	{"header is null", rawHeader(`null`), oidc.TokenMalformed},
	{"header with something after", rawHeader(`{"alg":"RS256","kid":"r1"}{}`), oidc.TokenMalformed},
	{"header too large", header("custom", repeat("x", 5000)), oidc.TokenMalformed},
	{"PKCS1 signature called PS256", rawHeader(`{"alg":"PS256","kid":"r1"}`), oidc.SignatureInvalid},
	{"ES256 signature in ASN.1", func(w *world) string {
		input := b64(marshal(object{"alg": "ES256", "kid": "e1"})) + "." + b64(marshal(w.claims()))
		sum := sha256.Sum256([]byte(input))
		return input + "." + b64(must(ecdsa.SignASN1(rand.Reader, ecKey(), sum[:])))
	}, oidc.SignatureInvalid},
	{"ES256 signature of zeros", func(w *world) string {
		return b64(marshal(object{"alg": "ES256", "kid": "e1"})) + "." + b64(marshal(w.claims())) + "." + b64(make([]byte, 64))
	}, oidc.SignatureInvalid},
	{"RS256 signature of zeros", sent(func(h, b, _ string) string { return h + "." + b + "." + b64(make([]byte, 256)) }), oidc.SignatureInvalid},
	{"signature cut", sent(func(h, b, s string) string { return h + "." + b + "." + b64(must(decode64(s))[:250]) }), oidc.SignatureInvalid},
	{"signature empty", sent(func(h, b, _ string) string { return h + "." + b + "." }), oidc.TokenMalformed},
	{"two parts", sent(func(h, b, _ string) string { return h + "." + b }), oidc.TokenMalformed},
	{"four parts", sent(func(h, b, s string) string { return h + "." + b + "." + s + "." + s }), oidc.TokenMalformed},
	{"five parts, as encrypted", sent(func(h, b, s string) string { return h + "." + b + "." + s + "." + b + "." + s }), oidc.TokenMalformed},
	{"padded base64", sent(func(h, b, s string) string { return h + "." + b + "." + s + "==" }), oidc.TokenMalformed},
	{"line break in the signature", sent(func(h, b, s string) string { return h + "." + b + "." + s[:9] + "\n" + s[9:] }), oidc.TokenMalformed},
	{"line break at the end", sent(func(h, b, s string) string { return h + "." + b + "." + s + "\r\n" }), oidc.TokenMalformed},
	{"a space before", sent(func(h, b, s string) string { return " " + h + "." + b + "." + s }), oidc.TokenMalformed},
	{"bits after the end", sent(func(h, b, s string) string { return h + "." + b + "." + s[:len(s)-1] + bits(s) }), oidc.TokenMalformed},
	{"JSON serialisation, flattened", sent(func(h, b, s string) string {
		return `{"protected":"` + h + `","payload":"` + b + `","signature":"` + s + `"}`
	}), oidc.TokenMalformed},
	{"JSON serialisation, general", sent(func(h, b, s string) string {
		return `{"payload":"` + b + `","signatures":[{"protected":"` + h + `","signature":"` + s + `"}]}`
	}), oidc.TokenMalformed},
	{"too large", claim("pad", repeat("x", 64<<10)), oidc.TokenMalformed},
}

func repeatByte(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// bits is the last character of a text of 256 bytes in base64, with one of the bits set that say nothing.
func bits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])|1])
}

func decode64(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

var claimAttacks = []attack{
	{"iss missing", claim("iss", nil), oidc.IssuerMismatch},
	{"iss of another", claim("iss", "https://evil.example"), oidc.IssuerMismatch},
	{"iss with a slash", func(w *world) string { return w.token(nil, object{"iss": w.issuer + "/"}) }, oidc.IssuerMismatch},
	{"iss in capitals", func(w *world) string { return w.token(nil, object{"iss": strings.ToUpper(w.issuer)}) }, oidc.IssuerMismatch},
	{"iss is a list", func(w *world) string { return w.token(nil, object{"iss": []string{w.issuer}}) }, oidc.IssuerMismatch},
	{"aud missing", claim("aud", nil), oidc.AudienceMismatch},
	{"aud of another", claim("aud", "client-2"), oidc.AudienceMismatch},
	{"aud empty list", claim("aud", []string{}), oidc.AudienceMismatch},
	{"aud with others, no azp", claim("aud", []string{"client-1", "client-2"}), oidc.AudienceMismatch},
	{"aud with others, our azp", bent(nil, object{"aud": []string{"client-1", "client-2"}, "azp": "client-1"}), oidc.AudienceMismatch},
	{"aud of several that are ours, no azp", claim("aud", []string{"client-1", "client-1"}), oidc.AuthorizedPartyWrong},
	{"aud in another case", claim("aud", "Client-1"), oidc.AudienceMismatch},
	{"aud is an object", claim("aud", object{"client-1": true}), oidc.AudienceMismatch},
	{"aud with a number", claim("aud", []any{"client-1", 1}), oidc.AudienceMismatch},
	{"aud of many", claim("aud", strings.Split(repeat("client-1,", 20)+"client-1", ",")), oidc.AudienceMismatch},
	{"azp of another", claim("azp", "client-2"), oidc.AuthorizedPartyWrong},
	{"azp null", with(`"azp":null`), oidc.AuthorizedPartyWrong},
	{"azp is a list", claim("azp", []string{"client-1"}), oidc.AuthorizedPartyWrong},
	{"sub missing", claim("sub", nil), oidc.SubjectMalformed},
	{"sub empty", claim("sub", ""), oidc.SubjectMalformed},
	{"sub null", raw(func(p string) string { return strings.Replace(p, `"subject-1"`, "null", 1) }), oidc.SubjectMalformed},
	{"sub is a number", claim("sub", 1), oidc.SubjectMalformed},
	{"sub of 256", claim("sub", repeat("s", 256)), oidc.SubjectMalformed},
	{"sub with a line break", claim("sub", "subject\n1"), oidc.SubjectMalformed},
	{"sub with a zero byte", claim("sub", "subject-1\x00"), oidc.SubjectMalformed},
	{"sub beyond ASCII", claim("sub", "subjéct"), oidc.SubjectMalformed},
	{"sub of half a character", raw(func(p string) string { return strings.Replace(p, "subject-1", `subject-\ud800`, 1) }), oidc.SubjectMalformed},
	{"sub twice", with(`"sub":"admin"`), oidc.TokenMalformed},
	{"sub twice, escaped", with(`"s\u0075b":"admin"`), oidc.TokenMalformed},
	{"sub twice, first", raw(func(p string) string { return `{"sub":"admin",` + p[1:] }), oidc.TokenMalformed},
	{"Sub alone", raw(func(p string) string { return strings.Replace(p, `"sub"`, `"Sub"`, 1) }), oidc.SubjectMalformed},
	{"SUB alone, NONCE alone", raw(func(p string) string {
		return strings.NewReplacer(`"sub"`, `"SUB"`, `"nonce"`, `"NONCE"`).Replace(p)
	}), oidc.SubjectMalformed},
	{"a member twice, deep", with(`"a":{"b":[{"c":1,"c":2}]}`), oidc.TokenMalformed},
	{"exp missing", claim("exp", nil), oidc.Expired},
	{"exp past", claim("exp", now.Add(-time.Minute).Unix()), oidc.Expired},
	{"exp is a text", claim("exp", strconv.FormatInt(now.Add(time.Hour).Unix(), 10)), oidc.Expired},
	{"exp null", raw(func(p string) string { return strings.Replace(p, `"exp":`, `"exp":null,"x":`, 1) }), oidc.Expired},
	{"exp negative", claim("exp", -now.Unix()), oidc.Expired},
	{"exp with an exponent", with(`"exp":1e99`), oidc.TokenMalformed},
	{"exp of 1e99", raw(func(p string) string { return strings.Replace(p, `"exp":`, `"exp":1e99,"x":`, 1) }), oidc.Expired},
	{"exp beyond all years", claim("exp", int64(1)<<62), oidc.Expired},
	{"exp too far", claim("exp", now.AddDate(0, 0, 32).Unix()), oidc.LifetimeTooLong},
	{"exp in ten years", claim("exp", now.AddDate(10, 0, 0).Unix()), oidc.LifetimeTooLong},
	{"iat missing", claim("iat", nil), oidc.IssuedAtWrong},
	{"iat is a text", claim("iat", strconv.FormatInt(now.Unix(), 10)), oidc.IssuedAtWrong},
	{"iat in the future", claim("iat", now.Add(61*time.Second).Unix()), oidc.IssuedAtWrong},
	{"iat in an hour", claim("iat", now.Add(time.Hour).Unix()), oidc.IssuedAtWrong},
	{"iat too old", claim("iat", now.Add(-11*time.Minute-time.Second).Unix()), oidc.IssuedAtWrong},
	{"iat of last month", claim("iat", now.AddDate(0, -1, 0).Unix()), oidc.IssuedAtWrong},
	{"iat zero", claim("iat", 0), oidc.IssuedAtWrong},
	{"nbf in the future", claim("nbf", now.Add(61*time.Second).Unix()), oidc.NotYetValid},
	{"nbf is a text", claim("nbf", "0"), oidc.NotYetValid},
	{"nonce missing", claim("nonce", nil), oidc.NonceMismatch},
	{"nonce empty", claim("nonce", ""), oidc.NonceMismatch},
	{"nonce of another", claim("nonce", "nonce-SENTINEX"), oidc.NonceMismatch},
	{"nonce cut", claim("nonce", "nonce-SENTINE"), oidc.NonceMismatch},
	{"nonce in another case", claim("nonce", "NONCE-SENTINEL"), oidc.NonceMismatch},
	{"nonce is a list", claim("nonce", []string{"nonce-SENTINEL"}), oidc.NonceMismatch},
	{"nonce twice", with(`"nonce":"nonce-SENTINEL"`), oidc.TokenMalformed},
	{"at_hash wrong", claim("at_hash", hashOf("another")), oidc.AccessTokenMismatch},
	{"at_hash of the whole hash", claim("at_hash", func() string { s := sha256.Sum256([]byte(theAccess)); return b64(s[:]) }()), oidc.AccessTokenMismatch},
	{"at_hash empty", claim("at_hash", ""), oidc.AccessTokenMismatch},
	{"at_hash null", with(`"at_hash":null`), oidc.AccessTokenMismatch},
	{"typ at+jwt", header("typ", "at+jwt"), oidc.TypeNotAllowed},
	{"typ logout+jwt", header("typ", "logout+jwt"), oidc.TypeNotAllowed},
	{"typ secevent+jwt", header("typ", "secevent+jwt"), oidc.TypeNotAllowed},
	{"typ empty", header("typ", ""), oidc.TokenMalformed},
	{"events", claim("events", object{"http://schemas.openid.net/event/backchannel-logout": object{}}), oidc.EventsNotAllowed},
	{"events null", with(`"events":null`), oidc.EventsNotAllowed},
	{"auth_time is a text", claim("auth_time", "1"), oidc.AuthenticationUnknown},
	{"auth_time in the future", claim("auth_time", now.Add(time.Hour).Unix()), oidc.AuthenticationUnknown},
	{"acr is a number", claim("acr", 2), oidc.ClaimMalformed},
	{"sid is a list", claim("sid", []string{"s"}), oidc.ClaimMalformed},
	{"sid too long", claim("sid", repeat("s", 256)), oidc.ClaimMalformed},
	{"payload is a list", raw(func(p string) string { return "[" + p + "]" }), oidc.TokenMalformed},
	{"payload with something after", raw(func(p string) string { return p + `{"sub":"admin"}` }), oidc.TokenMalformed},
	{"payload that is no UTF-8", with("\"x\":\"\xff\""), oidc.TokenMalformed},
	{"payload too deep", with(`"x":` + repeat("[", 17) + repeat("]", 17)), oidc.TokenMalformed},
	{"payload of too many members", func(w *world) string {
		many := object{}
		for i := range 300 {
			many["x"+strconv.Itoa(i)] = i
		}
		return w.token(nil, many)
	}, oidc.TokenMalformed},
	{"payload with a byte-order mark", raw(func(p string) string { return "\ufeff" + p }), oidc.TokenMalformed},
}

func hashOf(access string) string { s := sha256.Sum256([]byte(access)); return b64(s[:16]) }

func TestAttacksOnIDTokens(t *testing.T) {
	w := newWorld(t)
	for _, a := range append(signatureAttacks, claimAttacks...) {
		t.Run(a.name, func(t *testing.T) {
			_, err := w.complete(a.make(w))
			refused(t, err, a.code)
			_, err = w.complete(w.token(nil, nil))
			require.NoError(t, err, "the honest one")
		})
	}
}

// TestAlmostAttacks are what is so near to an attack that it could be taken for one, and must hold.
func TestAlmostAttacks(t *testing.T) {
	w := newWorld(t, func(_ *world, c *oidc.Config) { c.Audiences = []string{"resource"} })
	for name, make := range map[string]func(*world) string{
		"typ jwt":                  header("typ", "jwt"),
		"typ missing":              header("typ", nil),
		"kid missing":              header("kid", nil),
		"x5t header":               header("x5t", "abc"),
		"aud in a list":            claim("aud", []string{"client-1"}),
		"aud with one that may be": bent(nil, object{"aud": []string{"client-1", "resource"}, "azp": "client-1"}),
		"azp":                      claim("azp", "client-1"),
		"sub of 255":               claim("sub", repeat("s", 255)),
		"sub with a space":         claim("sub", "cn=Ann Example"),
		"sub with an escape":       raw(func(p string) string { return strings.Replace(p, "subject-1", `subject\u002d1`, 1) }),
		"Sub beside sub":           with(`"Sub":"admin","SUB":"admin"`),
		"exp with decimals":        claim("exp", json.Number(strconv.FormatInt(now.Unix()+60, 10)+".75")),
		"exp just past":            claim("exp", now.Add(-59*time.Second).Unix()),
		"exp in a month":           claim("exp", now.AddDate(0, 0, 31).Unix()),
		"iat a little ahead":       claim("iat", now.Add(time.Minute).Unix()),
		"iat old, but not too old": claim("iat", now.Add(-11*time.Minute).Unix()),
		"nbf a little ahead":       claim("nbf", now.Add(time.Minute).Unix()),
		"at_hash":                  claim("at_hash", hashOf(theAccess)),
		"deep, but not too deep":   with(`"x":` + repeat("[", 15) + repeat("]", 15)),
		"members of the same name": with(`"a":{"sub":1},"b":{"sub":1}`),
		"spaces":                   raw(func(p string) string { return " " + strings.ReplaceAll(p, `,"`, " ,\n\t\"") + "\r\n" }),
		"amr that is none":         claim("amr", "pwd"),
		"groups":                   claim("groups", strings.Split(repeat("c0ffee00-0000-0000-0000-000000000000,", 200), ",")),
		"escaped slash in a name":  with(`"https:\/\/example.com\/roles":["a"]`),
		"email that is none":       claim("email", 7),
		"email null":               claim("email", json.RawMessage("null")),
	} {
		i, err := w.complete(make(w))
		require.NoError(t, err, name)
		require.Contains(t, []string{"subject-1", repeat("s", 255), "cn=Ann Example"}, i.Subject, name)
	}
}

// TestNothingIsReadFromAnEmptyTrip: an empty nonce equals an empty one.
func TestNothingIsReadFromAnEmptyTrip(t *testing.T) {
	w := newWorld(t)
	w.trip.Nonce = auth.Secret{}
	_, err := w.complete(w.token(nil, object{"nonce": ""}))
	require.ErrorContains(t, err, "the trip lacks")
	require.Zero(t, w.called("/token"))
}
