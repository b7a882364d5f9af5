package totp_test

import (
	"fmt"
	"time"

	"github.com/pquerna/otp"
	otptotp "github.com/pquerna/otp/totp"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/totp"
)

// An app is paired, the pairing confirmed by a code, and that code is used up.
func Example() {
	keys, _ := auth.NewKeys(auth.Key{ID: "k1", Bytes: [32]byte{1}}) // a real one is 32 random bytes
	verifier, err := totp.New(totp.Config{Keys: keys, Issuer: "Example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	pairing, err := verifier.Pair("row-1", "acct-7", "mia@example.org")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("key:", pairing.Text) // a Secret: only Reveal gives it away
	record := totp.Record{ID: "row-1", Account: "acct-7", Data: pairing.Sealed}

	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	phone, _ := otp.NewKeyFromURL(pairing.URI.Reveal()) // in reality it reads the QR code of pairing.SVG
	for _, at := range []time.Time{now, now, now.Add(30 * time.Second)} {
		code, _ := otptotp.GenerateCode(phone.Secret(), at)
		step, ok, err := verifier.Check(record, auth.NewSecret(code), at)
		if err != nil {
			fmt.Println(err) // a fault: the record or its key is not what it was
			return
		}
		fmt.Println(ok)
		if ok {
			record.Counter = step // a store does this by compare-and-set
		}
	}
	// Output:
	// key: [secret]
	// true
	// false
	// true
}
