package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cardea-auth/cardea/auth/flow"
)

// known is a configured provider with what it said of itself when the service was made: one that changes its mind later
// changes nothing.
type known struct {
	Provider
	info ProviderInfo
}

// Info returns what the provider said then.
func (k known) Info() ProviderInfo { return k.info }

// as returns the provider as what else it may be.
func as[T any](p Provider) (T, bool) {
	if k, ok := p.(known); ok {
		p = k.Provider
	}
	t, ok := p.(T)
	return t, ok
}

// provider returns the configured provider of that id, nil if there is none.
func (s *Service) provider(id string) Provider {
	for _, p := range s.cfg.Providers {
		if p.Info().ID == id {
			return p
		}
	}
	return nil
}

// chosen returns the provider if the flow offers it now, else nil.
func (j *job) chosen(ctx context.Context, id string) (Provider, error) {
	view, err := j.view(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range view.Providers {
		if p.ID == id {
			return j.s.provider(id), nil
		}
	}
	return nil, nil
}

// withProviders adds to the view which providers it offers.
func (j *job) withProviders(ctx context.Context, v *flow.View) error {
	if v.Goal == flow.Linking && v.Need == flow.Removal {
		return j.withRemoved(ctx, v)
	}
	for _, a := range v.Actions {
		if a.Name != flow.Social.String() {
			continue
		}
		list, err := j.providers(ctx, v.Need, a.Connection)
		if err != nil {
			return err
		}
		v.Providers = list
	}
	return nil
}

// withRemoved adds the provider that is about to be disconnected.
func (j *job) withRemoved(ctx context.Context, v *flow.View) error {
	l, err := j.link(ctx, j.flow.Target.Remove)
	if p := j.s.provider(l.Provider); p != nil {
		v.Providers = []flow.Provider{{ID: l.Provider, Name: p.Info().Name}}
	}
	return err
}

// link returns the account's link with the id, or the zero Link.
func (j *job) link(ctx context.Context, id string) (Link, error) {
	links, err := j.s.cfg.Links.Links(ctx, j.flow.Subject.Account)
	if err != nil {
		return Link{}, fmt.Errorf("auth: read links: %w", err)
	}
	for _, l := range links {
		if l.ID == id {
			return l, nil
		}
	}
	return Link{}, nil
}

// providers are those that can meet the need. Before a proof they are all, whoever it is about: which ones an account
// is connected with would tell strangers that there is such an account. Afterwards they are its own, and where the
// person must show to be there, those of them that can tell. A native client has none, since no answer would reach it.
func (j *job) providers(ctx context.Context, need flow.Need, only string) ([]flow.Provider, error) {
	if j.client.Native {
		return nil, nil
	}
	own := map[string]bool{}
	if fresh := need == flow.FreshProof; fresh || need == flow.SecondFactor {
		links, err := j.s.cfg.Links.Links(ctx, j.flow.Subject.Account)
		if err != nil {
			return nil, fmt.Errorf("auth: read links: %w", err)
		}
		own = j.s.connected(links, fresh)
	} else {
		for _, p := range j.s.cfg.Providers {
			own[p.Info().ID] = true
		}
	}
	var list []flow.Provider
	for _, p := range j.s.cfg.Providers {
		if info := p.Info(); own[info.ID] && (only == "" || only == info.ID) {
			list = append(list, flow.Provider{ID: info.ID, Name: info.Name})
		}
	}
	return list, nil
}

// connected are the providers that the links are with, or those of them that authenticate people anew.
func (s *Service) connected(links []Link, anew bool) map[string]bool {
	own := map[string]bool{}
	for _, l := range links {
		if p := s.provider(l.Provider); p != nil && (!anew || p.Info().Reauthenticates) {
			own[l.Provider] = true
		}
	}
	return own
}

// reauthenticates tells the machine whether a social provider could prove afresh who is there. It is a read that only
// accounts with links cost, so it is for those who have proven something.
func (j *job) reauthenticates(ctx context.Context, s flow.Subject) (flow.Subject, error) {
	if !s.Enrolled.Has(flow.Social) || j.s.cfg.Links == nil {
		return s, nil
	}
	links, err := j.s.cfg.Links.Links(ctx, s.Account)
	if err != nil {
		return s, fmt.Errorf("auth: read links: %w", err)
	}
	s.Reauthenticates = len(j.s.connected(links, true)) > 0
	return s, nil
}

// linkIdentity connects the identity that just came back with the account.
func (j *job) linkIdentity(ctx context.Context, e flow.Commit) (flow.Event, error) {
	account := j.flow.Subject.Account
	if j.stranger == nil {
		return nil, errors.New("auth: there is no identity to connect")
	}
	links, err := j.s.cfg.Links.Links(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("auth: read links: %w", err)
	}
	if len(links) >= mostFactors {
		return flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.TooManyFactors}}, nil
	}
	l := *j.stranger
	l.Account = account
	return j.changeLinks(ctx, flow.IdentityLinked, e, l)
}

// unlinkIdentity disconnects the target's.
func (j *job) unlinkIdentity(ctx context.Context, e flow.Commit) (flow.Event, error) {
	l, err := j.link(ctx, j.flow.Target.Remove)
	if err != nil {
		return nil, err
	}
	l.ID, l.Account = j.flow.Target.Remove, j.flow.Subject.Account // also if it is gone: the store says so
	return j.changeLinks(ctx, flow.IdentityUnlinked, e, l)
}

