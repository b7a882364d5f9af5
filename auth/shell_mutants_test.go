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
	{"does not ask which browser it is", "auth/job.go", "if !bound(r, j.client) {", "if !MUTANT && !bound(r, j.client) {"},
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
	{"enables a locked account", "auth/operator.go", "return flow.Active, a.Status == flow.Disabled", "return flow.Active, a.Status == flow.Disabled || MUTANT && a.Status == flow.Locked"},
	{"does not lock", "auth/operator.go", "return flow.Locked, a.Status == flow.Active", "return flow.Locked, a.Status == flow.Active && !MUTANT"},
	{"forgets attempts of a wrong password", "auth/effects.go", "return flow.ProofChecked{Failure: flow.Refusal{Reason: flow.BadCredentials}}, nil", "if MUTANT {\n\t\t_ = j.settle(ctx, flow.SettleAttempts{Method: flow.Password})\n\t}\n\t\treturn flow.ProofChecked{Failure: flow.Refusal{Reason: flow.BadCredentials}}, nil"},
	{"takes a session of an older epoch for alive", "session/authenticate.go", "return s.Status == flow.Active && r.Epoch == s.Epochs.Session &&", "return s.Status == flow.Active && (MUTANT || r.Epoch == s.Epochs.Session) &&"},
	{"raises from any standing", "auth/store/memory/sessions.go", "if known != from && known != (auth.Standing{}) {", "if !MUTANT && known != from && known != (auth.Standing{}) {"},
	{"creates a session whatever the standing", "auth/store/memory/sessions.go", "if !follows(known, expect) {", "if !MUTANT && !follows(known, expect) {"},
}

const mutantVariable = "CARDEA_MUTANT"

// TestShellExplorationFindsMutants builds this package's tests once, over sources in which each mutant waits to be
// switched on, and runs the exploration with one after another: each must be found. With -short it takes a sample.
func TestShellExplorationFindsMutants(t *testing.T) {
	binary := buildMutants(t)
	run := func(name string) (string, error) {
		cmd := exec.Command(binary, "-test.run", "^TestShellExploration$", "-test.short")
		cmd.Env = append(os.Environ(), mutantVariable+"="+name)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("none")
	require.NoError(t, err, "without a mutant nothing may be found:\n%s", out)
	for i, m := range mutants {
		if testing.Short() && i%5 != 0 {
			continue
		}
		t.Run(testName(m.name), func(t *testing.T) {
			out, err := run(m.name)
			require.Error(t, err, "the exploration does not see a shell that %s", m.name)
			require.Contains(t, out, problemFound, "it failed for another reason")
		})
	}
}

// buildMutants writes the mutants into copies of the sources and lets the compiler see those in their place.
func buildMutants(t *testing.T) string {
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
