package totp

import "crypto/hmac"

// CodeAt is the code of a step for any seed; the RFC's vectors for the longer hashes have longer ones than we make.
func CodeAt(a Algorithm, seed []byte, step int64, digits int) string {
	code := codeAt(hmac.New(a.hash().Hash, seed), step, digits)
	return string(code[:digits])
}
