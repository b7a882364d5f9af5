package authhttp_test

import (
	"fmt"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
)

func ExampleNew_problems() {
	_, err := authhttp.New(authhttp.Config{
		Service: &auth.Service{},
		Origin:  "http://app.example",
		Product: "Helpdesk",
	})
	fmt.Println(err)
	// Output:
	// authhttp: invalid Config:
	// Keys are required
	// Origin is "http://app.example"; it must be https, or http on a loopback host
}
