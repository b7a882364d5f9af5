package presets_test

import (
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/standard"
	"github.com/cardea-auth/cardea/federation/presets"
)

// A site that people can connect with their accounts at Google and Microsoft. Nothing is asked of either before
// somebody signs in.
func Example() {
	google, err := presets.Google(presets.GoogleConfig{
		ClientID:     "1234567890-abc.apps.googleusercontent.com",
		ClientSecret: auth.NewSecret("from the console"),
	})
	if err != nil {
		panic(err)
	}
	microsoft, err := presets.Microsoft(presets.MicrosoftConfig{
		ClientID:     "3f1c2a4e-0000-4000-8000-123456789abc",
		ClientSecret: auth.NewSecret("from the app registration"),
		Tenants:      []string{"7f0b8a52-1111-4222-8333-123456789abc", presets.PersonalAccounts},
	})
	if err != nil {
		panic(err)
	}
	config := standard.Config{
		Origin: "https://app.example", Product: "Example", Driver: "sqlite", Database: "app.db",
		Providers: []auth.Provider{google, microsoft},
	}
	// standard.Open(ctx, config) starts the site. These addresses are what to register:
	for _, p := range config.Providers {
		fmt.Println(p.Info().Name, config.Origin+"/auth/provider/"+p.Info().ID+"/callback")
	}
	// Output:
	// Google https://app.example/auth/provider/google/callback
	// Microsoft https://app.example/auth/provider/microsoft/callback
}
