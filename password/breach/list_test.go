package breach_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password/breach"
)

// lines returns a sorted list of n passwords, "1", "2" and so on, each seen as often as it says.
func lines(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s:%d", hashOf(fmt.Sprint(i+1)), i+1))
	}
	slices.Sort(all)
	return all
}

func listOf(text string, c breach.ListConfig) (*breach.List, error) {
	return breach.NewList(strings.NewReader(text), int64(len(text)), c)
}

func newList(t testing.TB, text string) *breach.List {
	t.Helper()
	l, err := listOf(text, breach.ListConfig{})
	require.NoError(t, err)
	return l
}

func TestList(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 63, 64, 65, 255, 256, 257, 1000} {
		for name, text := range map[string]string{
			"LF":              strings.Join(lines(n), "\n") + "\n",
			"CRLF":            strings.Join(lines(n), "\r\n") + "\r\n",
			"no end":          strings.Join(lines(n), "\n"),
			"no end, CRLF":    strings.Join(lines(n), "\r\n"),
			"lower-case hash": strings.ToLower(strings.Join(lines(n), "\n")),
		} {
			l := newList(t, text)
			for i := range 2 * n {
				pw := auth.NewSecret(fmt.Sprint(i + 1))
				found, err := l.Breached(t.Context(), pw)
				require.NoError(t, err, "%s %d of %d", name, i, n)
				require.Equal(t, i < n, found, "%s %d of %d", name, i, n)
			}
		}
	}
}

func TestListCounts(t *testing.T) {
	text := strings.Join(lines(300), "\n")
	for _, row := range []struct {
		minCount int
		password string
		want     bool
	}{{0, "1", true}, {1, "1", true}, {2, "1", false}, {2, "2", true}, {299, "300", true}, {300, "300", true}, {301, "300", false}} {
		l, err := listOf(text, breach.ListConfig{MinCount: row.minCount})
		require.NoError(t, err)
		found, err := l.Breached(t.Context(), auth.NewSecret(row.password))
		require.NoError(t, err)
		require.Equal(t, row.want, found, "%+v", row)
	}
	_, err := listOf(text, breach.ListConfig{MinCount: -1})
	require.ErrorContains(t, err, "MinCount is -1")
	zero := newList(t, hashOf(known)+":0\n") // padding that got into a file
	found, err := zero.Breached(t.Context(), auth.NewSecret(known))
	require.NoError(t, err)
	require.False(t, found)
}

// Whatever is not a whole, sorted list must not let known passwords pass. Most of it is told when the list is
// opened.
func TestListDoubtsAreErrors(t *testing.T) {
	whole := lines(5000)
	change := func(n int, to string) []string {
		changed := slices.Clone(whole)
		changed[n] = to
		return changed
	}
	swapped := slices.Clone(whole)
	swapped[0], swapped[4999] = swapped[4999], swapped[0]
	byCount := slices.Clone(whole)
	slices.SortFunc(byCount, func(a, b string) int { return strings.Compare(a[40:], b[40:]) })
	backwards := slices.Clone(whole)
	slices.Reverse(backwards)
	for _, row := range []struct {
		name  string
		lines []string
		says  string
	}{
		{"empty", nil, "it is empty"},
		{"only a line end", []string{""}, "not HASH:COUNT"},
		{"a page", []string{"<!doctype html>"}, "not HASH:COUNT"},
		{"a mark at the beginning", change(0, "\ufeff"+whole[0]), "not HASH:COUNT"},
		{"NTLM hashes", []string{hashOf(known)[:32] + ":1"}, "not HASH:COUNT"},
		{"SHA-256 hashes", []string{hashOf(known) + hashOf(known)[:24] + ":1"}, "not HASH:COUNT"},
		{"no counts", []string{hashOf(known)}, "not HASH:COUNT"},
		{"cut within the hash", append(slices.Clone(whole), whole[0][:17]), "not HASH:COUNT"},
		{"cut before the count", change(4999, whole[4999][:41]), "not HASH:COUNT"},
		{"an empty line at the end", append(slices.Clone(whole), ""), "not HASH:COUNT"},
		{"binary", []string{strings.Repeat("\x00", 5_000)}, "not HASH:COUNT"},
		{"one endless line", []string{strings.Repeat("A", 5_000)}, "not HASH:COUNT"},
		{"cut in half", whole[:2500], "at its end: a part of it is missing"},
		{"sorted by count", byCount, "not sorted"},
		{"backwards", backwards, "not sorted"},
		{"the ends exchanged", swapped, "not sorted"},
		{"without its end", whole[:4500], "at its end: a part of it is missing"},
		{"without its beginning", whole[500:], "at its beginning: a part of it is missing"},
		{"zeros after it", change(4999, whole[4999]+strings.Repeat("\x00", 4096)), "not HASH:COUNT"},
	} {
		_, err := listOf(strings.Join(row.lines, "\n")+map[bool]string{true: "\n"}[row.lines != nil], breach.ListConfig{})
		require.ErrorContains(t, err, row.says, row.name)
	}
}

