package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"sync"

	"github.com/cardea-auth/cardea/auth"
)

const (
	cardCodes  = 20
	codeDigits = 8 // 26 bits; NIST SP 800-63B-4 §3.1.2 asks for six digits, ASVS 6.5.4 for 20 bits
)

// office prints cards and remembers whose they are. A real one keeps them in a table: a row for each card, in the
// same database as the accounts. It is safe for concurrent use.
type office struct {
	keys auth.DerivedKeys

	mu    sync.Mutex
	cards []*card
}

// card is what the office keeps of a card: nothing that a code could be read from.
type card struct {
	serial  string
	account string // that it was handed out to; empty while it lies in the office
	// key names the key of hashes, and hashes has the HMAC of each code under it. A code of eight digits is soon
	// guessed from an ordinary hash of it, however slow; here a copy of the table is of no use without the key,
	// which is not in it.
	key    string
	hashes [cardCodes][32]byte
	used   int // the place of the last code that was accepted, from 1. It only rises; see Enrol
}

func newOffice(keys auth.Keys) *office { return &office{keys: keys.Derive("codelist card")} }

// print makes a new card and returns what is printed on it, this once.
func (o *office) print() (serial string, codes []string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &card{serial: fmt.Sprintf("C-%04d", len(o.cards)+1), key: o.keys.Current()}
	for i := range cardCodes {
		// Int draws again rather than take a remainder, so that all codes are equally likely.
		n, err := rand.Int(rand.Reader, big.NewInt(1e8))
		if err != nil {
			return "", nil, err
		}
		code := fmt.Sprintf("%0*d", codeDigits, n)
		c.hashes[i], _ = o.hash(c, i+1, code)
		codes = append(codes, code[:4]+" "+code[4:])
	}
	o.cards = append(o.cards, c)
	return c.serial, codes, nil
}

// hash returns what is kept of a code. Serial and place are in it, so that a guess counts for one code of one card,
// and rows that somebody swaps in the table match nothing. ok is false if the key is gone.
func (o *office) hash(c *card, place int, code string) (sum [32]byte, ok bool) {
	return o.keys.MAC(c.key, c.serial, strconv.Itoa(place), code)
}

// handOut writes down whose card it is. Only an operator does this, who has seen the person.
func (o *office) handOut(serial, account string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.find(serial)
	if c == nil || c.account != "" || account == "" {
		return errors.New("codelist: there is no card " + serial + " to hand out")
	}
	c.account = account
	return nil
}

// find returns the card, or nil. The caller holds the lock.
func (o *office) find(serial string) *card {
	for _, c := range o.cards {
		if c.serial == serial {
			return c
		}
	}
	return nil
}
