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

// TestLedger reads asvs.csv: which requirement of OWASP ASVS 5.0 is met, in whole or in part, and which tests
// show it. It fails when a row names a test that is not there, and prints the score.
func TestLedger(t *testing.T) {
	file, err := os.Open("asvs.csv")
	require.NoError(t, err)
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"id", "level", "state", "tests", "note"}, rows[0])
	var (
		seen  = map[string]bool{}
		score = map[string]int{}
		id    = regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	)
	for _, row := range rows[1:] {
		require.Regexp(t, id, row[0])
		require.False(t, seen[row[0]], "%s stands twice", row[0])
		seen[row[0]] = true
		require.Contains(t, []string{"1", "2", "3"}, row[1], row[0])
		require.Contains(t, []string{"met", "partial"}, row[2], row[0])
		require.True(t, row[2] == "met" || row[4] != "", "%s is partial and does not say what is missing", row[0])
		tests := strings.Fields(row[3])
		require.NotEmpty(t, tests, row[0])
		for _, test := range tests {
			requireTest(t, row[0], test)
		}
		score[row[2]]++
	}
	t.Logf("%d requirements met, %d in part", score["met"], score["partial"])
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
