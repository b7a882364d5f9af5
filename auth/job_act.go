package auth

import (
	"context"

	"github.com/cardea-auth/cardea/auth/flow"
)

// act does the named action with the request's inputs. Which actions there are, the View says.
func (j *job) act(ctx context.Context, name string) error {
	view, err := j.view(ctx)
	if err != nil {
		return err
	}
	if view.Phase == flow.Closed {
		return nil // the View says why, and that one may begin again
	}
	for _, a := range view.Actions {
		if a.Name != name || a.Connection != "" && j.inputs.Connection != "" && a.Connection != j.inputs.Connection {
			continue
		}
		if !j.filled(a) {
			return flow.Deny(flow.Malformed)
		}
		return j.perform(ctx, view.Need, a)
	}
	return flow.Deny(flow.NotOffered)
}

func (j *job) perform(ctx context.Context, need flow.Need, a flow.Action) error {
	e := a.Event(flow.Choices{Keep: j.inputs.Keep, Trust: j.inputs.Trust, EndOthers: j.inputs.EndOthers}, j.inputs.Connection)
	e, err := j.named(e)
	if err != nil {
		return err
	}
	if err := j.drive(ctx, e); err != nil {
		return err
	}
	if need == flow.FreshPassword && !j.inputs.NewPassword.IsZero() {
		return j.followUp(ctx)
	}
	return nil
}

// named completes an event that names an address with the one that was typed.
func (j *job) named(e flow.Event) (flow.Event, error) {
	switch e := e.(type) {
	case flow.Identify:
		id, err := j.s.cfg.Normalize(j.inputs.Identifier)
		if err != nil {
			return nil, err
		}
		j.domain, j.entry = id.Domain, nil
		e.Identifier, e.Typed = id.Value, id.Display
		return e, nil
	case flow.Move:
		id, err := j.s.cfg.Normalize(j.inputs.Identifier)
		e.Identifier, e.Typed = id.Value, id.Display
		return e, err
	}
	return e, nil
}

// followUp uses a new password that came together with the present one, if it is due now.
func (j *job) followUp(ctx context.Context) error {
	view, err := j.view(ctx)
	if err != nil || view.Need != flow.PasswordChange {
		return err
	}
	return j.drive(ctx, flow.NewPassword{EndOthers: j.inputs.EndOthers})
}

// filled reports whether the required inputs of the action are there.
func (j *job) filled(a flow.Action) bool {
	for _, in := range a.Inputs {
		if !in.Required {
			continue
		}
		optionalHere := in.Name == "new_password" && a.Name == flow.Password.String()
		if !j.inputs.have(in.Name) && !optionalHere {
			return false
		}
	}
	return true
}

// have reports whether the named input is there.
func (in Inputs) have(name string) bool {
	switch name {
	case "identifier":
		return in.Identifier != ""
	case "password":
		return !in.Password.IsZero()
	case "new_password":
		return !in.NewPassword.IsZero()
	case "code":
		return !in.Code.IsZero()
	case "credential":
		return !in.Credential.IsZero()
	case "connection":
		return in.Connection != ""
	}
	return false
}
