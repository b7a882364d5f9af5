package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/federation/oidc"
)

func by(kid string, key any, w *world) string {
	return sign(object{"alg": "RS256", "kid": kid}, marshal(w.claims()), key)
}

// TestBogusTokensFetchTwice: at go-oidc and others fifty made-up tokens fetch the keys fifty times.
func TestBogusTokensFetchTwice(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		_, err := w.complete(by(fmt.Sprint("bogus-", i), otherRSA(), w))
		refused(t, err, oidc.KeyUnknown)
	}
	require.Equal(t, 2, w.called("/keys"), "the first one, and one because of a token")
	require.Equal(t, 1, w.called("/.well-known/openid-configuration"))

	for range 50 {
		_, err := w.complete(by("r1", otherRSA(), w))
		refused(t, err, oidc.SignatureInvalid)
	}
	require.Equal(t, 2, w.called("/keys"))
	w.pass(oidc.ForcedCooldown)
	for range 50 {
		_, err := w.complete(by("bogus", otherRSA(), w))
		refused(t, err, oidc.KeyUnknown)
	}
	require.Equal(t, 3, w.called("/keys"), "one a minute")
	_, err := w.complete(w.token(nil, nil))
	require.NoError(t, err)
}

// TestRotationJustBeforeSigning is oidcc-client-test-signing-key-rotation-just-before-signing.
func TestRotationJustBeforeSigning(t *testing.T) {
	w := newWorld(t)
	_, err := w.complete(w.token(nil, nil))
	require.NoError(t, err)
	w.set(func() { w.keys = []object{jwk("r2", otherRSA())} })
	_, err = w.complete(by("r2", otherRSA(), w))
	require.NoError(t, err)
	require.Equal(t, 2, w.called("/keys"))
	_, err = w.complete(by("r1", rsaKey(), w))
	refused(t, err, oidc.KeyUnknown)

	// The same name for another key is a bad habit, and no reason to lock everybody out.
	w.pass(oidc.ForcedCooldown)
	w.set(func() { w.keys = []object{jwk("r2", rsaKey())} })
	_, err = w.complete(by("r2", rsaKey(), w))
	require.NoError(t, err)
}

// TestWithdrawnKeys: at go-oidc a key that was seen once is good for ever.
func TestWithdrawnKeys(t *testing.T) {
	w := newWorld(t)
	w.handle("/keys", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "public, max-age=600")
		_, _ = rw.Write(marshal(object{"keys": w.keys}))
	})
	token := by("r1", rsaKey(), w)
	_, err := w.complete(token)
	require.NoError(t, err)
	w.set(func() { w.keys = []object{jwk("e1", ecKey())} })
	w.pass(10*time.Minute - time.Second)
	_, err = w.complete(token)
	require.NoError(t, err, "nobody knows yet")
	w.pass(time.Second)
	_, err = w.complete(token)
	refused(t, err, oidc.KeyUnknown)
}

func TestKeysAreKeptAsLongAsTheProviderSays(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": time.Hour, "max-age=600": 10 * time.Minute, "public, max-age=21600, must-revalidate": 6 * time.Hour, "Max-Age=\"600\"": 10 * time.Minute,
		"max-age=0": oidc.MinKeep, "max-age=-5": oidc.MinKeep, "max-age=1": oidc.MinKeep, "no-store": oidc.MinKeep, "no-cache, max-age=600": oidc.MinKeep,
		"max-age=86401": oidc.MaxKeep, "max-age=999999999999999999": oidc.MaxKeep, "max-age=99999999999999999999": time.Hour, "max-age=x": time.Hour,
	} {
		require.Equal(t, want, oidc.KeepFor(http.Header{"Cache-Control": {header}}), header)
	}
	require.Equal(t, 6*time.Minute, oidc.KeepFor(http.Header{"Cache-Control": {"max-age=600"}, "Age": {"240"}}))
	require.Equal(t, 10*time.Minute, oidc.KeepFor(http.Header{"Cache-Control": {"max-age=600"}, "Age": {"-9999"}}))
}

func TestKeysWhileTheProviderIsDown(t *testing.T) {
	w := newWorld(t)
	token := by("r1", rsaKey(), w)
	_, err := w.complete(token)
	require.NoError(t, err)
	w.handle("/keys", status(500, theSecret))

	_, err = w.complete(by("r2", otherRSA(), w))
	refused(t, err, oidc.KeysUnavailable)
	for range 20 {
		_, err = w.complete(by("r2", otherRSA(), w))
		refused(t, err, oidc.KeysUnavailable, oidc.KeyUnknown)
	}
	require.Equal(t, 2, w.called("/keys"), "a failure has a cooldown as well")
	_, err = w.complete(token)
	require.NoError(t, err, "the old keys are good until they end")

	w.pass(time.Hour)
	_, err = w.complete(token)
	refused(t, err, oidc.KeysUnavailable)
	for range 20 {
		_, err = w.complete(token)
		refused(t, err, oidc.KeysUnavailable)
	}
	require.Equal(t, 3, w.called("/keys"))
	w.handle("/keys", nil)
	w.pass(oidc.FailureCooldown)
	_, err = w.complete(token)
	require.NoError(t, err)
}

