package oidctest

import (
	"maps"
	"net/url"
	"slices"
)

// maxSeen is how many requests of each kind are kept: the last.
const maxSeen = 1000

// Log is what a provider has seen, in order; of each kind the last thousand.
type Log struct {
	Authorizations []Authorization
	Tokens         []TokenRequest
	UserInfos      []UserInfoRequest
	EndSessions    []url.Values // the parameters, as they came
	Logouts        []Delivery
	// Fetches counts requests by path below the issuer, such as "/jwks", which is also what another address of the keys
	// counts as.
	Fetches map[string]int
}

// Authorization is an authorization request.
type Authorization struct {
	Params url.Values
	Error  string // why it was refused; empty if it was not
}

// TokenRequest is a request to /token.
type TokenRequest struct {
	Form url.Values
	// Auth is how the client came: client_secret_basic, client_secret_post, none, or both of the first.
	Auth     string
	ClientID string
	Error    string // why it was refused; empty if it was not
}

// UserInfoRequest is a request to /userinfo.
type UserInfoRequest struct {
	Method string
	Bearer bool // the access token came in the header
	OK     bool // and was good
}

// Delivery is a logout token that was sent.
type Delivery struct {
	ClientID     string
	URI          string
	Token        string
	Status       int // of the answer; zero if there was none
	CacheControl string
	Err          error // why there was no answer
}

// Requests returns a copy of what the provider has seen since it began, or since Forget.
func (p *Provider) Requests() Log {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Log{
		slices.Clone(p.seen.Authorizations), slices.Clone(p.seen.Tokens), slices.Clone(p.seen.UserInfos),
		slices.Clone(p.seen.EndSessions), slices.Clone(p.seen.Logouts), maps.Clone(p.seen.Fetches),
	}
}

// Forget empties the log.
func (p *Provider) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = Log{Fetches: map[string]int{}}
}

func (p *Provider) note(f func(*Log)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.seen)
}

func capped[T any](all []T, one T) []T {
	if len(all) >= maxSeen {
		all = all[1:]
	}
	return append(all, one)
}
