// Package mfa holds what second factors have in common, and the one that needs no device: recovery codes.
//
//	codes, err := mfa.NewCodes(mfa.CodesConfig{Keys: keys})
//
// [Codes] makes ten codes of 80 random bits for an account (look-up secrets, NIST SP 800-63B-4 §3.1.2), which
// are shown once, to be printed or kept in a password manager. They are the way in for someone whose phone is
// lost. Each works once. A person may type them in lower case, with or without the dashes, and with the
// letters that look like digits.
//
// What the host's store must supply is on [Record]: the rows of an account's set, and one atomic act that
// consumes a code. What is not decided here: how many wrong codes an account may try, what a code is worth, and
// who may make a new set; the machine (auth/flow) decides that for all factors alike.
//
// Authenticator apps are in package mfa/totp, apart from here, so that only who wants them links what draws
// their QR codes. A factor of the host's own needs neither: it implements auth.HostFactor.
package mfa
