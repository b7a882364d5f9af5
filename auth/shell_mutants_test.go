package auth_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutant is a line of the shell, or of what it stands on, with a mistake in it. The line must be there exactly
// once, so that a change of the code cannot make a mutant vanish.
type mutant struct {
	name     string // what the mistake does
	file     string // under the folder of the module
	old, new string
}

// mutants are the rules of the shell that one line keeps, each without that line. What is kept twice, in the shell
// and in the machine or a store, is left out: without one of the two it still holds.
var mutants = []mutant{
	{"takes any secret for the handle's", "auth/job.go", "case j.s.opens(r, r.Version, secret):", "case MUTANT || j.s.opens(r, r.Version, secret):"},
	{"does not ask which browser it is", "auth/job.go", "if !bound(j.record, j.client) {", "if !MUTANT && !bound(j.record, j.client) {"},
	{"lets a browser's flow go on natively", "auth/handle.go", "if c.Native || c.Browser.IsZero() {", "if MUTANT && c.Native {\n\t\treturn true\n\t}\n\tif c.Native || c.Browser.IsZero() {"},
	{"shows the former handle's view for ever", "auth/job.go", "&& j.now.Sub(r.TouchedAt) < repeatWindow:", "&& (MUTANT || j.now.Sub(r.TouchedAt) < repeatWindow):"},
	{"takes a step with the former handle", "auth/service.go", "if repeated {", "if repeated && !MUTANT {"},
	{"makes one handle for all steps", "auth/handle.go", `sum, ok := s.handles.MAC(r.Key, r.ID, strconv.FormatUint(r.Version, 10))`, "version := r.Version\n\tif MUTANT {\n\t\tversion = 1\n\t}\n\tsum, ok := s.handles.MAC(r.Key, r.ID, strconv.FormatUint(version, 10))"},
	{"does not look again how the account stands", "auth/service.go", "if err := j.resume(ctx); err != nil {", "if MUTANT {\n\t\tj.proving = j.flow.Proven()\n\t} else if err := j.resume(ctx); err != nil {"},
	{"goes on when the acting session has ended", "auth/job.go", `if j.flow.Acting != "" {`, `if j.flow.Acting != "" && !MUTANT {`},
	{"lets another session go on", "auth/job.go", "if session.ID != j.flow.Acting {", "if !MUTANT && session.ID != j.flow.Acting {"},
	{"issues before the flow is closed", "auth/effects.go", "if err := j.claim(ctx, flow.SessionIssued{}); err != nil {", "if err := j.claim(ctx, flow.SessionIssued{}); err != nil && !MUTANT {"},
	{"changes the password before the flow is closed", "auth/commit.go", "if err := j.irrevocably(ctx); err != nil {", "if err := j.irrevocably(ctx); err != nil && !MUTANT {"},
	{"leaves the former session of the browser", "auth/effects.go", "if j.flow.Goal != flow.SignIn || j.client.Session.IsZero() {", "if MUTANT || j.flow.Goal != flow.SignIn || j.client.Session.IsZero() {"},
	{"takes a session of the other transport", "auth/client.go", "if !c.owns(c.Session, NativeSessionMark) {", "if !MUTANT && !c.owns(c.Session, NativeSessionMark) {"},
	{"does not count attempts", "auth/throttle.go", "taken, err := j.s.cfg.Counters.Take(ctx, j.attemptBuckets(m), j.now)", "if MUTANT {\n\t\treturn flow.AttemptTaken{}, nil\n\t}\n\ttaken, err := j.s.cfg.Counters.Take(ctx, j.attemptBuckets(m), j.now)"},
	{"puts every attempt into a lane of its own", "auth/throttle.go", "return unknownKey(m, j.flow.Subject.Account)", "if MUTANT {\n\t\treturn j.record.ID\n\t}\n\treturn unknownKey(m, j.flow.Subject.Account)"},
	{"takes any password for right", "auth/effects.go", "if !match || subject.Decoy ||", "if !match && !MUTANT || subject.Decoy ||"},
	{"ends the acting session with the others", "auth/commit.go", "was, is, err := s.raise(ctx, id, keep, end)", "if MUTANT {\n\t\tkeep = \"\"\n\t}\n\twas, is, err := s.raise(ctx, id, keep, end)"},
	{"leaves the other sessions after a change of password", "auth/commit.go", "next := Standing{Status: subject.Status, Epochs: raised(subject.Epochs, e.EndOthers)}", "e.EndOthers = e.EndOthers && !MUTANT\n\tnext := Standing{Status: subject.Status, Epochs: raised(subject.Epochs, e.EndOthers)}"},
	{"closes an account behind the sessions' back", "auth/commit.go", "if to != flow.Active {", "if to != flow.Active && !MUTANT {"},
	{"marks a password without a fence", "auth/operator.go", "next := Standing{Status: state.Status, Epochs: raised(state.Epochs, false)}", "next := Standing{Status: state.Status, Epochs: raised(state.Epochs, false)}\n\t\tif MUTANT {\n\t\t\t_, err = s.cfg.PasswordStore.MarkCompromised(ctx, id, s.now())\n\t\t\treturn err\n\t\t}"},
	{"issues as the account stands now", "auth/effects.go", "issued, err := j.s.cfg.Sessions.Issue(", "if now, err := j.s.cfg.Accounts.State(ctx, e.Account); MUTANT && err == nil {\n\t\te.Epochs = now.Epochs\n\t}\n\tissued, err := j.s.cfg.Sessions.Issue("},
	{"writes what was refused", "auth/job.go", "j.flow = waiting\n\tp, fault", "if MUTANT {\n\t\tj.saved = false\n\t\t_ = j.save(ctx)\n\t}\n\tj.flow = waiting\n\tp, fault"},
	{"makes decoys with the current key", "auth/effects.go", "sum, _ := s.decoys.MAC(s.decoys.oldest, identifier)", "key := s.decoys.oldest\n\tif MUTANT {\n\t\tkey = s.decoys.current\n\t}\n\tsum, _ := s.decoys.MAC(key, identifier)"},
	{"forgets that a reset is due", "auth/operator.go", "if a.ResetDue {", "if a.ResetDue && !MUTANT {"},
	{"does not lock", "auth/operator.go", "return flow.Locked, a.Status == flow.Active", "return flow.Locked, a.Status == flow.Active && !MUTANT"},
	{"forgets attempts of a wrong password", "auth/effects.go", "return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.BadCredentials}}, nil", "if MUTANT {\n\t\t_ = j.settle(ctx, flow.SettleAttempts{Method: flow.Password})\n\t}\n\t\treturn flow.ProofChecked{Failure: flow.Refusal{Reason: flow.BadCredentials}}, nil"},
	{"takes a session of an older epoch for alive", "session/authenticate.go", "return s.Status == flow.Active && r.Epoch == s.Epochs.Session &&", "return s.Status == flow.Active && (MUTANT || r.Epoch == s.Epochs.Session) &&"},
	{"raises from any standing", "auth/store/memory/sessions.go", "if known != from && known != (auth.Standing{}) {", "if !MUTANT && known != from && known != (auth.Standing{}) {"},
	{"creates a session whatever the standing", "auth/store/memory/sessions.go", "if !follows(known, expect) {", "if !MUTANT && !follows(known, expect) {"},
	{"takes a link of another purpose", "auth/mailbox.go", "if ticket.Purpose != linkPurposes[j.flow.Goal] ||", "if !MUTANT && ticket.Purpose != linkPurposes[j.flow.Goal] ||"},
	{"takes any secret for the link's", "auth/mailbox.go", "!j.s.cfg.Secrets.Opens(j.inputs.Code, ticket) {", "!MUTANT && !j.s.cfg.Secrets.Opens(j.inputs.Code, ticket) {"},
	{"takes a link although the account has changed", "auth/mailbox.go", "ticket.Purpose != ForUndo && ticket.Security != state.Epochs.Security {", "!MUTANT && ticket.Purpose != ForUndo && ticket.Security != state.Epochs.Security {"},
	{"takes any code", "auth/mailbox.go", "if !matches || j.flow.Subject.Decoy {", "if !matches && !MUTANT || j.flow.Subject.Decoy {"},
	{"takes a code that was replaced", "auth/mailbox.go", "return SecretRef{Purpose: codePurposes[j.flow.Goal],", "if MUTANT {\n\t\tat = j.flow.Begun\n\t}\n\treturn SecretRef{Purpose: codePurposes[j.flow.Goal],"},
	{"mails a code to an address that is taken", "auth/mailbox.go", "subject := flow.Subject{Account: id, Decoy: !h.free()}", "subject := flow.Subject{Account: id, Decoy: !h.free() && !MUTANT}"},
	{"mails a code to a new address that is taken", "auth/mailbox.go", "if h.free() {\n\t\tl, err", "if MUTANT || h.free() {\n\t\tl, err"},
	{"mails a reset to a closed account", "auth/mailbox.go", "case subject.Decoy, subject.Status == flow.Disabled,", "case subject.Decoy, !MUTANT && subject.Status == flow.Disabled,"},
	{"mails a reset where an invitation is due", "auth/mailbox.go", "if subject.Status == flow.Invited {\n\t\tpurpose", "if !MUTANT && subject.Status == flow.Invited {\n\t\tpurpose"},
	{"does not count mails", "auth/mailbox.go", "if !taken.OK {", "if MUTANT {\n\t\ttaken.OK = true\n\t}\n\tif !taken.OK {"},
	{"counts mails by the flow", "auth/mailbox.go", "key = \"mail-asked|\" + j.flow.Goal.String() + \"|\" + j.s.decoyID(j.flow.Identifier)", "key = \"mail-asked|\" + j.flow.Goal.String() + \"|\" + j.s.decoyID(j.flow.Identifier)\n\t\tif MUTANT {\n\t\t\tkey += j.record.ID\n\t\t}"},
	{"tells strangers who has an account", "auth/mailbox.go", "case subject.Decoy && j.s.cfg.WriteToStrangers:", "case MUTANT && subject.Decoy:\n\t\treturn Letter{}, flow.Deny(flow.NotFound)\n\tcase subject.Decoy && j.s.cfg.WriteToStrangers:"},
	{"looks for strangers' accounts a second time", "auth/mailbox.go", "if err != nil && !errors.Is(err, ErrNotFound) {\n\t\treturn holding{}", "if MUTANT && err == nil {\n\t\t_, _ = j.s.cfg.Accounts.State(ctx, account.ID)\n\t}\n\tif err != nil && !errors.Is(err, ErrNotFound) {\n\t\treturn holding{}"},
	{"mails a link without keeping its ticket", "auth/post.go", "if ticket != nil {", "if ticket != nil && !MUTANT {"},
	{"ends no sessions with a reset", "auth/commit_mail.go", "EndSessions: e.EndOthers,", "EndSessions: e.EndOthers && !MUTANT,"},
	{"lets a replaced link end sessions", "auth/commit_mail.go", "make the one in its place void.\n\tif _, err := j.s.cfg.Tickets.FindTicket(ctx, j.shown(), j.now); err != nil {", "make the one in its place void.\n\tif _, err := j.s.cfg.Tickets.FindTicket(ctx, j.shown(), j.now); err != nil && !MUTANT {"},
	{"keeps lanes shut after a reset", "auth/commit_mail.go", "if err := j.s.forgetAttempts(ctx, j.flow.Subject.Account); err != nil {", "if MUTANT {\n\t\treturn\n\t}\n\tif err := j.s.forgetAttempts(ctx, j.flow.Subject.Account); err != nil {"},
	{"changes the address for a session that has ended", "auth/commit_mail.go", "if err := j.s.fence(ctx, account.ID, from, next, j.flow.Acting); err != nil {", "if err := j.s.fence(ctx, account.ID, from, next, j.flow.Acting); err != nil && !MUTANT {"},
	{"undoes a change of address into the new one", "auth/commit_mail.go", "undo.Old, undo.OldDisplay, undo.New = account.Identifier,", "if MUTANT {\n\t\taccount.Identifier = candidate.Identifier\n\t}\n\tundo.Old, undo.OldDisplay, undo.New = account.Identifier,"},
	{"tells nobody that a change was undone", "auth/commit_mail.go", "use.Letters = []Letter{l}", "if use.Letters = []Letter{l}; MUTANT {\n\t\tuse.Letters = nil\n\t}"},
	{"proves a new address with the code of another one", "auth/flow/step.go", "if e.Identifier != r.f.Candidate.Identifier {", "if !MUTANT && e.Identifier != r.f.Candidate.Identifier {"},
	{"invites who is active", "auth/invite.go", "\t\treturn a.Status == flow.Invited", "\t\treturn MUTANT || a.Status == flow.Invited"},
	{"withdraws what is no invitation", "auth/invite.go", "return flow.Disabled, waits", "return flow.Disabled, waits || MUTANT"},
	{"gives away an address that is being left", "auth/operator.go", "if err == nil {\n\t\treturn there, nil", "if err == nil && MUTANT {\n\t\terr = ErrNotFound\n\t}\n\tif err == nil {\n\t\treturn there, nil"},
	{"keeps an expired link", "auth/store/memory/tickets.go", "if !ok || !t.ExpiresAt.After(now) {", "if !ok || !MUTANT && !t.ExpiresAt.After(now) {"},
	{"keeps the link that a new one replaces", "auth/store/memory/tickets.go", "return other.Purpose == t.Purpose && mortal(other)", "return !MUTANT && other.Purpose == t.Purpose && mortal(other)"},
	{"reserves nothing", "auth/store/memory/tickets.go", "return t.byID[id].ExpiresAt.After(now) }), nil", "return !MUTANT && t.byID[id].ExpiresAt.After(now) }), nil"},
	{"does not lock what was taken back", "auth/store/memory/tickets.go", "if k.standing.Status == flow.Active {", "if k.standing.Status == flow.Active && !MUTANT {"},
	{"undoes twice", "auth/store/memory/tickets.go", "return mortal(t) || !slices.Contains(before, t.ID)", "return mortal(t) || !MUTANT && !slices.Contains(before, t.ID)"},
}

