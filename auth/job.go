package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// job is one request: it loads a flow, drives the machine until it waits for the person, and saves the flow.
// Nothing of it outlives the request.
type job struct {
	s      *Service
	now    time.Time
	client Client
	inputs Inputs

	prefix  string // that the client is counted under; see prefixKey
	record  FlowRecord
	opened  uint64 // the version that the request found
	before  uint64 // the one whose handle led to it; zero for none
	domain  string
	flow    flow.Flow
	saved   bool          // the present facts are in the store
	proving bool          // something was proven in this request
	account *Account      // of the flow's subject, once it was looked up
	found   *flow.Subject // that the next step of the machine takes over
	entry   *flow.Entry
	rules   *flow.Rules
	issued  *IssuedSession
	device  Secret
	letters []Letter      // to be queued once the flow is saved
	pending pendingFactor // waits in the flow to be confirmed

	trip     *trip     // at a provider, open in the flow
	left     time.Time // for the provider that vouched last
	departed bool      // the person is to leave with this answer
	answer   *answer   // that the provider gave
	stranger *Link     // whom it named, connected with nobody

	ceremony []byte // of a passkey, open in the flow
	options  []byte // of the one that just began
	detail   string // why a passkey was refused or which provider it was, for the records
	suspect  string // and whose it was

	codes  []Secret      // recovery codes that were just made
	ticket *Ticket       // to be kept with them
	asked  bool          // the person waits for one of them
	told   []flow.Notice // those whose letters were queued with the change itself
}

// stored is what a FlowRecord's Data holds.
type stored struct {
	Flow    flow.Flow     `json:"flow"`
	Domain  string        `json:"domain,omitempty"`
	Before  uint64        `json:"before,omitempty"` // see job
	Pending pendingFactor `json:"pending,omitzero"`

	Ceremony []byte    `json:"ceremony,omitempty"`
	Trip     *trip     `json:"trip,omitempty"`
	Left     time.Time `json:"left,omitzero"`
}

// create prepares a record; it is written when the first step is done.
func (j *job) create() error {
	id, err := randomID(j.s.random)
	if err != nil {
		return err
	}
	j.record = FlowRecord{ID: id, Key: j.s.handles.Current()}
	if !j.client.Native {
		j.record.Browser = sha256.Sum256([]byte(j.client.Browser.Reveal()))
	}
	return nil
}

// load reads the flow for the browser that it is bound to.
func (j *job) load(ctx context.Context, id string) error {
	if err := j.loadAnyones(ctx, id); err != nil {
		return err
	}
	if !bound(j.record, j.client) {
		return flow.Deny(flow.Expired) // to everyone else the flow does not exist
	}
	return nil
}

// loadAnyones reads the flow whosever it is: for what comes without the browser that it is bound to, and brings a
// secret of the flow instead.
func (j *job) loadAnyones(ctx context.Context, id string) error {
	r, err := j.s.cfg.Flows.LoadFlow(ctx, id, j.now)
	if errors.Is(err, ErrNotFound) {
		return flow.Deny(flow.Expired)
	}
	if err != nil {
		return fmt.Errorf("auth: load flow: %w", err)
	}
	var data stored
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return fmt.Errorf("auth: decode flow: %w", err)
	}
	j.record, j.opened, j.before, j.flow, j.domain, j.saved = r, r.Version, data.Before, data.Flow, data.Domain, true
	j.pending, j.ceremony, j.trip, j.left = data.Pending, data.Ceremony, data.Trip, data.Left
	return nil
}

// open loads the flow that a handle names. A handle that is one step old is a repeat, for a short while.
func (j *job) open(ctx context.Context, handle Secret) (repeated bool, err error) {
	id, secret, ok := splitHandle(handle)
	if !ok {
		return false, flow.Deny(flow.Stale)
	}
	if err := j.load(ctx, id); err != nil {
		return false, err
	}
	if j.flow.Acting != "" {
		if err := j.stillActing(ctx); err != nil {
			return false, err
		}
	}
	switch r := j.record; {
	case j.s.opens(r, r.Version, secret):
		return false, nil
	case j.before != 0 && j.s.opens(r, j.before, secret) && j.now.Sub(r.TouchedAt) < repeatWindow:
		return true, nil
	}
	return false, flow.Deny(flow.Stale)
}

