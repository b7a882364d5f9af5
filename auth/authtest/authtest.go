// Package authtest checks stores against the contracts that the library relies on, and has a clock for
// tests. A login is no safer than its store: if two requests can both use the last attempt, or an ended
// session can come back, no code above it can help.
//
// Each port has a kit: a table of rules, each with the sentence that it stands for, which is printed when
// the rule is broken. A host that implements a port runs the kit for it:
//
//	func TestAccounts(t *testing.T) {
//		authtest.RunAccounts(t, func(t *testing.T) authtest.Accounts { return newMyStore(t) })
//	}
//
// RunDirectory, RunAccounts, RunFlows, RunCounters, RunSessions, RunTrust, RunTickets, RunLetters, RunFactors, RunLinks,
// RunProviderSessions, RunHostFactor and RunActivity make a subtest of each rule; CheckDirectory and its siblings
// return all broken rules as one error, for programs that are not tests. Both ask for a fresh, empty store for each rule. Rules check what
// happens alone and at once (of many goroutines, one must win), at the very moment of a boundary and a millisecond
// before it, under a context that is done, and with names that careless storage confuses.
//
// Times in the kits are whole milliseconds, which a store must keep; what is finer it may drop. Times come
// back in UTC. A store may refuse names that its database has no text for (NUL bytes, malformed UTF-8) with
// an error, but must not take one name for another.
//
// The kits need the standard library and this module alone. For every rule there is, in this package's
// tests, a store that breaks it, and that the rule must catch. New rules may come with minor versions: they
// are sentences of the contracts that were not checked before.
package authtest
