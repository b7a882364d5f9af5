package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Bounds of JSON texts. Tokens with some hundred groups have 20 KiB.
const (
	maxToken   = 64 << 10 // bytes of a token, or of a userinfo answer
	maxHeader  = 4 << 10  // bytes of a token's header
	maxDepth   = 16       // objects and lists within one another
	maxMembers = 256      // of one object
	maxText    = 255      // bytes of an identifier
)

var errJSON = errors.New("not a JSON object with each member once")

// decode splits a JSON object into its members: their exact names, and their values as they stand. See each.
func decode(text []byte) (map[string]json.RawMessage, error) {
	members := make(map[string]json.RawMessage, 16)
	err := each(text, func(name, value []byte) { members[string(name)] = value })
	if err != nil {
		return nil, err
	}
	return members, nil
}

// each visits the members of a JSON object. It refuses text that is not UTF-8, and an object that has a member twice,
// at any depth and however its name is written: of two readers one takes the first and the other the last. It is one
// pass after encoding/json has said that the text is JSON. What was visited is worth nothing if there is an error.
func each(text []byte, visit func(name, value []byte)) error {
	text = bytes.Trim(text, " \t\r\n")
	if len(text) == 0 || text[0] != '{' || !utf8.Valid(text) || !json.Valid(text) {
		return errJSON
	}
	w := walker{text: text}
	if !w.object(1, visit) {
		return errJSON
	}
	return nil
}

// walker walks over text that is known to be JSON, so it looks for ends and never for mistakes.
type walker struct {
	text []byte
	at   int
}

func (w *walker) space() {
	for w.at < len(w.text) {
		switch w.text[w.at] {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return
		}
	}
}

// skip goes over a character and the space around it.
func (w *walker) skip() {
	w.at++
	w.space()
}

// value goes over a value, and reports whether it is within the bounds.
func (w *walker) value(depth int) bool {
	switch w.text[w.at] {
	case '{':
		return w.object(depth+1, nil)
	case '[':
		return w.list(depth + 1)
	case '"':
		w.str()
	default:
		for w.at < len(w.text) && !delimits(w.text[w.at]) {
			w.at++
		}
	}
	return true
}

func delimits(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\r' || c == '\n'
}

func (w *walker) list(depth int) bool {
	if depth > maxDepth {
		return false
	}
	for w.skip(); w.text[w.at] != ']'; {
		if !w.value(depth) {
			return false
		}
		if w.space(); w.text[w.at] == ',' {
			w.skip()
		}
	}
	w.at++
	return true
}

// object goes over an object. It gives each of its members to visit, if that is not nil.
func (w *walker) object(depth int, visit func(name, value []byte)) bool {
	if depth > maxDepth {
		return false
	}
	var buffer [24][]byte
	names := buffer[:0]
	for w.skip(); w.text[w.at] != '}'; {
		name, ok := unquote(w.str())
		if !ok || len(names) == maxMembers || contains(names, name) {
			return false
		}
		names = append(names, name)
		w.space() // the colon
		w.skip()
		from := w.at
		if !w.value(depth) {
			return false
		}
		if visit != nil {
			visit(name, w.text[from:w.at:w.at])
		}
		if w.space(); w.text[w.at] == ',' {
			w.skip()
		}
	}
	w.at++
	return true
}

func contains(names [][]byte, name []byte) bool {
	for _, n := range names {
		if bytes.Equal(n, name) {
			return true
		}
	}
	return false
}

// str goes over a string and returns it with its quotes.
func (w *walker) str() []byte {
	from := w.at
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	return w.text[from:w.at]
}

// unquote returns what a JSON string says. Escapes that stand for no character are refused: they all would become the
// same one.
func unquote(quoted []byte) ([]byte, bool) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], true
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil || bytes.ContainsRune([]byte(s), utf8.RuneError) {
		return nil, false
	}
	return []byte(s), true
}