// TestKeysThatAreNoGood: each is the provider's only key of that name, and its signature would hold.
func TestKeysThatAreNoGood(t *testing.T) {
	bendKey := func(members object) []object { return []object{merge(jwk("r1", rsaKey()), members)} }
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	for name, c := range map[string]struct {
		keys  []object
		token func(*world) string
		code  string
	}{
		"for encryption":              {bendKey(object{"use": "enc"}), nil, oidc.KeyUnknown},
		"use is no text":              {bendKey(object{"use": 1}), nil, oidc.KeyUnknown},
		"key_ops without verify":      {bendKey(object{"key_ops": []string{"encrypt", "sign"}}), nil, oidc.KeyUnknown},
		"key_ops is a text":           {bendKey(object{"key_ops": "verify"}), nil, oidc.KeyUnknown},
		"for another algorithm":       {bendKey(object{"alg": "PS256"}), nil, oidc.KeyUnknown},
		"for a longer hash":           {bendKey(object{"alg": "RS512"}), nil, oidc.KeyUnknown},
		"for an unknown algorithm":    {bendKey(object{"alg": "RSA1_5"}), nil, oidc.KeyUnknown},
		"alg is no text":              {bendKey(object{"alg": 1}), nil, oidc.KeyUnknown},
		"kty of another":              {bendKey(object{"kty": "EC"}), nil, oidc.KeyUnknown},
		"kty in another case":         {bendKey(object{"kty": "rsa"}), nil, oidc.KeyUnknown},
		"a shared secret":             {[]object{{"kty": "oct", "kid": "r1", "k": b64([]byte(theSecret))}}, hmacBy(func() []byte { return []byte(theSecret) }), oidc.AlgorithmNotAllowed},
		"private":                     {bendKey(object{"d": b64(rsaKey().D.Bytes())}), nil, oidc.KeyUnknown},
		"1024 bits":                   {[]object{jwk("r1", small)}, func(w *world) string { return by("r1", small, w) }, oidc.KeyUnknown},
		"exponent 1":                  {bendKey(object{"e": "AQ"}), nil, oidc.KeyUnknown},
		"exponent 3":                  {bendKey(object{"e": "Aw"}), nil, oidc.KeyUnknown},
		"exponent even":               {bendKey(object{"e": "AQAC"}), nil, oidc.KeyUnknown},
		"exponent of 5 bytes":         {bendKey(object{"e": b64([]byte{1, 0, 0, 0, 1})}), nil, oidc.KeyUnknown},
		"modulus of 16384 bits":       {bendKey(object{"n": b64(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 16384), big.NewInt(1)).Bytes())}), nil, oidc.KeyUnknown},
		"modulus missing":             {bendKey(object{"n": nil}), nil, oidc.KeyUnknown},
		"modulus padded":              {bendKey(object{"n": b64(rsaKey().N.Bytes()) + "=="}), nil, oidc.KeyUnknown},
		"two of one name":             {append(bendKey(nil), jwk("r1", otherRSA())), nil, oidc.KeyAmbiguous},
		"two of one name, same key":   {append(bendKey(nil), jwk("r1", rsaKey())), nil, oidc.KeyAmbiguous},
		"two of one name, other kind": {append(bendKey(nil), jwk("r1", ecKey())), nil, oidc.KeyAmbiguous},
		"a point off the curve": {[]object{merge(jwk("e1", ecKey()), object{"y": b64(make([]byte, 32))})}, func(w *world) string {
			return sign(object{"alg": "ES256", "kid": "e1"}, marshal(w.claims()), ecKey())
		}, oidc.KeyUnknown},
		"a curve of another": {[]object{merge(jwk("e1", ecKey()), object{"crv": "P-384"})}, func(w *world) string {
			return sign(object{"alg": "ES256", "kid": "e1"}, marshal(w.claims()), ecKey())
		}, oidc.KeyUnknown},
		"a longer curve than the algorithm's": {[]object{jwk("e1", p384)}, func(w *world) string {
			return sign(object{"alg": "ES256", "kid": "e1"}, marshal(w.claims()), p384)
		}, oidc.KeyUnknown},
		"for another algorithm, unnamed": {bendKey(object{"alg": "PS256"}), func(w *world) string { return w.token(object{"kid": nil}, nil) }, oidc.KeyUnknown},
		"secp256k1": {[]object{merge(jwk("e1", ecKey()), object{"crv": "secp256k1"})}, func(w *world) string {
			return sign(object{"alg": "ES256", "kid": "e1"}, marshal(w.claims()), ecKey())
		}, oidc.KeyUnknown},
		"X25519": {[]object{merge(jwk("d1", edKey()), object{"crv": "X25519"})}, func(w *world) string {
			return sign(object{"alg": "EdDSA", "kid": "d1"}, marshal(w.claims()), edKey())
		}, oidc.KeyUnknown},
		"none at all": {[]object{}, nil, oidc.KeyUnknown},
	} {
		t.Log(name)
		w := newWorld(t)
		w.set(func() { w.keys = c.keys })
		token := w.token(nil, nil)
		if c.token != nil {
			token = c.token(w)
		}
		_, err := w.complete(token)
		refused(t, err, c.code)
	}
}

