package webauthn

import (
	"slices"
	"strconv"
)

// shapes are what credentials in the wild look like: the length of the id and the transports, as browsers
// tell them. How many of 16 have which says how common they are.
var shapes = [...]struct {
	of16       int
	length     int
	transports []string
}{
	{6, 20, []string{"hybrid", "internal"}}, // iCloud Keychain
	{6, 16, []string{"hybrid", "internal"}}, // Google Password Manager and those like it
	{3, 32, []string{"internal"}},           // Windows Hello
	{1, 48, []string{"nfc", "usb"}},         // security keys
}

// decoys returns credentials that nobody has, for an address that has none: as many as a person would have,
// of plausible shapes, and the same whenever the address is asked for. A list that was absent, or drawn anew,
// would tell strangers who has an account (ASVS 6.3.8). They are made with the oldest key, so that a
// rotation changes them as little as it changes real ones.
func (rp *RelyingParty) decoys(identifier string) []Credential {
	key := rp.decoyKeys.Oldest()
	sum, _ := rp.decoyKeys.MAC(key, "count", identifier)
	count := 1
	if sum[0] >= 179 { // three in ten have a second one
		count = 2
	}
	list := make([]Credential, count)
	for i := range list {
		material := rp.stretch(key, identifier, strconv.Itoa(i))
		pick := int(material[0] & 15)
		for _, s := range shapes {
			if pick -= s.of16; pick < 0 {
				list[i] = Credential{ID: material[1 : 1+s.length], Transports: s.transports}
				break
			}
		}
	}
	return list
}

// stretch returns 64 bytes that only the keys' holder can tell from random ones.
func (rp *RelyingParty) stretch(key, identifier, number string) []byte {
	a, _ := rp.decoyKeys.MAC(key, "credential", identifier, number, "a")
	b, _ := rp.decoyKeys.MAC(key, "credential", identifier, number, "b")
	return slices.Concat(a[:], b[:])
}
