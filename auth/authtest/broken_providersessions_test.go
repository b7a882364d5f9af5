package authtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// patchboard is a sound store of which single methods are replaced.
type patchboard struct {
	*memory.Store
	attach func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error
	end    func(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error)
	look   func(ctx context.Context, key string, now time.Time) ([]auth.ProviderSession, error)
	sweep  func(ctx context.Context, now time.Time, limit int) (int, error)
}

func (s *patchboard) SessionsOf(ctx context.Context, key string, now time.Time) ([]auth.ProviderSession, error) {
	return s.look(ctx, key, now)
}

func (s *patchboard) AttachSession(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
	return s.attach(ctx, sessions, now)
}

func (s *patchboard) EndSessions(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
	return s.end(ctx, key, now, until)
}

func (s *patchboard) SweepProviderSessions(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.sweep(ctx, now, limit)
}

func brokenProvider(breaking func(s *patchboard)) func() auth.ProviderSessionStore {
	return func() auth.ProviderSessionStore {
		m := memory.New()
		s := &patchboard{m, m.AttachSession, m.EndSessions, m.SessionsOf, m.SweepProviderSessions}
		breaking(s)
		return s
	}
}

// bentProvider changes each session that is attached.
func bentProvider(bend func(p *auth.ProviderSession)) func() auth.ProviderSessionStore {
	return brokenProvider(func(s *patchboard) {
		s.attach = func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
			sessions = slices.Clone(sessions)
			for i := range sessions {
				bend(&sessions[i])
			}
			return s.Store.AttachSession(ctx, sessions, now)
		}
	})
}

// misledEnd changes what EndSessions is asked for.
func misledEnd(mislead func(s *patchboard, key *string, now, until *time.Time)) func() auth.ProviderSessionStore {
	return brokenProvider(func(s *patchboard) {
		s.end = func(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
			mislead(s, &key, &now, &until)
			return s.Store.EndSessions(ctx, key, now, until)
		}
	})
}

var brokenProviderSessions = map[string]func() auth.ProviderSessionStore{
	"a provider's sessions come back whole": bentProvider(func(p *auth.ProviderSession) { p.Since = p.Since.Truncate(time.Second) }),
	"the longest of a provider's sessions come back whole": bentProvider(func(p *auth.ProviderSession) {
		p.Key = p.Key[:min(len(p.Key), 63)]
	}),
	"a session is attached once": brokenProvider(func(s *patchboard) { // the first one stays
		seen := map[[2]string]bool{}
		s.attach = func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
			var rest []auth.ProviderSession
			for _, p := range sessions {
				if k := [2]string{p.Key, p.Session}; !seen[k] {
					seen[k], rest = true, append(rest, p)
				}
			}
			return s.Store.AttachSession(ctx, rest, now)
		}
	}),
	"a session has many keys": brokenProvider(func(s *patchboard) {
		s.end = func(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
			list, err := s.Store.EndSessions(ctx, key, now, until)
			if key == "session" && err == nil {
				_, err = s.Store.EndSessions(ctx, "person", now, until)
			}
			return list, err
		}
	}),
	"attached sessions are the caller's copies": brokenProvider(func(s *patchboard) {
		var attached []auth.ProviderSession
		s.attach = func(_ context.Context, sessions []auth.ProviderSession, _ time.Time) error {
			attached = sessions
			return nil
		}
		s.end = func(context.Context, string, time.Time, time.Time) ([]auth.ProviderSession, error) {
			return attached, nil
		}
	}),
	"keys of providers are opaque": bentProvider(func(p *auth.ProviderSession) {
		if p.Key == "all" {
			p.Session = fold(p.Session)
		}
	}),
	"an end returns its sessions": brokenProvider(func(s *patchboard) { // and leaves them
		s.end = func(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
			list, err := s.Store.EndSessions(ctx, key, now, now)
			for _, p := range list {
				p.Since = now.Add(tick)
				_ = s.Store.AttachSession(ctx, []auth.ProviderSession{p}, now)
			}
			return list, err
		}
	}),
	"a look ends nothing": brokenProvider(func(s *patchboard) { // it is an end that is not remembered
		s.look = func(ctx context.Context, key string, now time.Time) ([]auth.ProviderSession, error) {
			return s.Store.EndSessions(ctx, key, now, now)
		}
	}),
	"an end leaves expired sessions out": bentProvider(func(p *auth.ProviderSession) { p.ExpiresAt = p.ExpiresAt.Add(tick) }),
	"a session from before an end is late": misledEnd(func(_ *patchboard, _ *string, now, _ *time.Time) { // of one time, the end came first
		*now = now.Add(-tick)
	}),
	"sessions are attached all or none": brokenProvider(func(s *patchboard) { // one by one
		s.attach = func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
			for _, p := range sessions {
				if err := s.Store.AttachSession(ctx, []auth.ProviderSession{p}, now); err != nil {
					return err
				}
			}
			return nil
		}
	}),
	"an end is forgotten in time": misledEnd(func(_ *patchboard, _ *string, _, until *time.Time) { *until = until.Add(tick) }),
	"ends add up": brokenProvider(func(s *patchboard) { // the first end stays
		known := map[string]bool{}
		s.end = func(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
			if known[key] {
				until = now
			}
			known[key] = true
			return s.Store.EndSessions(ctx, key, now, until)
		}
	}),
	"an end is of its key alone": brokenProvider(func(s *patchboard) { // keys without a case
		s.attach = func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
			probes := slices.Clone(sessions)
			for i := range probes {
				probes[i].Key = fold(probes[i].Key)
			}
			return errors.Join(s.Store.AttachSession(ctx, probes, now), s.Store.AttachSession(ctx, sessions, now))
		}
	}),
	"no attached session is lost": brokenProvider(func(s *patchboard) {
		late := from(3)
		s.attach = func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
			if late() {
				return nil
			}
			return s.Store.AttachSession(ctx, sessions, now)
		}
	}),
	"one end has a session": brokenProvider(func(s *patchboard) { // all read, and then all forget
		var once sync.Once
		var list []auth.ProviderSession
		s.end = func(ctx context.Context, key string, now, until time.Time) (_ []auth.ProviderSession, err error) {
			once.Do(func() { list, err = s.Store.EndSessions(ctx, key, now, until) })
			return list, err
		}
	}),
	"no session outlives its provider's": brokenProvider(func(s *patchboard) { // it looks before the end, and writes after it
		ended, once := make(chan struct{}), sync.Once{}
		s.attach = func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
			if sessions[0].Key != "k00" {
				return s.Store.AttachSession(ctx, sessions, now)
			}
			<-ended
			late := slices.Clone(sessions)
			for i := range late {
				late[i].Since = at(time.Minute)
			}
			return s.Store.AttachSession(ctx, late, now)
		}
		s.end = func(ctx context.Context, key string, now, until time.Time) ([]auth.ProviderSession, error) {
			list, err := s.Store.EndSessions(ctx, key, now, until)
			if key == "k00" {
				once.Do(func() { close(ended) })
			}
			return list, err
		}
	}),
	"a sweep deletes what a provider's sessions leave": brokenProvider(func(s *patchboard) { // as many of each
		s.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			return s.Store.SweepProviderSessions(ctx, now, 2*limit)
		}
	}),
	"a provider's sessions under a done context stay": brokenProvider(func(s *patchboard) {
		s.attach = func(ctx context.Context, sessions []auth.ProviderSession, now time.Time) error {
			_ = s.Store.AttachSession(context.WithoutCancel(ctx), sessions, now)
			return ctx.Err()
		}
	}),
}