// TestKeysThatAreGood are the controls of the above, and keys that must not spoil their neighbours.
func TestKeysThatAreGood(t *testing.T) {
	for name, keys := range map[string][]object{
		"plain":                    {{}},
		"use missing":              {{"use": nil}},
		"key_ops":                  {{"key_ops": []string{"verify"}}},
		"alg":                      {{"alg": "RS256"}},
		"beside one for encrypton": {{}, merge(jwk("r1", otherRSA()), object{"use": "enc"})},
		"beside a kind not known":  {{}, {"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"}},
		"beside nonsense":          {{}, {"kty": 1}, {}, {"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"}},
		"beside x5c that is none":  {{"x5c": []string{"nonsense"}, "x5t": "x"}},
	} {
		t.Log(name)
		w := newWorld(t)
		w.set(func() { w.keys = keys; w.keys[0] = merge(jwk("r1", rsaKey()), keys[0]) })
		_, err := w.complete(w.token(nil, nil))
		require.NoError(t, err, name)
	}
}

func TestKeySetsThatCannotBeRead(t *testing.T) {
	many := object{"keys": make([]object, 65)}
	for name, body := range map[string]string{
		"empty": "", "no JSON": "<html>" + theSecret, "a list": "[]", "no keys": "{}", "keys null": `{"keys":null}`, "keys an object": `{"keys":{}}`,
		"keys twice": `{"keys":[],"keys":[]}`, "keys in capitals": `{"KEYS":[]}`, "too many": string(marshal(many)), "something after": `{"keys":[]} {}`,
	} {
		t.Log(name)
		w := newWorld(t)
		w.handle("/keys", status(200, body))
		_, err := w.complete(w.token(nil, nil))
		refused(t, err, oidc.KeysMalformed)
	}
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	w := newWorld(t)
	token := w.token(nil, nil)
	_, err := w.provider.Begin(t.Context(), w.trip)
	require.NoError(t, err)
	release := make(chan struct{})
	w.handle("/keys", func(rw http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = rw.Write(marshal(object{"keys": w.keys}))
	})
	// The first one gives up while it waits. The others must not have to begin again.
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := w.provider.VerifyIDToken(ctx, w.trip, token, theAccess)
		gaveUp <- err
	}()
	require.Eventually(t, func() bool { return w.called("/keys") == 1 }, 5*time.Second, time.Millisecond)
	var wg sync.WaitGroup
	var held atomic.Int32
	for range 20 {
		wg.Go(func() {
			if _, err := w.provider.VerifyIDToken(context.Background(), w.trip, token, theAccess); err == nil {
				held.Add(1)
			}
		})
	}
	cancel()
	err = <-gaveUp
	require.ErrorIs(t, err, context.Canceled)
	refused(t, err, oidc.KeysUnavailable)
	close(release)
	wg.Wait()
	require.EqualValues(t, 20, held.Load())
	require.Equal(t, 1, w.called("/keys"))
}

func TestConcurrentSignInsAndRotations(t *testing.T) {
	w := newWorld(t)
	tokens := []string{by("r1", rsaKey(), w), by("r2", otherRSA(), w), by("r3", otherRSA(), w)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				_, err := w.provider.VerifyIDToken(t.Context(), w.trip, tokens[(i+j)%3], theAccess)
				if (i+j)%3 == 0 {
					require.NoError(t, err)
				}
				if i == 0 {
					w.pass(7 * time.Minute)
				}
			}
		})
	}
	wg.Wait()
}

func TestAPanicInAFetchIsAnError(t *testing.T) {
	calls := 0
	c := oidc.NewCached(func() time.Time { return now }, func(context.Context) (int, time.Duration, error) { calls++; panic("boom") })
	for range 3 {
		_, _, err := c.Get(t.Context())
		require.ErrorContains(t, err, "panicked")
		require.NotContains(t, err.Error(), "boom")
	}
	require.Equal(t, 1, calls)
}

func TestCacheFetchesAgainWhenItsValueEnds(t *testing.T) {
	clock, n := now, 0
	fail := errors.New("down")
	var answer error
	c := oidc.NewCached(func() time.Time { return clock }, func(context.Context) (int, time.Duration, error) {
		if n++; answer != nil {
			return 0, 0, answer
		}
		return n, time.Minute, nil
	})
	get := func(want int, wantErr error) {
		t.Helper()
		v, _, err := c.Get(t.Context())
		require.Equal(t, want, v)
		require.ErrorIs(t, err, wantErr)
	}
	get(1, nil)
	get(1, nil)
	clock = clock.Add(time.Minute)
	get(2, nil)
	answer = fail
	clock = clock.Add(time.Minute)
	get(0, fail) // a value that has ended is never returned
	answer = nil
	get(0, fail)
	clock = clock.Add(oidc.FailureCooldown)
	get(4, nil)
	v, err := c.Newer(t.Context(), 1) // somebody fetched since
	require.NoError(t, err)
	require.Equal(t, []int{4, 4}, []int{v, n})
}
