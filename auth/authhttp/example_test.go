package authhttp_test

import (
	"fmt"
	"net/http"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/flow"
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

// A project is deleted only after the person has read its name and proven, for that and nothing else, who they are. The
// sentence and the parts come from the server: the name from its database, the id from the path that is acted on.
func ExampleHandler_RequireConfirmed() {
	names := map[string]string{"7": "Alpha"} // a database
	deletion := func(r *http.Request) (auth.Operation, error) {
		id := r.PathValue("id")
		name, ok := names[id]
		if !ok {
			return auth.Operation{}, flow.Deny(flow.NotFound)
		}
		return auth.NewOperation("Delete project "+name, "delete-project", id)
	}
	remove := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { delete(names, r.PathValue("id")) })

	var h *authhttp.Handler // of authhttp.New, or of standard.Open
	mux := http.NewServeMux()
	mux.Handle("POST /projects/{id}/delete", h.RequireConfirmed(flow.AAL1, deletion, remove))

	r, _ := http.NewRequest(http.MethodPost, "/projects/7/delete", nil)
	r.SetPathValue("id", "7")
	op, _ := deletion(r)
	fmt.Println(op)
	// Output: Delete project Alpha
}