// What opening does not see, the searches do that come across it.
func TestListSearchesDoubtToo(t *testing.T) {
	whole := lines(4_000)
	ask := func(l *breach.List) (found, missed, failed int, says map[string]bool) {
		says = map[string]bool{}
		for i := range whole {
			pw := fmt.Sprint(i + 1)
			switch yes, err := l.Breached(t.Context(), auth.NewSecret(pw)); {
			case err != nil:
				failed++
				says[errors.Unwrap(err).Error()] = true
				silent(t, err, "\""+pw+"\"")
				require.NotContains(t, err.Error(), "byte", "the place in the file is the beginning of the digest")
			case yes:
				found++
			default:
				missed++
			}
		}
		return found, missed, failed, says
	}
	t.Run("a hole", func(t *testing.T) {
		holed := slices.Concat(whole[:1_500], whole[1_700:])
		found, missed, failed, says := ask(newList(t, strings.Join(holed, "\n")))
		require.Equal(t, len(holed), found)
		require.Zero(t, missed)
		require.Equal(t, 200, failed)
		require.Equal(t, map[string]bool{"a part of it is missing": true}, says)
	})
	t.Run("a part elsewhere", func(t *testing.T) {
		moved := slices.Concat(whole[:2_502], whole[2_507:2_512], whole[2_502:2_507], whole[2_512:])
		_, missed, failed, _ := ask(newList(t, strings.Join(moved, "\n")))
		require.LessOrEqual(t, missed, 10, "only those that were moved can be missed")
		require.Positive(t, failed)
	})
	t.Run("a damaged line", func(t *testing.T) {
		damaged := slices.Clone(whole)
		damaged[2_500] = strings.Repeat("\x00", len(damaged[2_500]))
		_, missed, failed, says := ask(newList(t, strings.Join(damaged, "\n")))
		require.Zero(t, missed)
		require.Positive(t, failed)
		require.Equal(t, map[string]bool{"a line is not HASH:COUNT with a SHA-1 in hex": true}, says)
	})
	t.Run("a hash twice", func(t *testing.T) {
		doubled := slices.Concat(whole[:2_500], whole[2_499:])
		_, missed, _, _ := ask(newList(t, strings.Join(doubled, "\n")))
		require.Zero(t, missed)
	})
}

func TestOpenList(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pwned.txt")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines(1000), "\r\n")+"\r\n"), 0o600))
	l, err := breach.OpenList(path, breach.ListConfig{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			found, err := l.Breached(t.Context(), auth.NewSecret(fmt.Sprint(i+969)))
			if err != nil || found != (i < 32) {
				t.Errorf("%d: %v, %v", i, found, err)
			}
		})
	}
	wg.Wait()

	gone := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	_, err = l.Breached(ctx, auth.NewSecret("1"))
	require.ErrorIs(t, err, gone)

	require.NoError(t, os.Truncate(path, 100))
	_, err = l.Breached(t.Context(), auth.NewSecret("1"))
	require.ErrorContains(t, err, "it became shorter")
	require.NoError(t, l.Close())
	_, err = l.Breached(t.Context(), auth.NewSecret("1"))
	require.ErrorIs(t, err, fs.ErrClosed)
	silent(t, err, "\"1\"")

	_, err = breach.OpenList(path, breach.ListConfig{})
	require.ErrorContains(t, err, "not HASH:COUNT")
	_, err = breach.OpenList(filepath.Join(dir, "absent"), breach.ListConfig{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = breach.OpenList(dir, breach.ListConfig{})
	require.Error(t, err)
	_, err = breach.OpenList(path, breach.ListConfig{MinCount: -1})
	require.ErrorContains(t, err, "MinCount")
}

// broken fails every read but those of the samples.
type broken struct {
	*bytes.Reader
	reads int
}

var errDisk = errors.New("input/output error")

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if b.reads--; b.reads < 0 {
		return 0, errDisk
	}
	return b.Reader.ReadAt(p, off)
}

func TestListOnABrokenDisk(t *testing.T) {
	text := []byte(strings.Join(lines(10), "\n"))
	_, err := breach.NewList(&broken{bytes.NewReader(text), 3}, int64(len(text)), breach.ListConfig{})
	require.ErrorIs(t, err, errDisk)
	l, err := breach.NewList(&broken{bytes.NewReader(text), 12}, int64(len(text)), breach.ListConfig{})
	require.NoError(t, err)
	var failed int
	for range 10 {
		if _, err := l.Breached(t.Context(), auth.NewSecret("unknown")); err != nil {
			require.ErrorIs(t, err, errDisk)
			failed++
		}
	}
	require.GreaterOrEqual(t, failed, 9)
	require.NoError(t, l.Close(), "there is nothing to close")
}
