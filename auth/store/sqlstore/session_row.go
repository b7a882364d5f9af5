package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/session"
)

// sessionValues returns the session as the values of sessionColumns.
func sessionValues(r session.Record) ([]any, error) {
	proofs, err := encodeProofs(r.Proofs)
	if err != nil {
		return nil, err
	}
	prefix := ""
	if r.Prefix.IsValid() {
		prefix = r.Prefix.String()
	}
	return []any{
		r.Hash[:], r.ID, r.Account, r.Epoch, micros(r.CreatedAt), micros(r.AuthenticatedAt), micros(r.SeenAt),
		micros(r.ExpiresAt), micros(r.EndsAt), r.Keep, int64(r.Assurance), proofs, r.UserAgent, prefix,
	}, nil
}

// scanSession reads sessionColumns, and further columns into more.
func scanSession(row interface{ Scan(...any) error }, more ...any) (session.Record, error) {
	var r session.Record
	var hash []byte
	var created, authenticated, seen, expires, ends int64
	var proofs, prefix string
	columns := []any{
		&hash, &r.ID, &r.Account, &r.Epoch, &created, &authenticated, &seen,
		&expires, &ends, &r.Keep, &r.Assurance, &proofs, &r.UserAgent, &prefix,
	}
	if err := row.Scan(append(columns, more...)...); err != nil {
		return session.Record{}, err
	}
	if err := copyHash(&r.Hash, hash); err != nil {
		return session.Record{}, err
	}
	r.CreatedAt, r.AuthenticatedAt, r.SeenAt = moment(created), moment(authenticated), moment(seen)
	r.ExpiresAt, r.EndsAt = moment(expires), moment(ends)
	if err := json.Unmarshal([]byte(proofs), &r.Proofs); err != nil {
		return session.Record{}, fmt.Errorf("read proofs: %w", err)
	}
	if prefix != "" {
		var err error
		if r.Prefix, err = netip.ParsePrefix(prefix); err != nil {
			return session.Record{}, fmt.Errorf("read prefix: %w", err)
		}
	}
	return r, nil
}

var errProofText = errors.New("sqlstore: a proof has text that is not UTF-8")

// encodeProofs returns the proofs as JSON. JSON has no bytes that are not UTF-8 and would replace them by a
// mark: two credentials could become one.
func encodeProofs(proofs []flow.Proof) (string, error) {
	own := make([]flow.Proof, len(proofs))
	for i, p := range proofs {
		if !utf8.ValidString(p.Account) || !utf8.ValidString(p.Credential) || !utf8.ValidString(p.Connection) || !utf8.ValidString(p.Origin) {
			return "", errProofText
		}
		p.At = moment(micros(p.At))
		if !p.AuthTime.IsZero() {
			p.AuthTime = moment(micros(p.AuthTime))
		}
		own[i] = p
	}
	b, err := json.Marshal(own)
	if err != nil {
		return "", fmt.Errorf("sqlstore: encode proofs: %w", err)
	}
	return string(b), nil
}
