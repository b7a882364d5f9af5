package standard

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cardea-auth/cardea/auth"
)

// LoadKeys reads master keys from a file and makes the file, with one new key, if it does not exist. Each line
// is a name and 64 hexadecimal digits; the first is current, the others only read what they made. To rotate,
// put a new line in front (with several servers: first behind the current one, on all of them). It refuses a file that others than its owner can read: whoever has the keys can
// make cookies and, with the database, guess passwords faster.
func LoadKeys(path string) (auth.Keys, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = makeKeyFile(path); errors.Is(err, fs.ErrExist) {
			text, err = os.ReadFile(path) // another process was faster
		}
	}
	if err != nil {
		return auth.Keys{}, fmt.Errorf("standard: keys: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return auth.Keys{}, fmt.Errorf("standard: keys: %w", err)
	}
	if loose := info.Mode().Perm() & 0o077; loose != 0 && filepath.Separator == '/' {
		return auth.Keys{}, fmt.Errorf("standard: keys: %s has mode %s; it must be readable by its owner alone (chmod 600)", path, info.Mode().Perm())
	}
	keys, err := parseKeys(text)
	if err != nil {
		return auth.Keys{}, fmt.Errorf("standard: keys: %s: %w", path, err)
	}
	return keys, nil
}

// makeKeyFile writes a new key under a name of its own and then links it into place, so that nobody ever
// reads half a file and of two processes one wins.
func makeKeyFile(path string) ([]byte, error) {
	var key [32]byte
	rand.Read(key[:]) // never fails
	text := fmt.Appendf(nil, "k1 %x\n", key)
	temp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, err
	}
	return text, os.Link(temp.Name(), path)
}

// parseKeys never puts a line into an error: it holds a key.
func parseKeys(text []byte) (auth.Keys, error) {
	var list []auth.Key
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		id, digits, _ := strings.Cut(line, " ")
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) != 32 {
			return auth.Keys{}, fmt.Errorf("line %d is not a name and 64 hexadecimal digits", n)
		}
		list = append(list, auth.Key{ID: id, Bytes: [32]byte(raw)})
	}
	if err := lines.Err(); err != nil {
		return auth.Keys{}, errors.New("a line is too long")
	}
	if len(list) == 0 {
		return auth.Keys{}, errors.New("there is no key in it")
	}
	return auth.NewKeys(list[0], list[1:]...)
}
