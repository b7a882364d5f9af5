package mfa_test

import (
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa"
)

// A set of recovery codes is shown once and stored as hashes; a code is typed, finds its row, and is consumed.
func Example() {
	keys, _ := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}}) // a real one is 32 random bytes
	codes, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys})
	if err != nil {
		fmt.Println(err)
		return
	}
	shown, records, err := codes.Make("acct-7")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(shown), "codes:", shown[0]) // Secrets: only Reveal gives them away
	rows := map[string]mfa.Record{}             // of this account, by selector
	for _, r := range records {
		rows[r.Selector] = r
	}

	typed := shown[4] // years later, from paper
	for range 2 {
		selector, _ := mfa.Selector(typed)
		row := rows[selector] // the zero Record if there is none; Matches then takes as long
		ok := codes.Matches(typed, "acct-7", row)
		fmt.Println(ok)
		if ok {
			delete(rows, selector) // a store does this by one statement, which also compares the hash
		}
	}
	fmt.Println(len(rows), "left")
	// Output:
	// 10 codes: [secret]
	// true
	// false
	// 9 left
}
