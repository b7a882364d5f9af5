package password_test

import (
	"context"
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

// The parameters are the least that New accepts, for a small machine; leave them out for the default.
func ExampleNew() {
	hasher, err := password.New(password.Config{
		Params: password.Params{Memory: 12 << 10, Passes: 3, Lanes: 1},
		Memory: 192 << 20, // eight hashes at once
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	chosen := auth.NewSecret("correct horse battery staple")
	hash, err := hasher.Hash(ctx, chosen, false)
	if err != nil {
		panic(err)
	}
	match, upgrade, err := hasher.Verify(ctx, hash, chosen, false)
	fmt.Println(match, upgrade, err)
	match, _, err = hasher.Verify(ctx, hash, auth.NewSecret("Correct horse battery staple"), false)
	fmt.Println(match, err)
	match, _, err = hasher.Verify(ctx, "", chosen, false) // an account that does not exist
	fmt.Println(match, err)
	// Output:
	// true false <nil>
	// false <nil>
	// false <nil>
}
