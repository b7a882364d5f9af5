package authtest

import (
	"context"
	"errors"
	"slices"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

var brokenFactorChanges = map[string]func() Factors{
	"a change of factors raises the security epoch": misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		c.EndSessions = true
	}),
	"a change of factors ends sessions": misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		c.EndSessions = false
	}),
	"a change of factors forgets mailed secrets": brokenFactor(func(s *factorStore) {
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			e, err := s.Store.ChangeFactors(ctx, c)
			_ = s.AddTicket(ctx, ticket("i1", auth.ForInvitation))
			return e, err
		}
	}),
	"a change of factors tells of itself": misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		c.Letters = nil
	}),
	"a change of factors that cannot be told does not happen": brokenFactor(func(s *factorStore) {
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			letters := c.Letters
			c.Letters = nil
			e, err := s.Store.ChangeFactors(ctx, c)
			if err == nil && len(letters) > 0 {
				err = errors.New("malformed text")
			}
			return e, err
		}
	}),
	"one change of factors wins":                       deafFactors(3, auth.ErrStale),
	"a change of factors and a status do not both win": deafFactors(3, auth.ErrStale),
	"a change of factors needs the account": misledFactors(func(ctx context.Context, s *factorStore, c *auth.FactorChange) {
		_ = s.Open(ctx, c.Account, c.From.Status, "", c.Now)
	}),
	"a change of factors is from what was seen": misledFactors(func(ctx context.Context, s *factorStore, c *auth.FactorChange) {
		c.From.Epochs.Session = s.now(ctx, c.Account).Epochs.Session
	}),
	"a change of factors needs what it removes": misledFactors(func(ctx context.Context, s *factorStore, c *auth.FactorChange) {
		c.Remove = slices.DeleteFunc(slices.Clone(c.Remove), func(id string) bool { return s.factor(ctx, c.Account, id).ID == "" })
	}),
	"a refused change of factors is refused whole": brokenFactor(func(s *factorStore) {
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			e, err := s.Store.ChangeFactors(ctx, c)
			if errors.Is(err, auth.ErrTaken) {
				// The removal was another transaction.
				_, _ = s.Store.ChangeFactors(ctx, auth.FactorChange{Account: c.Account, From: c.From, Remove: c.Remove, RemoveAll: c.RemoveAll})
			}
			return e, err
		}
	}),
	"a change takes the account's own factors": misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		for i := range c.Add {
			c.Add[i].Account = c.Account
		}
	}),
}

var brokenSets = map[string]func() Factors{
	"a change removes what it names": misledFactors(func(_ context.Context, _ *factorStore, c *auth.FactorChange) {
		c.Remove = c.Remove[:min(len(c.Remove), 1)]
	}),
	"a change removes all of a method": brokenFactor(func(s *factorStore) {
		s.change = func(ctx context.Context, c auth.FactorChange) (flow.Epochs, error) {
			if list, _ := s.Store.Factors(ctx, c.Account); c.RemoveAll != 0 {
				if !slices.ContainsFunc(list, func(f auth.StoredFactor) bool { return f.Method == c.RemoveAll }) {
					return flow.Epochs{}, auth.ErrStale
				}
			}
			return s.Store.ChangeFactors(ctx, c)
		}
	}),
	"a set is replaced in one act": strict(func(f auth.StoredFactor) (string, bool) {
		return f.Account + f.Method.String() + f.Handle, f.Handle != ""
	}),
	"one of many new sets wins": deafFactors(3, auth.ErrStale),
}

// telling changes what State returns.
func telling(tell func(ctx context.Context, s *factorStore, id string, state *auth.AccountState)) func() Factors {
	return brokenFactor(func(s *factorStore) {
		s.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := s.Store.State(ctx, id)
			if err == nil {
				tell(ctx, s, id, &state)
			}
			return state, err
		}
	})
}

var brokenFactorStates = map[string]func() Factors{
	"the state tells of factors": telling(func(_ context.Context, _ *factorStore, _ string, state *auth.AccountState) {
		state.Enrolled = state.Enrolled.And(flow.MethodsOf(flow.Password, flow.TOTP, flow.RecoveryCode, flow.Passkey))
	}),
	"the state tells when the codes are used up": brokenFactor(func(s *factorStore) {
		had := map[string]flow.Methods{}
		s.consume = func(ctx context.Context, account, id, data string) error {
			state, _ := s.Store.State(ctx, account)
			had[account] = state.Enrolled
			return s.Store.ConsumeFactor(ctx, account, id, data)
		}
		s.state = func(ctx context.Context, id string) (auth.AccountState, error) {
			state, err := s.Store.State(ctx, id)
			state.Enrolled |= had[id]
			return state, err
		}
	}),
	"the state tells of verifying passkeys": telling(func(ctx context.Context, s *factorStore, id string, state *auth.AccountState) {
		list, _ := s.Store.Factors(ctx, id)
		state.VerifyingPasskey = slices.ContainsFunc(list, func(f auth.StoredFactor) bool { return f.Verifying })
	}),
	"delete forgets the factors": brokenFactor(func(s *factorStore) {
		orphans := map[string][]auth.StoredFactor{}
		s.remove = func(ctx context.Context, id string) error {
			orphans[id], _ = s.Store.Factors(ctx, id)
			return s.Store.Delete(ctx, id)
		}
		s.list = func(ctx context.Context, account string) ([]auth.StoredFactor, error) {
			list, err := s.Store.Factors(ctx, account)
			return append(orphans[account], list...), err
		}
	}),
	"a recovery forgets lost factors": brokenFactor(func(s *factorStore) {
		s.recover = func(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
			c.ForgetFactors = false
			return s.Store.CompleteRecovery(ctx, c)
		}
	}),
	"factors outlive other changes": brokenFactor(func(s *factorStore) {
		s.recover = func(ctx context.Context, c auth.Completion) (flow.Epochs, error) {
			e, err := s.Store.CompleteRecovery(ctx, c)
			if err != nil {
				return e, err
			}
			return s.Store.ChangeFactors(ctx, auth.FactorChange{Account: c.Account, From: s.now(ctx, c.Account), RemoveAll: flow.TOTP})
		}
	}),
	"a done context changes no factor": brokenFactor(func(s *factorStore) {
		s.rename = func(ctx context.Context, account, id, name string) error {
			_ = s.Store.RenameFactor(context.WithoutCancel(ctx), account, id, name)
			return ctx.Err()
		}
	}),
}
