package webauthn

import "encoding/json"

// ReadObject is what every JSON text passes through.
func ReadObject(text []byte) (map[string]json.RawMessage, bool) { return readObject(text) }