// stillActing makes sure that the session which began the flow is alive and is the one that goes on: a
// flow holds its session's proofs, and they must not outlive it or change hands.
func (j *job) stillActing(ctx context.Context) error {
	if j.flow.Outcome != flow.Open {
		return nil // its session was replaced when the goal was reached; a second look is harmless
	}
	session, err := j.s.Authenticate(ctx, j.client.Session)
	if err != nil {
		return err
	}
	if session.ID != j.flow.Acting {
		return flow.Deny(flow.SessionRequired)
	}
	return nil
}

// acting returns the session that begins the flow, with its account as it stands.
func (j *job) acting(ctx context.Context) (flow.Acting, error) {
	session, err := j.s.Authenticate(ctx, j.client.Session)
	if err != nil {
		return flow.Acting{}, err
	}
	account, err := j.s.cfg.Directory.FindByID(ctx, session.Account)
	if errors.Is(err, ErrNotFound) {
		return flow.Acting{}, flow.Deny(flow.SessionRequired)
	}
	if err != nil {
		return flow.Acting{}, fmt.Errorf("auth: find account: %w", err)
	}
	subject, err := j.present(ctx, account.ID)
	if err != nil {
		return flow.Acting{}, err
	}
	known, trusted, err := j.recognise(ctx, subject)
	if err != nil {
		return flow.Acting{}, err
	}
	j.account, j.proving = &account, true
	return flow.Acting{
		Session: session.ID, Typed: account.Display, Subject: subject, Proofs: session.Proofs, Known: known, Trusted: trusted,
	}, nil
}

// present reads how the account of a session stands, and whether a provider can tell that its owner is there.
func (j *job) present(ctx context.Context, id string) (flow.Subject, error) {
	s, err := j.subject(ctx, id, false)
	if err != nil {
		return s, err
	}
	return j.reauthenticates(ctx, s)
}

// subject reads how the account stands. A decoy costs the same read, and finds nothing.
func (j *job) subject(ctx context.Context, id string, decoy bool) (flow.Subject, error) {
	state, err := j.s.cfg.Accounts.State(ctx, id)
	if errors.Is(err, ErrNotFound) {
		// An account of the directory that was never opened here stands as invited: nothing signs it in.
		return flow.Subject{Account: id, Decoy: decoy}, nil
	}
	if err != nil {
		return flow.Subject{}, fmt.Errorf("auth: read account: %w", err)
	}
	if decoy {
		return flow.Subject{}, errors.New("auth: a decoy's id is in use")
	}
	return flow.Subject{
		Account: id, Status: state.Status, Epochs: state.Epochs, Enrolled: state.Enrolled,
		VerifyingPasskey: state.VerifyingPasskey, Compromised: state.Compromised,
	}, nil
}

// resume tells the machine how the subject stands now.
func (j *job) resume(ctx context.Context) error {
	old := j.flow.Subject
	if old.Account == "" || j.flow.Outcome != flow.Open {
		return nil
	}
	now, err := j.subject(ctx, old.Account, old.Decoy)
	if err == nil && j.flow.Acting != "" {
		now, err = j.reauthenticates(ctx, now)
	}
	if err != nil {
		return err
	}
	known, trusted, err := j.recognise(ctx, now)
	if err != nil {
		return err
	}
	return j.drive(ctx, flow.Resume{Subject: now, Known: known, Trusted: trusted})
}

// step does the named action and saves what came of it. What was refused has not happened: the Progress
// beside the refusal shows the flow as it was.
func (j *job) step(ctx context.Context, action string) (Progress, error) {
	waiting := j.flow
	err := j.act(ctx, action)
	if err == nil {
		return j.finish(ctx)
	}
	var denied *DeniedError
	if !errors.As(err, &denied) {
		return Progress{}, err
	}
	j.flow = waiting
	p, fault := j.progress(ctx)
	if fault != nil {
		return Progress{}, fault
	}
	return p, denied
}

// secondLook shows the flow without doing anything.
func (j *job) secondLook(ctx context.Context) (Progress, error) {
	p, err := j.progress(ctx)
	p.Repeated = true
	return p, err
}

