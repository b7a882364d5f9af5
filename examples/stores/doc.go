// Package stores runs the conformance kits of package authtest against real databases. It has no program:
// its tests are the worked example of how a host does so for stores of its own, and they are how the
// project tests package sqlstore.
//
// A host that keeps accounts, flows, counters or sessions in its own way implements the port (an interface
// of package auth or session, whose comments are its contract) and runs the kit for it:
//
//	func TestMyCounters(t *testing.T) {
//		authtest.RunCounters(t, func(t *testing.T) auth.Counters { return newMyCounters(t) })
//	}
//
// The function is called for each rule and must return an empty store: sqlite_test.go makes a database file
// in a temporary folder, and a store on a server would make a schema or a prefix with a random name. Each
// rule is a subtest that says, when it fails, which sentence of the contract is broken and what that costs.
// Where there is no testing.T, CheckCounters and its siblings return the same as one error.
//
// A kit cannot see everything. What else a database store should show, and how it is shown here:
//
//   - two_test.go: that nothing is remembered in the process. The kits run on two Stores over one file,
//     which take turns, as two servers would.
//   - pool_test.go: that every connection of the pool is set up, not just the first.
//   - migrate_test.go: that the schema is made once, by whoever comes first, wholly or not at all.
//   - cut_test.go: that an act which is cut off at any of its statements, by a cancelled context or by a
//     failing database, has changed everything or nothing, and leaves no lock behind.
//   - crowd_test.go: that many writers and readers at once all get their turn.
package stores
