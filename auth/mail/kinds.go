package mail

import "github.com/cardea-auth/cardea/auth"

// carries is what secret a kind of letter has in it.
type carries int

const (
	nothing carries = iota
	link
	code
)

// page is one of the site's pages that letters lead to.
type page string

const (
	noPage       page = ""
	signInPage   page = "sign-in"
	signUpPage   page = "sign-up"
	accountPage  page = "account"
	recoveryPage page = "recovery"
)

// kind is what a letter consists of, besides its texts.
type kind struct {
	carries carries
	button  page // where the button leads, unless it is the link
	act     page // what to do if it was not the reader, as a second link
	// stranger says that nobody has shown yet that the address is theirs. A name would be whatever the one who
	// typed the address wanted its reader to see.
	stranger bool
	quiet    bool // does not tell what caused it: that was no act of the reader's
}

// kinds has every kind of letter that is sent.
var kinds = map[auth.LetterKind]kind{
	auth.InvitationLetter: {carries: link, quiet: true},
	auth.ResetLetter:      {carries: link},
	auth.NoPasswordLetter: {button: signInPage},
	auth.NoAccountLetter:  {button: signUpPage, stranger: true},
	auth.ReopenLetter:     {carries: link},
	auth.ClosedLetter:     {},
	auth.SignUpLetter:     {carries: code, stranger: true},
	auth.HasAccountLetter: {button: signInPage},
	auth.SignInLetter:     {carries: code, act: recoveryPage},
	auth.NewAddressLetter: {carries: code, stranger: true},
	auth.TakenLetter:      {},

	auth.AddressChangedNotice: {carries: link},
	auth.AddressUndoneNotice:  {button: recoveryPage},
	auth.PasswordNotice:       {button: accountPage, act: recoveryPage},
	auth.NewDeviceNotice:      {button: accountPage, act: recoveryPage},
	auth.TrustNotice:          {button: accountPage, act: recoveryPage},
	auth.FactorNotice:         {button: accountPage, act: recoveryPage},
	auth.FactorGoneNotice:     {button: accountPage, act: recoveryPage},
	auth.RecoveryCodeNotice:   {button: accountPage, act: recoveryPage},
	auth.LinkNotice:           {button: accountPage, act: recoveryPage},
	auth.LinkGoneNotice:       {button: accountPage, act: recoveryPage},
	auth.LockNotice:           {button: recoveryPage},
	auth.ReopenedNotice:       {button: signInPage},
	auth.RecoveryAskedNotice:  {button: signInPage},
}

// fields are the texts that a kind of letter must have.
func (k kind) fields() []string {
	all := []string{"subject", "heading", "text", "why", "unasked"}
	if k.carries == link || k.button != noPage {
		all = append(all, "button")
	}
	return all
}

// mayHave are the texts that any kind of letter may have beyond those: "address" is what it calls the other
// address of a change.
var mayHave = []string{"address"}
