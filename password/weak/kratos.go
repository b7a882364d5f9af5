package weak

import (
	"strings"

	"github.com/cardea-auth/cardea/password"
)

// Digest reads the digests that kratos imports: $md5$digest, which has no salt, and $md5$pf=template$salt$digest,
// likewise with sha1, sha256 and sha512, all parts in padded base64. The template has {SALT} and {PASSWORD}
// once each and says what was hashed.
func Digest() password.Format {
	return family{
		name: "digest",
		claims: func(encoded string) bool {
			name, ok := digestName(encoded)
			return ok && function(name) != nil
		},
		parse: parseDigest,
	}
}

// digestName returns the word between the first two dollar signs.
func digestName(encoded string) (name string, ok bool) {
	rest, dollar := strings.CutPrefix(encoded, "$")
	name, _, ok = strings.Cut(rest, "$")
	switch name {
	case "md5", "sha1", "sha256", "sha512":
		return name, ok && dollar
	}
	return "", false
}

func parseDigest(encoded string) (digest, error) {
	name, _ := digestName(encoded)
	fields := strings.Split(encoded, "$")
	if len(fields) == 3 && name == "md5" {
		sum, err := exactly(fields[2])
		if err != nil {
			return digest{}, err
		}
		return digest{function: name, sum: sum}.checked()
	}
	if len(fields) != 5 {
		return digest{}, errSpelling
	}
	template, ok := strings.CutPrefix(fields[2], "pf=")
	parts := make([][]byte, 3)
	for i, text := range []string{template, fields[3], fields[4]} {
		raw, err := exactly(text)
		if err != nil {
			return digest{}, err
		}
		parts[i] = raw
	}
	before, after, sound := around(string(parts[0]), string(parts[1]))
	if !ok || !sound || len(parts[1]) > maxSalt {
		return digest{}, errSpelling
	}
	return digest{function: name, before: before, after: after, sum: parts[2]}.checked()
}

// around returns what is hashed before and after the password. The template is cut up before the salt is put
// in, so that a salt cannot say where the password goes.
func around(template, salt string) (before, after string, ok bool) {
	if salt == "" || strings.Count(template, "{SALT}") != 1 || strings.Count(template, "{PASSWORD}") != 1 {
		return "", "", false
	}
	before, after, _ = strings.Cut(template, "{PASSWORD}")
	return strings.ReplaceAll(before, "{SALT}", salt), strings.ReplaceAll(after, "{SALT}", salt), true
}

// HMAC reads the HMACs that kratos imports: $hmac-sha256$digest$key, where digest is the padded base64 of
// hexadecimal digits and key is in padded base64; likewise with md5, sha1, sha224, sha384 and sha512. The
// message is the password. The key stands beside it, so it is no secret.
func HMAC() password.Format {
	const prefix = "$hmac-"
	return family{
		name: "hmac",
		claims: func(encoded string) bool {
			rest, ok := strings.CutPrefix(encoded, prefix)
			name, _, _ := strings.Cut(rest, "$")
			return ok && function(name) != nil
		},
		parse: func(encoded string) (digest, error) {
			fields := strings.Split(strings.TrimPrefix(encoded, prefix), "$")
			if len(fields) != 3 {
				return digest{}, errSpelling
			}
			digits, err := exactly(fields[1])
			if err != nil {
				return digest{}, err
			}
			sum, err := lowerHex(string(digits))
			if err != nil {
				return digest{}, err
			}
			key, err := exactly(fields[2])
			if err != nil || len(key) == 0 || len(key) > maxSalt {
				return digest{}, errSpelling
			}
			return digest{function: fields[0], key: string(key), sum: sum}.checked()
		},
	}
}
