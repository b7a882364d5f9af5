package breach_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
	"github.com/cardea-auth/cardea/password/breach"
)

// The service here is a stand-in that knows one password; leave URL out for the public one.
func ExampleNewRange() {
	standIn := httptest.NewServer(&service{counts: map[string]int{hashOf("vqzjkxwbgmtrhpfdnlcs"): 3}})
	defer standIn.Close()
	known, err := breach.NewRange(breach.RangeConfig{URL: standIn.URL, UserAgent: "app.example"})
	if err != nil {
		panic(err)
	}
	hasher, err := password.New(password.Config{Breached: known.Breached, BreachFailure: password.FailClosed})
	if err != nil {
		panic(err)
	}
	for _, chosen := range []string{"vqzjkxwbgmtrhpfdnlcs", "correct horse battery staple"} {
		review, err := hasher.Review(context.Background(), auth.NewSecret(chosen), auth.PasswordContext{})
		fmt.Printf("%q %v\n", review.Problem, err)
	}
	// Output:
	// "breached" <nil>
	// "" <nil>
}

func ExampleOpenList() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pwned-passwords-sha1-ordered-by-hash.txt")
	text := "24EA2D4EE03DBDB2BDCE1E91A0BDCD0E8F2DE2E6:17\r\nE68E11BE8B70E435C65AEF8BA9798FF7775C361E:4\r\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	known, err := breach.OpenList(path, breach.ListConfig{})
	if err != nil {
		panic(err)
	}
	defer known.Close()
	for _, chosen := range []string{"trustno1", "correct horse battery staple"} {
		fmt.Println(known.Breached(context.Background(), auth.NewSecret(chosen)))
	}
	// Output:
	// true <nil>
	// false <nil>
}
