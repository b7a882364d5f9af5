package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestANewcomerCompilesMainAlone does what a reader of the README does: main.go, alone, in an empty module.
func TestANewcomerCompilesMainAlone(t *testing.T) {
	t.Parallel()
	checkout, err := filepath.Abs("../..")
	require.NoError(t, err)
	folder := t.TempDir()
	main, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "main.go"), main, 0o644))
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = folder
		// What was downloaded to compile this test is enough, so that nothing is asked of the network.
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %s\n%s", strings.Join(args, " "), out)
	}
	sums, err := os.ReadFile("../go.sum")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o644))
	driver, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Path}}@{{.Version}}", "modernc.org/sqlite").Output()
	require.NoError(t, err)
	run("mod", "init", "example.com/newcomer")
	run("mod", "edit", "-require=github.com/cardea-auth/cardea@v0.0.0", "-replace=github.com/cardea-auth/cardea="+checkout, "-require="+strings.TrimSpace(string(driver)))
	run("build", "-o", filepath.Join(folder, "newcomer"), ".")
	require.FileExists(t, filepath.Join(folder, "newcomer"))
}

// TestTheReadmeShowsMain: what the README shows is what runs, and it is no longer than it claims.
func TestTheReadmeShowsMain(t *testing.T) {
	main, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(main), "\n"), 40)
	readme, err := os.ReadFile("../../README.md")
	if os.IsNotExist(err) {
		t.Log("there is no README.md yet, so it cannot show main.go")
		return
	}
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\n"+string(main)+"```\n")
}
