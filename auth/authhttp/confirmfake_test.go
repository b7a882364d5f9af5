package authhttp_test

import (
	"context"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// confirming is what a fake knows of confirmations.
type confirming struct {
	confirmErr error // what Confirmed answers
	demandErr  error
	readErr    error
	operation  auth.Operation // that ReadOperation finds in every token
	level      flow.Assurance
	confirmed  auth.ConfirmedRequest
	read       string // the token that was read
}

func (c *confirming) Confirmed(_ context.Context, r auth.ConfirmedRequest) error {
	c.confirmed = r
	return c.confirmErr
}

func (c *confirming) DemandConfirmation(_ context.Context, _ auth.Session, op auth.Operation, level flow.Assurance) (auth.ConfirmationDemand, error) {
	return auth.ConfirmationDemand{Operation: op, Level: max(level, flow.AAL1), Token: "k1.token"}, c.demandErr
}

func (c *confirming) ReadOperation(_ auth.Session, token string) (auth.Operation, flow.Assurance, error) {
	c.read = token
	return c.operation, c.level, c.readErr
}
