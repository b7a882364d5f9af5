package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth"
)

// AppleKey is what Apple gives a developer to sign client secrets with.
type AppleKey struct {
	TeamID     string            // of the developer account; becomes iss
	KeyID      string            // of Key; becomes kid
	ClientID   string            // the Services ID; becomes sub
	PrivateKey *ecdsa.PrivateKey // on P-256
}

const (
	appleAudience   = "https://appleid.apple.com"
	appleSecretLife = 5 * time.Minute // Apple allows six months; a secret that is made for one request needs no more
)

// AppleSecret returns a Config.MintSecret that signs a new client secret for each request, by ES256. Its error names
// every problem of the key.
func AppleSecret(k AppleKey) (func(context.Context, time.Time) (auth.Secret, error), error) {
	var problems []error
	for name, value := range map[string]string{"TeamID": k.TeamID, "KeyID": k.KeyID, "ClientID": k.ClientID} {
		if !printable(value, 1, maxText) {
			problems = append(problems, errors.New(name+" is required"))
		}
	}
	if k.PrivateKey == nil || k.PrivateKey.Curve != elliptic.P256() {
		problems = append(problems, errors.New("PrivateKey must be one on P-256"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(append([]error{errors.New("oidc: invalid AppleKey")}, problems...)...)
	}
	return func(_ context.Context, now time.Time) (auth.Secret, error) { return k.mint(now) }, nil
}

func (k AppleKey) mint(now time.Time) (auth.Secret, error) {
	header, headErr := json.Marshal(map[string]any{"alg": "ES256", "kid": k.KeyID})
	claims, err := json.Marshal(map[string]any{
		"iss": k.TeamID, "iat": now.Unix(), "exp": now.Add(appleSecretLife).Unix(), "aud": appleAudience, "sub": k.ClientID,
	})
	if err = errors.Join(headErr, err); err != nil {
		return auth.Secret{}, err
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, digest[:])
	if err != nil {
		return auth.Secret{}, err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return auth.NewSecret(input + "." + base64.RawURLEncoding.EncodeToString(signature)), nil
}

// nameOfUser returns the name in Apple's parameter user. Nobody signed it, so it is for showing: the address in it is
// not looked at.
func nameOfUser(parameter string) string {
	user, err := decode([]byte(parameter))
	if err != nil {
		return ""
	}
	parts, err := decode(user["name"])
	if err != nil {
		return ""
	}
	given, _ := text(parts["firstName"])
	family, _ := text(parts["lastName"])
	return shown(strings.TrimSpace(given+" "+family), maxName)
}
