package authhttp_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// prettyWidth is how long a line may be that holds a whole object or array.
const prettyWidth = 118

// pretty lays a JSON text out for people: what fits into a line stays in one, and the order is kept.
func pretty(t testing.TB, text []byte) []byte {
	t.Helper()
	require.True(t, json.Valid(text), "%s", text)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var b bytes.Buffer
	layOut(t, &b, readNode(t, dec), "", 0)
	b.WriteByte('\n')
	return b.Bytes()
}

// node is a JSON value: a leaf has a text, anything else its parts.
type node struct {
	leaf        string
	open, close string
	keys        []string // of an object
	parts       []node
}

func readNode(t testing.TB, dec *json.Decoder) node {
	t.Helper()
	token, err := dec.Token()
	require.NoError(t, err)
	delim, ok := token.(json.Delim)
	if !ok {
		leaf, err := encode(token)
		require.NoError(t, err)
		return node{leaf: leaf}
	}
	n := node{open: delim.String(), close: map[json.Delim]string{'{': "}", '[': "]"}[delim]}
	for dec.More() {
		if delim == '{' {
			key, err := dec.Token()
			require.NoError(t, err)
			name, err := encode(key)
			require.NoError(t, err)
			n.keys = append(n.keys, name)
		}
		n.parts = append(n.parts, readNode(t, dec))
	}
	_, err = dec.Token()
	require.NoError(t, err)
	return n
}

// line is the value in one line.
func (n node) line() string {
	if n.open == "" {
		return n.leaf
	}
	var parts []string
	for i, p := range n.parts {
		text := p.line()
		if n.keys != nil {
			text = n.keys[i] + ": " + text
		}
		parts = append(parts, text)
	}
	if n.open == "{" && len(parts) > 0 {
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	return n.open + strings.Join(parts, ", ") + n.close
}

// layOut writes the value; the line that it begins in has used characters in it already.
func layOut(t testing.TB, b *bytes.Buffer, n node, indent string, used int) {
	line := n.line()
	if n.open == "" || len(n.parts) == 0 || used+len(line) <= prettyWidth {
		b.WriteString(line)
		return
	}
	b.WriteString(n.open)
	deeper := indent + "  "
	if n.open == "[" && !slices.ContainsFunc(n.parts, func(p node) bool { return p.open != "" }) {
		b.WriteString("\n" + deeper + packed(n.parts, deeper) + "\n" + indent + n.close)
		return
	}
	for i, p := range n.parts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + deeper)
		key := ""
		if n.keys != nil {
			key = n.keys[i] + ": "
		}
		b.WriteString(key)
		layOut(t, b, p, deeper, len(deeper)+len(key))
	}
	b.WriteString("\n" + indent + n.close)
}

// packed lists leaves, as many in a line as fit.
func packed(leaves []node, indent string) string {
	var b strings.Builder
	used := len(indent)
	for i, leaf := range leaves {
		if i > 0 {
			b.WriteByte(',')
			if used+len(leaf.leaf)+2 > prettyWidth {
				b.WriteString("\n" + indent)
				used = len(indent)
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(leaf.leaf)
		used += len(leaf.leaf) + 2
	}
	return b.String()
}
