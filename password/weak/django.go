package weak

import (
	"crypto/md5"
	"strings"

	"github.com/cardea-auth/cardea/password"
)

// Django reads the hashes of Django's MD5PasswordHasher, SHA1PasswordHasher and their unsalted relatives:
// md5$salt$digest and sha1$salt$digest in hexadecimal, md5$$digest, sha1$$digest, and the 32 digits of an MD5
// without anything around them. The 40 digits of a SHA-1 alone were never Django's and are not read.
func Django() password.Format {
	return family{name: "django-digest", claims: claimsDjango, parse: parseDjango}
}

func claimsDjango(encoded string) bool {
	_, err := lowerHex(encoded)
	bare := err == nil && len(encoded) == 2*md5.Size
	return bare || strings.HasPrefix(encoded, "md5$") || strings.HasPrefix(encoded, "sha1$")
}

func parseDjango(encoded string) (digest, error) {
	if !strings.Contains(encoded, "$") {
		encoded = "md5$$" + encoded
	}
	fields := strings.Split(encoded, "$")
	if len(fields) != 3 || len(fields[1]) > maxSalt {
		return digest{}, errSpelling
	}
	sum, err := lowerHex(fields[2])
	if err != nil {
		return digest{}, err
	}
	return digest{function: fields[0], before: fields[1], sum: sum}.checked()
}
