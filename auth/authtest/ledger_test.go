package authtest_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ledgers say which requirement of a standard is met, in whole or in part, and which tests show it.
var ledgers = []struct {
	file, column string
	id           *regexp.Regexp
}{
	{"asvs.csv", "level", regexp.MustCompile(`^\d+\.\d+\.\d+$`)},                 // OWASP ASVS 5.0
	{"nist.csv", "aal", regexp.MustCompile(`^\d+\.\d+(\.\d+){0,2}( [a-z-]+)?$`)}, // NIST SP 800-63B-4, of authenticators
}

// TestLedger fails when a row names a test that is not there, and prints the scores.
func TestLedger(t *testing.T) {
	for _, l := range ledgers {
		file, err := os.Open(l.file)
		require.NoError(t, err)
		defer file.Close()
		rows, err := csv.NewReader(file).ReadAll()
		require.NoError(t, err)
		require.Equal(t, []string{"id", l.column, "state", "tests", "note"}, rows[0])
		seen, score := map[string]bool{}, map[string]int{}
		for _, row := range rows[1:] {
			require.Regexp(t, l.id, row[0])
			require.False(t, seen[row[0]], "%s stands twice", row[0])
			seen[row[0]] = true
			requireRow(t, row)
			score[row[2]]++
		}
		t.Logf("%s: %d requirements met, %d in part", l.file, score["met"], score["partial"])
	}
}

func requireRow(t *testing.T, row []string) {
	t.Helper()
	require.Contains(t, []string{"1", "2", "3"}, row[1], row[0])
	require.Contains(t, []string{"met", "partial"}, row[2], row[0])
	require.True(t, row[2] == "met" || row[4] != "", "%s is partial and does not say what is missing", row[0])
	tests := strings.Fields(row[3])
	require.NotEmpty(t, tests, row[0])
	for _, test := range tests {
		requireTest(t, row[0], test)
	}
}

// requireTest looks for "folder.TestName" in the folder's test files.
func requireTest(t *testing.T, id, test string) {
	t.Helper()
	folder, name, ok := strings.Cut(test, ".")
	require.True(t, ok && regexp.MustCompile(`^(Test|Fuzz|Example)\w+$`).MatchString(name), "%s: %q is not folder.TestName", id, test)
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return
		}
	}
	require.Fail(t, "no such test", "%s names %s", id, test)
}
