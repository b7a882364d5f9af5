package auth

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Two things must not come of the list of what happened. It must tell no stranger who has an account: what is
// recorded before a proof is recorded of decoys as well, under the decoy's id and with the same calls, for an act of
// a store that only accounts cost could be measured. And no stranger must fill it: alike attempts of one network are
// one entry a day, an account has few such entries, and those of decoys are kept for a day only. How many there can
// be in all is bounded like the counters of attempts: each comes of an attempt or a mail that a counter let pass.

const (
	// keptActivity is how long entries are kept unless the configuration says otherwise: long enough to look back
	// from a notice that was read late, and no longer, since they tell where people were.
	keptActivity = 90 * 24 * time.Hour
	// decoyActivity is how long those of decoys are kept, which nobody ever reads: as long as they can take in
	// others, so that they cost what those of accounts do.
	decoyActivity = 24 * time.Hour
	// recording is how long a store may take to record an entry. It is the owner's convenience, and nobody should
	// wait for it long.
	recording = 2 * time.Second
)

// keptOf is how many entries an account has of each class.
var keptOf = [...]int{ActivityAttempt: 20, ActivityUse: 50, ActivityChange: 50}

// occasion is what an AuditEvent does not say and an entry of it has.
type occasion struct {
	subject  string // the account, or the decoy in its place; empty for none
	decoy    bool
	stranger bool         // nothing was proven yet, by the flow or by a session
	methods  flow.Methods // that were proven
	network  netip.Prefix
	agent    string
}

// occasion is that of an event of the flow.
func (j *job) occasion() occasion {
	f := j.flow
	o := occasion{
		subject: f.Subject.Account, decoy: f.Subject.Decoy, stranger: f.Acting == "" && !f.Proven(), agent: cleanAgent(j.client.UserAgent),
	}
	for _, p := range f.Proofs {
		o.methods = o.methods.With(p.Method)
	}
	if a := j.client.Address.Unmap().WithZone(""); a.IsValid() {
		o.network, _ = a.Prefix(networkBits(a))
	}
	return o
}

// decidedBy records what the owner of the session decided. The entry that the owner sees of it tells of the client
// that the session was made for.
func (s *Service) decidedBy(ctx context.Context, acting Session, e AuditEvent) {
	s.decidedOn(ctx, e, occasion{subject: acting.Account, network: acting.Prefix, agent: acting.UserAgent})
}

// ownersHearOf says which events become entries, whatever led to them. All others stay in the audit: they are steps on the
// way, matters of mail, or nothing that a person could make sense of. What tell adds depends on more than the name.
var ownersHearOf = map[string]struct {
	what  ActivityWhat
	class ActivityClass
}{
	"notice-password-changed":   {ActivityPasswordChanged, ActivityChange},
	"notice-address-changed":    {ActivityAddressChanged, ActivityChange},
	"notice-address-undone":     {ActivityAddressUndone, ActivityChange},
	"notice-factor-added":       {ActivityFactorAdded, ActivityChange},
	"notice-factor-removed":     {ActivityFactorRemoved, ActivityChange},
	"notice-identity-linked":    {ActivityIdentityLinked, ActivityChange},
	"notice-identity-unlinked":  {ActivityIdentityUnlinked, ActivityChange},
	"notice-recovery-code-used": {ActivityRecoveryCodeUsed, ActivityChange}, // each can be used once
	"notice-locked-out":         {ActivityAccountLocked, ActivityChange},
	"notice-reopened":           {ActivityAccountUnlocked, ActivityChange},
	"account-created":           {ActivityAccountCreated, ActivityChange},
	"account-unlocked":          {ActivityAccountUnlocked, ActivityChange},
	"account-disabled":          {ActivityAccountDisabled, ActivityChange},
	"account-enabled":           {ActivityAccountEnabled, ActivityChange},
	"account-changed":           {ActivityAccountChanged, ActivityChange},
	"factors-reset":             {ActivityFactorsReset, ActivityChange},
	"password-compromised":      {ActivityPasswordCompromise, ActivityChange},
	"reset-sent":                {ActivityResetSent, ActivityChange},
	"device-trusted":            {ActivityDeviceTrusted, ActivityUse},
	"device-removed":            {ActivityDeviceRemoved, ActivityUse},
	"devices-removed":           {ActivityDevicesRemoved, ActivityUse},
	"session-ended":             {ActivitySessionEnded, ActivityUse},
	"sessions-ended":            {ActivitySessionsEnded, ActivityUse},
}

