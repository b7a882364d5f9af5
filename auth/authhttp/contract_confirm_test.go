package authhttp_test

import (
	"net/http"
	"testing"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
)

// tryConfirming sends a step-up that confirms an operation, which comes in the place of a level and an age.
func (d *document) tryConfirming(t *testing.T, p poster, pointer string, whole map[string]any) {
	t.Helper()
	whole = changed(whole, "device_token", nil)
	body := changed(changed(whole, "level", nil), "max_age", nil)
	p.accepts(body).received(t, body)
	d.tryField(t, p, below(pointer, "properties", "operation"), body, "operation")
	p.refuses(changed(whole, "max_age", nil), "an operation with a level")
	p.refuses(changed(whole, "level", nil), "an operation with an age")
}

// driveConfirmations has a handler of the host's ask for a confirmation, and a step-up give it.
func (d *document) driveConfirmations(t *testing.T) {
	f := ada()
	f.confirmErr = flow.Deny(flow.StepUpRequired)
	s := open(t, f, nativeOn)
	never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was let through") })
	guarded := s.h.RequireConfirmed(flow.AAL2, deletes(t), never)
	for _, q := range []request{{target: "/delete", body: "{}", cookies: bothCookie}, native("/delete", "{}", "Bearer "+bearer)} {
		q.method = "POST"
		d.matches(t, "#/components/responses/StepUpRequired", s.serve(guarded, q))
	}
	f.progress = granted(flow.StepUp, false)
	f.progress.View.Operation = "Delete project Alpha"
	f.progress.Confirmation = auth.NewSecret("flow-1.confirmation")
	d.answered(t, "POST", "/flow", s.do(native("/auth/flow", nativeStep, "Bearer "+bearer)))
}