// drive gives the machine an event, carries out the effects and gives it their results, until it waits
// for the person. An error means that nothing is to be saved.
func (j *job) drive(ctx context.Context, e flow.Event) error {
	for e != nil {
		j.earn(e)
		p, err := j.policy(ctx)
		if err != nil {
			return err
		}
		next, effects, err := flow.Step(p, j.flow, e, j.now)
		if err != nil {
			return err
		}
		j.found = nil
		_, issued := e.(flow.SessionIssued) // the flow was closed in the store before its session was made
		j.flow, j.saved = next, j.saved && issued
		if e, err = j.effects(ctx, effects); err != nil {
			return err
		}
	}
	return nil
}

// earn notes that the event proves something of the account that the flow is about: the step that takes it over is
// taken under that account's rules. It is said here for every method, since a check that forgot it would let whoever
// typed the address before in without all that the rules ask for.
func (j *job) earn(e flow.Event) {
	checked, ok := e.(flow.ProofChecked)
	if ok && checked.Failure.Reason == 0 && checked.Proof.Account != "" && checked.Proof.Account == j.flow.Subject.Account {
		j.proving = true
	}
}

// save writes the facts. Whoever else took a step with the same handle has won: this one has not happened.
func (j *job) save(ctx context.Context) error {
	if j.saved {
		return nil
	}
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // no page has it, and an address of a provider would be twice as long
	err := encoder.Encode(stored{Flow: j.flow, Domain: j.domain, Before: j.opened, Pending: j.pending, Ceremony: j.ceremony, Trip: j.trip, Left: j.left})
	if err != nil {
		return fmt.Errorf("auth: encode flow: %w", err)
	}
	r := j.record
	r.Version++
	r.Data, r.TouchedAt = data.Bytes(), j.now
	r.ExpiresAt = flow.Deadline(j.s.cfg.Limits, j.flow)
	write := j.s.cfg.Flows.SaveFlow
	if r.Version == 1 {
		write = j.s.cfg.Flows.CreateFlow
	}
	switch err := write(ctx, r); {
	case errors.Is(err, ErrStale):
		return flow.Deny(flow.Stale)
	case err != nil:
		return fmt.Errorf("auth: save flow: %w", err)
	}
	j.record, j.saved = r, true
	return nil
}

// finish saves the flow and reports where it stands.
func (j *job) finish(ctx context.Context) (Progress, error) {
	if err := j.prepare(ctx); err != nil {
		return Progress{}, err
	}
	if err := j.save(ctx); err != nil {
		return Progress{}, err
	}
	if err := j.post(ctx); err != nil {
		return Progress{}, err
	}
	return j.progress(ctx)
}

// prepare makes what the next step needs and the machine must not know.
func (j *job) prepare(ctx context.Context) error {
	if j.s.cfg.Apps == nil || j.saved {
		return nil
	}
	view, err := j.view(ctx)
	if err != nil {
		return err
	}
	return j.pair(ctx, view)
}

func (j *job) view(ctx context.Context) (flow.View, error) {
	p, err := j.policy(ctx)
	if err != nil {
		return flow.View{}, err
	}
	v := flow.Next(p, j.flow, j.now)
	return v, j.withProviders(ctx, &v)
}

// departure is where to send a person who is to leave for a provider.
func (j *job) departure(view flow.View) string {
	if j.trip == nil || !view.Away {
		return ""
	}
	return j.trip.URL
}

// progress shows the stored state of the flow with the handle for its next step.
func (j *job) progress(ctx context.Context) (Progress, error) {
	view, err := j.view(ctx)
	if err != nil {
		return Progress{}, err
	}
	handle, ok := j.s.handle(j.record)
	if !ok {
		return Progress{}, flow.Deny(flow.Stale) // its key was retired
	}
	pairing, err := j.pairing(ctx, view)
	if err != nil {
		return Progress{}, err
	}
	return Progress{
		FlowID: j.record.ID, Handle: handle, View: view, ReturnTo: j.flow.ReturnTo, Pairing: pairing, Codes: j.codes, Passkey: j.options,
		Session: j.issued, Departure: j.departure(view), Departed: j.departed, Confirmation: j.confirmation(), Device: j.device, ExpiresAt: view.ExpiresAt,
	}, nil
}
