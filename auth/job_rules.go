package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/cardea-auth/cardea/auth/flow"
)

// policy resolves what the flow must satisfy. The account's own rules are looked up only once something
// was proven, so that before it known and unknown addresses cost the same. A link or a passkey names its account
// itself: the step that takes that one over is taken under its rules, not under those of whom the flow was about.
func (j *job) policy(ctx context.Context) (flow.Policy, error) {
	if j.entry == nil {
		entry, err := j.s.entry(ctx, j.domain)
		if err != nil {
			return flow.Policy{}, err
		}
		if j.client.Native {
			// A provider answers in a browser, and whoever has the person go there must be the one whom the answer
			// reaches: else an app of somebody else's would be signed in by it.
			entry.Methods &^= flow.MethodsOf(flow.Social)
		}
		j.entry = &entry
	}
	p := flow.Policy{Entry: *j.entry, Limits: j.s.cfg.Limits}
	subject := j.flow.Subject
	if j.found != nil {
		subject = *j.found
	}
	nobody := subject.Account == "" && j.account == nil // yet: a link or a passkey is about to say whose it is
	if nobody || subject.Decoy || !j.proving && !j.flow.Proven() {
		return p, nil
	}
	if j.rules == nil {
		rules, err := j.resolveRules(ctx)
		if err != nil {
			return flow.Policy{}, err
		}
		j.rules = &rules
	}
	p.Rules = *j.rules
	return p, nil
}

func (j *job) resolveRules(ctx context.Context) (flow.Rules, error) {
	account, err := j.who(ctx)
	if err != nil {
		return flow.Rules{}, err
	}
	rules, err := j.s.cfg.Rules(ctx, account)
	if err != nil {
		return flow.Rules{}, fmt.Errorf("auth: resolve rules: %w", err)
	}
	return j.s.inForce(rules), j.s.supported(rules)
}

// who returns the account of the flow's subject.
func (j *job) who(ctx context.Context) (Account, error) {
	if j.account != nil {
		return *j.account, nil
	}
	if j.flow.Goal == flow.SignUp {
		return j.prospect(), nil // it is in the directory when the flow is over
	}
	account, err := j.s.cfg.Directory.FindByID(ctx, j.flow.Subject.Account)
	switch nobody := errors.Is(err, ErrNotFound); {
	case nobody && j.flow.Subject.Decoy:
		account = j.prospect()
	case nobody:
		return Account{}, flow.Deny(flow.Stale) // it was deleted meanwhile
	case err != nil:
		return Account{}, fmt.Errorf("auth: find account: %w", err)
	}
	j.account = &account
	return account, nil
}

// prospect is the account that would be if the address that was typed had one.
func (j *job) prospect() Account {
	return Account{
		ID: j.flow.Subject.Account, Identifier: j.flow.Identifier, Display: j.flow.Typed, Language: j.client.Language,
		CreatedAt: j.now.UTC(),
	}
}
