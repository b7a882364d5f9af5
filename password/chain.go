package password

import (
	"slices"
	"strconv"
	"unicode"
)

// A password is weak if it can be cut into a few pieces that everybody knows, with some digits and marks in
// between. Each piece has a price, about the number of guesses that it is worth in units of 4.5 bits, and
// six of them, 27 bits, are too little. That is two listed words, or three very common ones, or "this is my"
// before one; four words picked by dice are worth twelve.
const (
	priceLetter  = 1 // a letter by itself
	priceGlue    = 1 // a short word that sentences are made of
	priceTop     = 2 // one of the 500 most common words
	priceContext = 2 // a word that the account or its surroundings suggest
	priceLine    = 2 // four or more neighbours of an alphabet or a keyboard
	priceRun     = 2 // three or more times the same character
	priceListed  = 3 // any other listed word
	priceYear    = 2 // of 1900 to 2059
	priceDate    = 3 // of those years, in eight digits
	weakPrice    = 6

	leastRun = 3
)

// glue are the short words of sentences such as "thisismypassword".
var glue = []string{
	"a", "am", "and", "are", "at", "be", "for", "i", "in", "is", "it", "love", "me", "my", "no", "not", "of", "on", "our",
	"so", "that", "the", "this", "to", "was", "we", "with", "you", "your",
}

// kind is what a piece is. Kinds are added up to sets.
type kind uint8

const (
	ofWords kind = 1 << iota
	ofContext
	ofSequence
	ofKeyboard
	ofRun
	ofLetter
)

// piece is one way to go on from some place in a password.
type piece struct {
	kind   kind
	length int // in code points
	price  int
}

// cut is the best way found to reach some place in a password at some price.
type cut struct {
	reached bool
	filler  int // digits, marks and spaces between the pieces
	letters int // by themselves
	pieces  int // without those
	kinds   kind
}

// betterThan prefers less that is not explained, then fewer pieces.
func (c cut) betterThan(o cut) bool {
	if !o.reached || c.filler != o.filler {
		return !o.reached || c.filler < o.filler
	}
	if c.letters != o.letters {
		return c.letters < o.letters
	}
	return c.pieces < o.pieces
}

// plus returns the cut that goes on with p.
func (c cut) plus(p piece) cut {
	if p.kind == ofLetter {
		c.letters++
		return c
	}
	c.pieces++
	c.kinds |= p.kind
	return c
}

// effort is what is left of the steps that a review may take. A step is about a comparison: a new password is
// reviewed outside the gate, and somebody may choose one that can be cut in as many ways as possible. (One code
// point may become four equal ones in folding, and the cuts of a run grow with the square of its length.)
type effort int

// maxEffort is five times what long random passwords take, and twenty milliseconds or so: less than a hash.
const maxEffort effort = 1 << 20

// spend takes steps, and reports whether there were so many left.
func (e *effort) spend(steps int) bool {
	*e -= effort(steps)
	return *e >= 0
}

func (e *effort) spent() bool { return *e < 0 }

// cheapest cuts text into pieces and returns the cheapest cut that is good enough, if there is one of a weak
// price. When the effort is spent it gives up, which is for the caller to see.
func cheapest(text []rune, piecesAt func([]rune) []piece, good func(cut) bool, e *effort) (best cut, ok bool) {
	cuts := make([][weakPrice + 1]cut, len(text)+1) // by place and price
	offer := func(at, price int, c cut) {
		if c.betterThan(cuts[at][price]) {
			cuts[at][price] = c
		}
	}
	cuts[0][0].reached = true
	for at := range text {
		rest := text[at:]
		pieces := piecesAt(rest)
		if !e.spend((1 + len(pieces)) * len(cuts[at])) {
			return cut{}, false
		}
		for price, c := range cuts[at] {
			if !c.reached {
				continue
			}
			if !unicode.IsLetter(rest[0]) {
				more := c
				more.filler++
				offer(at+1, price, more)
			}
			for _, p := range pieces {
				if price+p.price <= weakPrice {
					offer(at+p.length, price+p.price, c.plus(p))
				}
			}
		}
	}
	for _, c := range cuts[len(text)] {
		if c.reached && c.pieces > 0 && good(c) {
			return c, true
		}
	}
	return cut{}, false
}

// knownPieces returns the pieces that text begins with. Patterns come before words: where a cut may be seen
// as either ("qwertyuiop" is a listed word too), the first one names the problem.
func (d dictionary) knownPieces(text []rune, e *effort) (found []piece) {
	k, longest := lineAt(text, e)
	for n := leastLine; n <= longest; n++ {
		found = append(found, repeats(text, piece{k, n, priceLine})...)
	}
	for n, longest := leastRun, runAt(text); n <= longest; n++ {
		found = append(found, piece{ofRun, n, priceRun})
	}
	found = append(found, datesAt(text)...)
	d.common.wordsAt(text, e, func(entry string, length int) {
		price := priceListed
		if d.top.has(entry) {
			price = priceTop
		}
		found = append(found, repeats(text, piece{ofWords, length, price})...)
	})
	for _, w := range glue {
		if n := len(w); n <= len(text) && string(text[:n]) == w {
			found = append(found, piece{ofWords, n, priceGlue})
		}
	}
	if unicode.IsLetter(text[0]) {
		found = append(found, piece{ofLetter, 1, priceLetter})
	}
	return found
}

// repeats returns the piece once, twice and so on, as often as text begins with it: saying it again is free.
func repeats(text []rune, p piece) (all []piece) {
	for n := p.length; n <= len(text) && slices.Equal(text[n-p.length:n], text[:p.length]); n += p.length {
		all = append(all, piece{p.kind, n, p.price})
	}
	return all
}

// runAt returns how often the first character is repeated.
func runAt(text []rune) int {
	n := 1
	for n < len(text) && text[n] == text[0] {
		n++
	}
	return n
}

// datesAt returns the year and the date that text begins with, in any usual order.
func datesAt(text []rune) (found []piece) {
	within := func(from, to, least, greatest int) bool {
		if to > len(text) {
			return false
		}
		n, err := strconv.Atoi(string(text[from:to]))
		return err == nil && least <= n && n <= greatest && unicode.IsDigit(text[from])
	}
	year := func(from int) bool { return within(from, from+4, 1900, 2059) }
	month := func(from int) bool { return within(from, from+2, 1, 12) }
	day := func(from int) bool { return within(from, from+2, 1, 31) }
	if year(0) {
		found = append(found, piece{ofSequence, len("2006"), priceYear})
	}
	if year(0) && month(4) && day(6) || year(4) && (day(0) && month(2) || month(0) && day(2)) {
		found = append(found, piece{ofSequence, len("20061231"), priceDate})
	}
	return found
}