// tellingProofs are the methods whose refusal says something: somebody tried. A mailed link that is bad is mostly an
// old one, and whoever asks an approver in vain asks again.
var tellingProofs = flow.MethodsOf(flow.Password, flow.MailCode, flow.TOTP, flow.RecoveryCode, flow.Passkey, flow.HostFactor, flow.Social, flow.SSO)

// namesItself are the proofs that say whose they are. A stranger's is no matter of whose address was typed: it costs no
// attempt, so anybody could fill anybody's list with it.
var namesItself = flow.MethodsOf(flow.Passkey, flow.Social, flow.SSO)

// tell returns the entry of an event, still without its times; ok is false for one of which owners are not told.
func (o occasion) tell(e AuditEvent) (a Activity, ok bool) {
	if t, listed := ownersHearOf[e.What]; listed {
		a.What, a.Class = t.what, t.class
	}
	var m flow.Method
	_ = m.UnmarshalText([]byte(e.Method)) // empty, or of the machine's own
	if m != 0 {
		a.Methods = flow.MethodsOf(m)
	}
	merges := true
	switch e.What {
	case flow.SessionGranted.String():
		a.What, a.Class, a.Methods = o.signedIn(e)
	case flow.ProofFailed.String():
		if tellingProofs.Has(m) && e.Goal != flow.SignUp.String() { // at sign-up there is nobody to tell
			a.What, a.Class = o.failed(e)
		}
	case flow.ChallengeSent.String():
		if e.Goal == flow.Recovery.String() {
			a.What, a.Class, a.Methods = ActivityResetAsked, ActivityAttempt, 0
		}
	case flow.ChangeMade.String():
		merges = false
		a.What, a.Class = begun(e.Goal)
	default:
		merges = false
	}
	if a.What == ActivityPasswordChanged && e.Goal == flow.Recovery.String() {
		a.What = ActivityPasswordReset
	}
	a.Account, a.Network, a.UserAgent = o.subject, o.network, o.agent
	if o.stranger && e.What == flow.ProofFailed.String() && namesItself.Has(m) {
		a.Account = e.Account
	}
	if merges {
		a.Merge = a.alike()
	}
	return a, a.Class != 0 && a.Account != ""
}

// signedIn tells of new sessions. One that replaces another is no news.
func (o occasion) signedIn(e AuditEvent) (ActivityWhat, ActivityClass, flow.Methods) {
	switch {
	case e.Goal != flow.SignIn.String():
		return "", 0, 0
	case e.Known:
		return ActivitySignedIn, ActivityUse, o.methods
	}
	return ActivityNewDevice, ActivityUse, o.methods
}

// failed tells strangers from whoever came further: they know the password, or sit at a session.
func (o occasion) failed(e AuditEvent) (ActivityWhat, ActivityClass) {
	switch {
	case o.stranger:
		return ActivityAttemptFailed, ActivityAttempt
	case e.Goal == flow.SignIn.String() || e.Goal == flow.Recovery.String():
		return ActivitySecondStepFailed, ActivityUse
	}
	return ActivityAttemptFailed, ActivityUse
}

// begun tells of the changes that make an account usable; of the others there are notices.
func begun(goal string) (ActivityWhat, ActivityClass) {
	switch goal {
	case flow.SignUp.String():
		return ActivityAccountCreated, ActivityChange
	case flow.Activation.String():
		return ActivityAccountActivated, ActivityChange
	}
	return "", 0
}

// alike is the same for events that their owner would call the same thing again. The User-Agent does not count
// for attempts, since whoever makes them chooses it anew for each; elsewhere its summary does, which has few values.
func (a Activity) alike() string {
	parts := []string{string(a.What), a.Methods.String(), ""}
	if a.Network.IsValid() {
		parts[2] = a.Network.String()
	}
	if a.Class != ActivityAttempt {
		device := DescribeAgent(a.UserAgent)
		parts = append(parts, device.Browser, device.System)
	}
	return strings.Join(parts, "|")
}

// note has an event recorded for the account's owner, also when ctx is done. A store that fails or hangs is logged
// and changes nothing.
func (s *Service) note(ctx context.Context, e AuditEvent, o occasion) {
	if s.cfg.Activity == nil {
		return
	}
	a, ok := o.tell(e)
	if !ok {
		return
	}
	kept := s.cfg.KeepActivity
	if o.decoy {
		kept = decoyActivity
	}
	if a.Merge != "" {
		a.Merge += "|" + e.Time.Format(time.DateOnly)
	}
	a.Count, a.FirstAt, a.At, a.ExpiresAt = 1, e.Time, e.Time, e.Time.Add(kept)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), recording)
	defer stop()
	if err := s.cfg.Activity.RecordActivity(ctx, a, keptOf[a.Class]); err != nil {
		s.fault(ctx, "record activity", err)
	}
}