const mutantVariable = "CARDEA_MUTANT"

// TestShellExplorationFindsMutants builds this package's tests once, over sources in which each mutant waits to be
// switched on, and runs the exploration with one after another: each must be found. With -short it takes a sample.
func TestShellExplorationFindsMutants(t *testing.T) {
	binary := buildMutants(t, slices.Concat(mutants, factorMutants))
	t.Run("passwords and mail", func(t *testing.T) { findMutants(t, binary, "^TestShellExploration$", mutants) })
	t.Run("second factors", func(t *testing.T) { findMutants(t, binary, "^TestShellFactorExploration$", factorMutants) })
}

func findMutants(t *testing.T, binary, exploration string, mutants []mutant) {
	run := func(name string, flags ...string) (string, error) {
		cmd := exec.Command(binary, append(flags, "-test.run", exploration)...)
		cmd.Env = append(os.Environ(), mutantVariable+"="+name)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("none", "-test.short")
	require.NoError(t, err, "without a mutant nothing may be found:\n%s", out)
	for i, m := range mutants {
		if testing.Short() && i%5 != 0 {
			continue
		}
		t.Run(testName(m.name), func(t *testing.T) {
			out, err := run(m.name, "-test.short")
			if err == nil {
				out, err = run(m.name) // a sample may pass by it, and the whole must not
			}
			require.Error(t, err, "the exploration does not see a shell that %s", m.name)
			require.Contains(t, out, problemFound, "it failed for another reason")
		})
	}
}

// buildMutants writes the mutants into copies of the sources and lets the compiler see those in their place.
func buildMutants(t *testing.T, mutants []mutant) string {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	folder := t.TempDir()
	sources, replace := map[string]string{}, map[string]string{}
	for _, m := range mutants {
		text, ok := sources[m.file]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
			require.NoError(t, err)
			text = string(raw)
		}
		require.Equal(t, 1, strings.Count(text, m.old), "%s: %s must have this line once: %s", m.name, m.file, m.old)
		sources[m.file] = strings.Replace(text, m.old, strings.ReplaceAll(m.new, "MUTANT", fmt.Sprintf("(mutant == %q)", m.name)), 1)
	}
	put := func(file, text string) {
		path := filepath.Join(folder, strings.ReplaceAll(file, "/", "-"))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		replace[filepath.Join(root, filepath.FromSlash(file))] = path
	}
	var packages []string
	for file, text := range sources {
		put(file, text)
		if dir := filepath.ToSlash(filepath.Dir(file)); !slices.Contains(packages, dir) {
			packages = append(packages, dir)
			put(dir+"/mutant.go", fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar mutant = os.Getenv(%q)\n", filepath.Base(dir), mutantVariable))
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	path, binary := filepath.Join(folder, "overlay.json"), filepath.Join(folder, "explore.test.exe")
	require.NoError(t, os.WriteFile(path, overlay, 0o600))
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", path, "-o", binary, ".")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}
