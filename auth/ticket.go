package auth

import (
	"context"
	"time"

	"github.com/cardea-auth/cardea/auth/flow"
)

// Purpose says what a mailed secret is good for, and for nothing else.
type Purpose string

// The purposes. The first three are of links, which have a ticket in the store; the last ones are of codes, which
// have nothing there but the flow that they are typed into.
const (
	ForReset      Purpose = "reset"
	ForInvitation Purpose = "invitation"
	ForUndo       Purpose = "undo" // of a change of address
	// ForApproval is of no link: the ticket says since when a recovery waits for its owner's objection.
	ForApproval Purpose = "approval"

	ForSignIn  Purpose = "sign-in" // login verification
	ForSignUp  Purpose = "sign-up" // the address of a new account
	ForAddress Purpose = "address" // the new address of an account
)

// Ticket is the right to do one thing once, which a mailed link stands for. The link's secret is not in it.
type Ticket struct {
	ID      string
	Purpose Purpose
	Account string // or a decoy's id: an address without an account gets a ticket as well, which nobody is sent
	// Security is the account's security epoch when the ticket was made; at any other, it is void. It is zero
	// for ForUndo, which no change makes void.
	Security  uint64
	Key       string // the name of the key that the link's secret is made with
	CreatedAt time.Time
	ExpiresAt time.Time

	// Of ForUndo: the identifier that was given up, as it was typed too, and the one in its place. Until the
	// ticket expires, the old one is reserved.
	Old, OldDisplay, New string
}

// TicketStore keeps tickets, beside AccountStore and in the same transactions. Letters that it is given are
// queued in the same act, and none of them if the act is refused. What is refused consumes nothing.
type TicketStore interface {
	// AddTicket keeps a ticket in the place of the account's other one of the purpose; tickets ForUndo stand
	// beside each other. There need not be such an account: decoys get tickets too. It returns ErrTaken if the
	// id is in use, be it by the very ticket that the new one would replace.
	AddTicket(ctx context.Context, t Ticket, letters ...Letter) error
	// FindTicket returns a ticket that expires after now, or ErrNotFound. It consumes nothing.
	FindTicket(ctx context.Context, id string, now time.Time) (Ticket, error)
	// DropTickets forgets the account's tickets of the purpose. None is no error.
	DropTickets(ctx context.Context, account string, p Purpose) error
	// Reserved reports whether an identifier belongs to an account that gave it up so lately that the change
	// can still be undone: a ticket ForUndo that expires after now has it as Old. There may be several such
	// tickets, of one account or of many; it is reserved as long as one of them is there.
	Reserved(ctx context.Context, identifier string, now time.Time) (bool, error)

	// CompleteRecovery consumes a ticket ForReset and sets the password, be it the account's first: it sets the
	// hash, clears the compromised mark and ResetDue, makes a locked account active, forgets all the account's tickets but
	// those ForUndo, and raises the security epoch by one, and the session epoch too if c.EndSessions is set or
	// the account was locked; with c.ForgetFactors all the account's second factors go in the same act, and
	// with c.ForgetLinks all its links of the method Social, of which is left what LinkStore.RemoveLink leaves; those of
	// the method SSO stay, which are the organisation's. It returns ErrNotFound for an unknown account, which a decoy
	// is too, and ErrStale unless the account, active or locked, stands exactly as in c.From and has the ticket, of
	// that security epoch, which expires after c.Now. Of two callers with one ticket, one wins. An empty hash is another
	// error: a recovery leaves no account without a password.
	CompleteRecovery(ctx context.Context, c Completion) (flow.Epochs, error)
	// CompleteActivation consumes a ticket ForInvitation in the same way and makes an invited account active;
	// one of another status is ErrStale. It raises the session epoch only if c.EndSessions is set. The hash may
	// be empty: where an organisation demands its own sign-in there is no password. The account then has none,
	// even if it had one before: whoever set that had not proven the address.
	CompleteActivation(ctx context.Context, c Completion) (flow.Epochs, error)
	// ChangeAddress prepares a change of identifier: it keeps the ticket ForUndo, forgets all others of the
	// account but those ForUndo, raises the security epoch by one, and queues the letter that has the undo in
	// it. The directory changes the identifier afterwards: if that never happens, there is something to undo
	// too much, and never too little. It returns ErrNotFound, ErrStale unless the account, of whatever status,
	// stands exactly as in from, and ErrTaken if the ticket's id is in use. A ticket of another purpose or of
	// another account is another error.
	ChangeAddress(ctx context.Context, id string, from Standing, undo Ticket, letters ...Letter) (flow.Epochs, error)
	// CompleteUndo consumes a ticket ForUndo, forgets all other tickets of the account, those ForUndo that
	// the store got before it excepted, raises both epochs by one and locks the account: only a reset, mailed
	// to the address that is back, opens it again. A disabled or invited account keeps its status; ResetDue is
	// set whatever the status, and the hash and the mark stay as they are. Before and after is the order in which the store kept the tickets and not
	// CreatedAt: where clocks differ, a thief's later undo would pass for an earlier one, and bring the thief's
	// address back. It returns ErrNotFound, and ErrStale unless the account stands exactly as in c.From and has
	// the ticket, of whatever security epoch, which expires after c.Now.
	CompleteUndo(ctx context.Context, c Completion) (flow.Epochs, error)

	// SweepTickets deletes at most limit tickets that expired by now and returns how many.
	SweepTickets(ctx context.Context, now time.Time, limit int) (int, error)
}

// Completion is the use of a ticket.
type Completion struct {
	Ticket      string // its id
	Account     string
	From        Standing // as the flow saw the account
	Hash        string   // the new password's; CompleteUndo sets none
	EndSessions bool     // CompleteUndo always does
	// ForgetFactors and ForgetLinks are for CompleteRecovery alone.
	ForgetFactors bool
	ForgetLinks   bool
	Letters       []Letter
	Now           time.Time
}

// MailSecrets makes and checks the secrets that are mailed; package reset has the implementation. Nothing
// of them is stored: they are made from a key, and from what the ticket or the flow says.
type MailSecrets interface {
	// NewTicket returns a ticket for the purpose, which still lacks what it is about.
	NewTicket(p Purpose, account string, now time.Time) (Ticket, error)
	// Ticket returns the id of the ticket that the token of a link names; ok is false if it can be none. It is
	// not checked yet.
	Ticket(token Secret) (id string, ok bool)
	// Opens reports, in constant time, whether the token is that of the ticket.
	Opens(token Secret, t Ticket) bool
	// Matches reports, in constant time, whether what was typed is the code; spaces and dashes do not count.
	Matches(typed Secret, r SecretRef, key string) bool
	// Reveal returns the token of a link, or the code, for the letter that carries it; ok is false if its key
	// is gone.
	Reveal(r SecretRef, key string) (secret Secret, ok bool)
}
