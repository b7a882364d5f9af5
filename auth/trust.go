package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Trust hangs on the session epoch of the account, which is read together with the rest of its standing and
// never from the trust's own store: whatever ends all sessions ends all trust, in the same act, though no row
// of it is touched. What is written here comes after the change that allows it, so a crash in between leaves
// less trust than there could be, never more.

// recognise tells what the client's device is to the subject. Decoys cost the same, and nothing comes of it. A
// store that fails is a fault: to go on as if there were no trust would mail a code to who is spared it, and to
// go on with it would spare it to who is not.
func (j *job) recognise(ctx context.Context, subject flow.Subject) (known bool, trusted flow.Assurance, err error) {
	known = j.s.cfg.Devices.Known(j.client.Device, subject.Account, j.now)
	if j.s.cfg.TrustedDevices != nil {
		trusted, err = j.s.cfg.TrustedDevices.Trusted(ctx, j.client.Device, subject.Account, subject.Epochs.Session, j.now)
		if err != nil {
			return false, 0, fmt.Errorf("auth: look for trust: %w", err)
		}
	}
	if subject.Decoy {
		return false, 0, nil
	}
	if !known {
		trusted = 0 // the port says so too; trust must never outrun what it is built on
	}
	return known, trusted, nil
}

// trust makes the device that just signed in a trusted one, if its owner chose so, or records the use of one that
// is trusted. The session stands whatever comes of it.
func (j *job) trust(ctx context.Context, e flow.IssueSession) {
	devices := j.s.cfg.TrustedDevices
	if devices == nil || j.flow.Goal != flow.SignIn {
		return
	}
	if !e.Trust {
		trusted := func(p flow.Proof) bool { return p.Method == flow.TrustedDevice }
		if !slices.ContainsFunc(e.Proofs, trusted) {
			return
		}
		if err := devices.Used(ctx, j.device, e.Account, e.Epochs.Session, j.now); err != nil {
			j.s.fault(ctx, "record use of trusted device", err)
		}
		return
	}
	_, err := devices.Trust(ctx, j.device, TrustRequest{
		Account: e.Account, Epoch: e.Epochs.Session, Assurance: e.Assurance, UserAgent: j.client.UserAgent,
	}, j.now)
	switch {
	case err == nil:
		j.audit(ctx, "device-trusted", 0, 0)
	case !errors.Is(err, ErrStale): // all sessions ended in this moment, and this one's trust with them
		j.s.fault(ctx, "trust device", err)
	}
}

// restamp moves the trust in one device on to the epoch that ended all others. It moves from the epoch that was
// seen to the one that was made of it, so that of two who end the others at once only the later one's is left. If
// it fails, the device is not trusted any more.
func (s *Service) restamp(ctx context.Context, device Secret, account string, from, to uint64) {
	if s.cfg.TrustedDevices == nil || from == to {
		return
	}
	err := s.cfg.TrustedDevices.Restamp(ctx, device, account, from, to, s.now())
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.fault(ctx, "restamp trusted device", err)
	}
}

// TrustedDevices lists the devices that the acting session's account trusts now, the last used first, the
// client's own marked. It is empty where no trust is offered.
func (s *Service) TrustedDevices(ctx context.Context, acting Session, c Client) ([]TrustedDevice, error) {
	if s.cfg.TrustedDevices == nil {
		return nil, nil
	}
	state, err := s.cfg.Accounts.State(ctx, acting.Account)
	if errors.Is(err, ErrNotFound) {
		return nil, flow.Deny(flow.SessionRequired) // it was deleted in this moment
	}
	if err != nil {
		return nil, fmt.Errorf("auth: read account: %w", err)
	}
	return s.cfg.TrustedDevices.List(ctx, c.own().Device, acting.Account, state.Epochs.Session, s.now())
}

// RenameTrustedDevice gives a trusted device of the acting session's account another name, of at most 64 code
// points; an empty one takes its name away. Another account's device is a *DeniedError (NotFound), a name that
// is too long one with Malformed.
func (s *Service) RenameTrustedDevice(ctx context.Context, acting Session, id, name string) error {
	return s.changeTrusted(ctx, acting, "device-renamed", func(devices TrustedDevices) error {
		return devices.Rename(ctx, acting.Account, id, name)
	})
}

// RemoveTrustedDevice ends the trust in a device of the acting session's account, also for a sign-in that is
// under way; its sessions stay. Another account's device is a *DeniedError (NotFound).
func (s *Service) RemoveTrustedDevice(ctx context.Context, acting Session, id string) error {
	return s.changeTrusted(ctx, acting, "device-removed", func(devices TrustedDevices) error {
		return devices.Remove(ctx, acting.Account, id)
	})
}

// RemoveTrustedDevices ends the trust in all devices of the acting session's account.
func (s *Service) RemoveTrustedDevices(ctx context.Context, acting Session) error {
	return s.changeTrusted(ctx, acting, "devices-removed", func(devices TrustedDevices) error {
		return devices.RemoveAll(ctx, acting.Account)
	})
}

func (s *Service) changeTrusted(ctx context.Context, acting Session, what string, change func(TrustedDevices) error) error {
	if s.cfg.TrustedDevices == nil {
		return flow.Deny(flow.NotFound)
	}
	err := change(s.cfg.TrustedDevices)
	if errors.Is(err, ErrNotFound) {
		return flow.Deny(flow.NotFound)
	}
	if err == nil {
		s.decidedBy(ctx, acting, AuditEvent{What: what, Account: acting.Account, Session: acting.ID})
	}
	return err
}
