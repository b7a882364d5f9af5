// Package bench measures a signed-in request and the memory of sessions beside two widely used session
// libraries, scs (github.com/alexedwards/scs) and gorilla/sessions. It has no program:
//
//	go test ./examples/bench -run '^$' -bench . -benchtime 2s -count 6
//
// Every benchmark answers the same request, from the cookie to the host's handler, and takes turns with a floor:
// the few lines that somebody would write by hand who needs no more than that. "x-floor" is the median of the
// ratios of those turns, so that what else the machine does falls on both. What the libraries do differs. scs
// keeps a map of values for each session, and here hashes its tokens as Cardea always does; gorilla keeps the map
// in a signed cookie, so that nothing on the server can end the session; neither knows accounts.
//
// Heap is measured by the thousand sessions:
//
//	go test ./examples/bench -run '^$' -bench Heap -benchtime 1000x
//
// A whole sign-in beside its floor is measured where the code is, in auth/authhttp.
package bench
