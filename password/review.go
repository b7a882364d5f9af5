package password

import (
	"context"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/cardea-auth/cardea/auth"
)

// The problems that Review names. They are stable and may be shown.
const (
	TooShort   = "too-short"  // fewer code points than the least that is accepted
	TooLong    = "too-long"   // more code points than the most that is accepted
	Malformed  = "malformed"  // not UTF-8
	Context    = "context"    // made of the address, the name or the host's own words, digits and marks aside
	Common     = "common"     // a listed password, perhaps with digits, marks or look-alikes
	Repetitive = "repetitive" // a short part over and over
	Sequence   = "sequence"   // a piece of an alphabet or of the numbers, or a date
	Keyboard   = "keyboard"   // neighbouring keys
	Words      = "words"      // a few common words or patterns in a row
	Breached   = "breached"   // known from a breach elsewhere
	Unchecked  = "unchecked"  // could not be held against known breaches, which FailClosed demands
)

// maxDecoration is how many characters between known pieces count as decoration, if they are no more than a
// third of the password. More of them may well be random.
const maxDecoration = 8

// Review judges a new password; the problems are the constants of this package. It judges the whole and never
// a part: a common word in a good passphrase does no harm. There is no rule about which characters a password
// must have (ASVS 6.2.4, 6.2.5, 6.2.11). When Config.Breached fails the review is Unchecked, and has a problem
// under FailClosed. The error wraps the cause of ctx, if that ended meanwhile.
func (h *Hasher) Review(ctx context.Context, password auth.Secret, about auth.PasswordContext) (auth.PasswordReview, error) {
	text, problem := canonical(password.Reveal(), h.maxLength)
	if problem == "" {
		problem = h.judge(text, about)
	}
	if problem != "" || h.breached == nil {
		return auth.PasswordReview{Problem: problem}, nil
	}
	return h.askBreached(ctx, text)
}

// judge is what can be said without asking anybody.
func (h *Hasher) judge(text string, about auth.PasswordContext) (problem string) {
	shortest, _ := h.Lengths(about.SecondFactor)
	if utf8.RuneCountInString(text) < shortest {
		return TooShort
	}
	left := maxEffort
	return h.guessable([]rune(fold(text)), about, shortest, &left)
}

// guessable holds a folded password against the account, the lists and the patterns.
func (h *Hasher) guessable(text []rune, about auth.PasswordContext, shortest int, left *effort) string {
	suggested := append(personalForms(about), h.contextWords...)
	suggestedAt := func(rest []rune) []piece { return contextPieces(rest, suggested, left) }
	if _, weak := cheapest(text, suggestedAt, func(cut) bool { return true }, left); weak {
		return Context
	}
	if h.words.common.has(string(text)) || h.common[string(text)] {
		return Common
	}
	// Saying a thing twice makes it no longer: is the part by itself long enough?
	if p, repeated := period(text); repeated && p < shortest {
		return Repetitive
	}
	piecesAt := func(rest []rune) []piece { return append(h.words.knownPieces(rest, left), suggestedAt(rest)...) }
	forms := [][]rune{text}
	if squeezed := squeeze(text); len(squeezed) < len(text) {
		forms = append(forms, squeezed)
	}
	for _, form := range forms {
		decorated := func(c cut) bool {
			rest := c.filler + c.letters
			return rest <= maxDecoration && 3*rest <= len(form)
		}
		if c, weak := cheapest(form, piecesAt, decorated, left); weak {
			return c.problem()
		}
	}
	if left.spent() {
		return Repetitive // nothing else can be cut in so many ways
	}
	return ""
}

// problem names what the pieces have in common.
func (c cut) problem() string {
	switch {
	case c.kinds == ofWords && c.pieces == 1:
		return Common
	case c.kinds == ofSequence:
		return Sequence
	case c.kinds == ofKeyboard:
		return Keyboard
	case c.kinds == ofRun:
		return Repetitive
	}
	return Words
}

// period returns the length of the part that text repeats from beginning to end, the last time perhaps not
// as a whole. That is what is left beside the longest border, a beginning that is also the end; borders[i] is
// the length of that of the first i+1 characters (Knuth, Morris, Pratt), so the work is linear.
func period(text []rune) (length int, repeated bool) {
	borders := make([]int, len(text))
	border := 0
	for i := 1; i < len(text); i++ {
		for border > 0 && text[i] != text[border] {
			border = borders[border-1]
		}
		if text[i] == text[border] {
			border++
		}
		borders[i] = border
	}
	length = len(text) - border
	return length, 0 < length && length <= len(text)/2
}

// squeeze writes each run of the same character once: "qq11ww22" is "q1w2".
func squeeze(text []rune) []rune {
	var out []rune
	for i, r := range text {
		if i == 0 || r != text[i-1] {
			out = append(out, r)
		}
	}
	return out
}

func (h *Hasher) askBreached(ctx context.Context, text string) (auth.PasswordReview, error) {
	found, err := h.breached(ctx, auth.NewSecret(text))
	if err == nil {
		if found {
			return auth.PasswordReview{Problem: Breached}, nil
		}
		return auth.PasswordReview{}, nil
	}
	if cause := context.Cause(ctx); cause != nil { // whoever asked went away: that is no failure of the check
		return auth.PasswordReview{}, fmt.Errorf("password: breach check: %w", cause)
	}
	level, review := slog.LevelWarn, auth.PasswordReview{Unchecked: true}
	if h.onFailure == FailClosed {
		level, review.Problem = slog.LevelError, Unchecked
	}
	h.logger.LogAttrs(ctx, level, "breach check failed", slog.Any("error", err))
	return review, nil
}
