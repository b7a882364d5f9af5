package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// repeatWindow is how long the previous handle still shows the current View, for a double click or an
// answer that got lost.
const repeatWindow = 30 * time.Second

// A handle is "id.secret". The secret is derived from the flow's id and version under a key that is not in
// the store, so it changes with every step, whoever reads the store cannot make one, and the server can
// hand the current one out again without having kept it.
const (
	idLength     = 22 // 128 bits
	secretLength = 43 // 256 bits
)

func (s *Service) handle(r FlowRecord) (Secret, bool) {
	sum, ok := s.handles.MAC(r.Key, r.ID, strconv.FormatUint(r.Version, 10))
	return NewSecret(r.ID + "." + base64.RawURLEncoding.EncodeToString(sum[:])), ok
}

// splitHandle returns the parts of a handle. Decoding is strict: no two texts are one handle.
func splitHandle(h Secret) (id string, secret []byte, ok bool) {
	id, text, found := strings.Cut(h.Reveal(), ".")
	if !found || len(id) != idLength || len(text) != secretLength {
		return "", nil, false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return id, secret, err == nil
}

// opens reports whether secret is that of the given version of the flow.
func (s *Service) opens(r FlowRecord, version uint64, secret []byte) bool {
	return s.handles.Check(r.Key, secret, r.ID, strconv.FormatUint(version, 10))
}

// bound reports whether the flow belongs to the browser. A native client's flow is bound by its handle
// alone, and a browser's flow never is. Whoever claims to be both is neither.
func bound(r FlowRecord, c Client) bool {
	if r.Browser == ([32]byte{}) {
		return c.Native && c.Browser.IsZero()
	}
	if c.Native || c.Browser.IsZero() {
		return false
	}
	sum := sha256.Sum256([]byte(c.Browser.Reveal()))
	return subtle.ConstantTimeCompare(sum[:], r.Browser[:]) == 1
}