// changeLinks carries a change out, as changeFactors does. A crash in between leaves sessions that have to sign in
// again, and the person can do it once more.
func (j *job) changeLinks(ctx context.Context, what flow.Notice, e flow.Commit, l Link) (flow.Event, error) {
	c := LinkChange{Link: l, From: j.standing(), EndSessions: e.EndOthers, Now: j.now}
	var err error
	if c.Letters, err = j.tell(ctx, what, e.Method); err != nil {
		return nil, err
	}
	if p := j.s.provider(l.Provider); p != nil && len(c.Letters) > 0 {
		c.Letters[0].Method = p.Info().Name
	}
	if err := j.irrevocably(ctx); err != nil {
		return nil, err
	}
	next := Standing{Status: c.From.Status, Epochs: raised(c.From.Epochs, c.EndSessions)}
	if err := j.s.fence(ctx, l.Account, c.From, next, j.flow.Acting); err != nil {
		return staleOrFault(err)
	}
	change := j.s.cfg.Links.AddLink
	if what == flow.IdentityUnlinked {
		change = j.s.cfg.Links.RemoveLink
	}
	epochs, err := change(ctx, c)
	if errors.Is(err, ErrTaken) {
		j.told = nil // the letter was not queued
		return flow.CommitRefused{Refusal: flow.Refusal{Reason: flow.IdentityTaken}}, j.s.realign(ctx, l.Account)
	}
	if err == nil {
		j.s.restamp(ctx, j.client.Device, l.Account, c.From.Epochs.Session, epochs.Session)
	}
	return j.completed(ctx, epochs, err)
}

// disconnects completes the target of a linking that disconnects, as removes does.
func (j *job) disconnects(ctx context.Context, acting flow.Acting, t *flow.Target) error {
	account := acting.Subject.Account
	links, err := j.s.cfg.Links.Links(ctx, account)
	if err != nil {
		return fmt.Errorf("auth: read links: %w", err)
	}
	there, others := false, false
	for _, l := range links {
		switch {
		case l.ID == t.Remove:
			there, t.Enrol = true, l.Method
		case j.s.leadsHere(l):
			others = true
		}
	}
	if !there {
		return flow.Deny(flow.NotFound)
	}
	passkeys := j.s.cfg.Passkeys != nil && acting.Subject.Enrolled.Has(flow.Passkey)
	t.Sole = !others && !passkeys && !acting.Subject.Enrolled.Has(flow.Password)
	return nil
}

// leadsHere reports whether the link can still sign somebody in: its provider may be offered no more.
func (s *Service) leadsHere(l Link) bool {
	return l.Method == flow.SSO || s.provider(l.Provider) != nil
}

// linked reports whether one of the account's links can.
func (j *job) linked(ctx context.Context, subject flow.Subject) (bool, error) {
	if j.s.cfg.Links == nil || subject.Enrolled&flow.MethodsOf(flow.Social, flow.SSO) == 0 {
		return false, nil
	}
	links, err := j.s.cfg.Links.Links(ctx, subject.Account)
	if err != nil {
		return false, fmt.Errorf("auth: read links: %w", err)
	}
	return slices.ContainsFunc(links, j.s.leadsHere), nil
}

// Connection is an external identity that an account is connected with, as its owner sees it.
type Connection struct {
	Link
	ProviderName string // its id if it is not configured any more
}

// Connections lists what the acting session's account is connected with, those connected first coming first.
func (s *Service) Connections(ctx context.Context, acting Session) ([]Connection, error) {
	if s.cfg.Links == nil {
		return nil, nil
	}
	links, err := s.cfg.Links.Links(ctx, acting.Account)
	if err != nil {
		return nil, fmt.Errorf("auth: read links: %w", err)
	}
	var list []Connection
	for _, l := range links {
		c := Connection{l, l.Provider}
		if p := s.provider(l.Provider); p != nil {
			c.ProviderName = p.Info().Name
		}
		list = append(list, c)
	}
	return list, nil
}

// Callbacks is the address below which providers answer.
func (s *Service) Callbacks() string { return s.cfg.Callbacks }

// Providers lists the configured providers, in the order of the configuration.
func (s *Service) Providers() []ProviderInfo {
	var list []ProviderInfo
	for _, p := range s.cfg.Providers {
		list = append(list, p.Info())
	}
	return list
}

// ReleaseIdentity forgets whose an external identity was that is not connected any more, so that another account can
// be connected with it: for a person who moves to another account and proved to the host who they are. It returns
// ErrNotFound if there is nothing to forget, and ErrStale if the identity is connected.
func (s *Service) ReleaseIdentity(ctx context.Context, issuer, subject string) error {
	if s.cfg.Links == nil {
		return ErrNotFound
	}
	if err := s.cfg.Links.ReleaseLink(ctx, LinkID(issuer, subject)); err != nil {
		return fmt.Errorf("auth: release identity: %w", err)
	}
	s.decided(ctx, AuditEvent{What: "identity-released"})
	return nil
}
