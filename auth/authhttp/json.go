package authhttp

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// parseJSON reads one flat object: encoding/json would take the last of two equal keys, match names whatever
// their case, and put U+FFFD in place of what is not UTF-8. It is asked only whether the text is JSON at all;
// after that, cutting it up cannot go wrong.
func parseJSON(body []byte, allowed []string) (fields, error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, errSyntax
	}
	rest := blanks(body)
	if rest[0] != '{' {
		return nil, errSyntax
	}
	f := fields{}
	for rest = blanks(rest[1:]); rest[0] != '}'; {
		name, after, err := fieldName(rest, allowed)
		if err != nil {
			return nil, err
		}
		value, after, err := scalar(blanks(blanks(after)[1:])) // past the colon
		if err != nil {
			return nil, err
		}
		if err := f.put(name, value, allowed); err != nil {
			return nil, err
		}
		if rest = blanks(after); rest[0] == ',' {
			rest = blanks(rest[1:])
		}
	}
	return f, nil
}

// fieldName cuts a field's name off. One that is allowed and has no escapes needs no text of its own.
func fieldName(text []byte, allowed []string) (name string, rest []byte, err error) {
	for _, name := range allowed {
		if n := len(name) + 1; len(text) > n && text[n] == '"' && string(text[1:n]) == name {
			return name, text[n+1:], nil
		}
	}
	return quoted(text)
}

func blanks(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// scalar cuts a text, a flag, a whole number or an object, left as it is, off valid JSON; nothing else is asked for
// anywhere.
func scalar(text []byte) (value any, rest []byte, err error) {
	switch c := text[0]; {
	case c == '"':
		return quoted(text)
	case c == '{':
		end := objectEnd(text)
		return object(text[:end]), text[end:], nil
	case c == 't':
		return true, text[len("true"):], nil
	case c == 'f':
		return false, text[len("false"):], nil
	case c == '-' || '0' <= c && c <= '9':
		end := bytes.IndexAny(text, ",} \t\r\n")
		n, err := strconv.Atoi(string(text[:end]))
		if err != nil {
			return nil, nil, errFieldValue
		}
		return n, text[end:], nil
	}
	return nil, nil, errFieldValue
}

// objectEnd returns where an object ends that valid JSON begins with.
func objectEnd(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// quoted cuts a string off. Only one with escapes is left to encoding/json.
func quoted(text []byte) (value string, rest []byte, err error) {
	plain, end := true, 1
	for text[end] != '"' {
		if text[end] == '\\' {
			plain = false
			end++
		}
		end++
	}
	if end++; plain {
		return string(text[1 : end-1]), text[end:], nil
	}
	if json.Unmarshal(text[:end], &value) != nil {
		return "", nil, errSyntax
	}
	return value, text[end:], nil
}
