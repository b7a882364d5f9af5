package breach_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password/breach"
)

// Each answer is either refused as a whole or read as a regular expression would read it, and a suffix is found
// if and only if it is there with a count.
func FuzzRangeAnswer(f *testing.F) {
	hash := hashOf(known)
	for _, answer := range []string{
		"", "\r\n", hash[5:] + ":1", hash[5:] + ":0\r\n", strings.ToLower(hash[5:]) + ":12\n" + hash[5:] + ":0", hash[5:] + ":1\r\n\r\n",
		hash[5:] + ":", hash + ":1", "\xff" + hash[5:] + ":1", hash[5:] + ":000000000000000001", hash[5:] + ":1\r", hash[5:39] + "G:1",
	} {
		f.Add([]byte(answer))
	}
	form := regexp.MustCompile(`\A([0-9A-Fa-f]{35}:[0-9]{1,18}\r?\n)*[0-9A-Fa-f]{35}:[0-9]{1,18}(\r?\n)?\z`)
	there := regexp.MustCompile(`(?m)^(?i:` + hash[5:] + `):0*[1-9]`)
	f.Fuzz(func(t *testing.T, answer []byte) {
		found, err := breach.Search(answer, hash[5:], 1)
		require.Equal(t, form.Match(answer), err == nil)
		require.Equal(t, err == nil && there.Match(answer), found)
	})
}

// A line that is read means what it says, and nothing else is read.
func FuzzLine(f *testing.F) {
	for _, line := range []string{hashOf("a") + ":1", hashOf("a") + ":18446744073709551615", hashOf("a"), "", ":", strings.ToLower(hashOf("a")) + ":07"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		hash, count, ok := breach.ParseLine(line)
		if !ok {
			require.Zero(t, count)
			require.Equal(t, strings.Repeat("\x00", 40), hash)
			return
		}
		text, digits, _ := strings.Cut(string(line), ":")
		require.Equal(t, strings.ToUpper(text), hash)
		require.Equal(t, strings.TrimLeft(digits, "0"), strings.TrimLeft(fmt.Sprint(count), "0"))
	})
}

// Whatever the file holds, a search ends; what it finds is a line of the file, and in a sorted file it finds
// every line.
func FuzzList(f *testing.F) {
	f.Add([]byte(strings.Join(lines(100), "\r\n")), "7")
	f.Add([]byte(strings.Join(lines(3), "\n")+"\n"), "7")
	f.Add([]byte(hashOf("7")+":1\n"+hashOf("7")+":0\n"), "7")
	f.Add([]byte(strings.Repeat("\n", 200)), "")
	f.Fuzz(func(t *testing.T, text []byte, pw string) {
		l, err := listOf(string(text), breach.ListConfig{})
		if err != nil {
			return
		}
		found, err := l.Breached(t.Context(), auth.NewSecret(pw))
		var hashes []string
		there := false
		for line := range bytes.Lines(text) {
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			hash, count, ok := breach.ParseLine(line)
			if ok && hash == hashOf(pw) && count > 0 {
				there = true
			}
			hashes = append(hashes, hash)
		}
		if found {
			require.True(t, there)
			require.NoError(t, err)
		}
		inOrder := slices.IsSorted(hashes) && len(slices.Compact(slices.Clone(hashes))) == len(hashes)
		if err == nil && inOrder {
			require.Equal(t, there, found)
		}
	})
}
