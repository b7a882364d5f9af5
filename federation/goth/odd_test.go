package viagoth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/markbates/goth"
	"golang.org/x/oauth2"

	viagoth "github.com/cardea-auth/cardea/federation/goth"
)

const (
	oddAuth    = "https://odd.example/authorize"
	oddToken   = "https://odd.example/token"
	oddProfile = "https://api.odd.example/me"
)

// odd is a goth provider that a host wrote. By itself it behaves; each field makes it behave otherwise.
type odd struct {
	client      *http.Client
	redirectURI string
	begin       func(o *odd, state string) (goth.Session, error)
	restore     func(o *odd, text string) (goth.Session, error)
	authorize   func(o *odd, params goth.Params) (string, error)
	fetch       func(o *odd) (goth.User, error)
	geturl      func() (string, error)
	marshal     func() string
}

type oddSession struct {
	o           *odd
	AuthURL     string
	AccessToken string
}

var _ goth.Provider = (*odd)(nil)

func (o *odd) Name() string                               { return "github" } // which says nothing
func (o *odd) SetName(string)                             {}
func (o *odd) Debug(bool)                                 {}
func (o *odd) RefreshTokenAvailable() bool                { return false }
func (o *odd) RefreshToken(string) (*oauth2.Token, error) { return nil, nil }
func (o *odd) session(query url.Values) (*oddSession, error) {
	return &oddSession{o: o, AuthURL: oddAuth + "?" + query.Encode()}, nil
}

func (o *odd) query(state string) url.Values {
	return url.Values{"state": {state}, "redirect_uri": {o.redirectURI}, "client_id": {clientID}, "response_type": {"code"}}
}

func (o *odd) BeginAuth(state string) (goth.Session, error) {
	if o.begin != nil {
		return o.begin(o, state)
	}
	return o.session(o.query(state))
}

func (o *odd) UnmarshalSession(text string) (goth.Session, error) {
	if o.restore != nil {
		return o.restore(o, text)
	}
	s := &oddSession{o: o}
	return s, json.Unmarshal([]byte(text), s)
}

func (o *odd) FetchUser(s goth.Session) (goth.User, error) {
	if o.fetch != nil {
		return o.fetch(o)
	}
	r, _ := http.NewRequest(http.MethodGet, oddProfile, nil)
	r.Header.Set("Authorization", "Bearer "+s.(*oddSession).AccessToken)
	response, err := o.client.Do(r)
	if err != nil {
		return goth.User{}, err
	}
	defer response.Body.Close()
	var user goth.User
	return user, json.NewDecoder(response.Body).Decode(&user)
}

func (s *oddSession) GetAuthURL() (string, error) {
	if s.o.geturl != nil {
		return s.o.geturl()
	}
	return s.AuthURL, nil
}

func (s *oddSession) Marshal() string {
	if s.o.marshal != nil {
		return s.o.marshal()
	}
	text, _ := json.Marshal(s)
	return string(text)
}

func (s *oddSession) Authorize(_ goth.Provider, params goth.Params) (token string, err error) {
	if s.o.authorize != nil {
		token, err = s.o.authorize(s.o, params)
	} else {
		token, err = s.o.exchange(s.o.form(params))
	}
	s.AccessToken = token
	return token, err
}

func (o *odd) form(params goth.Params) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {params.Get("code")}, "redirect_uri": {o.redirectURI},
		"client_id": {clientID}, "client_secret": {clientSecret}}
}

func (o *odd) exchange(form url.Values) (string, error) { return o.exchangeAt(oddToken, form) }

func (o *odd) exchangeAt(address string, form url.Values) (string, error) {
	r, _ := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := o.client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	var answer struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal(text, &answer)
	if err == nil && answer.Token == "" {
		err = &oauth2.RetrieveError{Response: response, Body: text} // which prints the answer
	}
	return answer.Token, err
}

// oddConfig is the configuration of a provider that change has made odd.
func oddConfig(s *service, change func(*odd)) viagoth.Config {
	return viagoth.Config{ID: "odd", Name: "Odd", TokenURL: oddToken, HTTP: s.client(),
		Make: func(client *http.Client, redirectURI string) (goth.Provider, error) {
			o := &odd{client: client, redirectURI: redirectURI}
			if change != nil {
				change(o)
			}
			return o, nil
		}}
}
