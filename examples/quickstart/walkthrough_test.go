package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shell runs commands as a reader would, in an empty folder and against the running program instead of port 8080.
func shell(t *testing.T, s site, folder, script string) string {
	t.Helper()
	needed(t, "curl")
	cmd := exec.CommandContext(t.Context(), needed(t, "sh"), "-eu", "-c", strings.ReplaceAll(script, "http://localhost:8080", s.url))
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, out)
	return string(out)
}

// TestTheWalkThrough runs every command of the walk through the JSON API, and compares each answer with the one
// that is shown: the same fields, and the same values but where a value is "…".
func TestTheWalkThrough(t *testing.T) {
	t.Parallel()
	s := startSite(t, "-native")
	text, err := os.ReadFile("../jsonclient/README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```(sh|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	script, shown := "", map[string]any{}
	for i, block := range blocks {
		name := "answer" + strconv.Itoa(i)
		if block[1] == "sh" {
			script += "{\n" + block[2] + "} >" + name + "\n"
			continue
		}
		require.Equal(t, "sh", blocks[i-1][1], "an answer without a question")
		var want any
		require.NoError(t, json.Unmarshal([]byte(block[2]), &want), block[2])
		shown["answer"+strconv.Itoa(i-1)] = want
	}
	require.GreaterOrEqual(t, len(shown), 9)
	folder := t.TempDir()
	require.Empty(t, shell(t, s, folder, script))
	for name, want := range shown {
		said, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		var got any
		require.NoError(t, json.Unmarshal(said, &got), "%s", said)
		requireLike(t, want, got, name)
	}
}

// requireLike wants the same value, where "…" stands for any text.
func requireLike(t *testing.T, want, got any, where string) {
	t.Helper()
	switch want := want.(type) {
	case fields:
		require.IsType(t, want, got, where)
		for name := range got.(fields) {
			require.Contains(t, want, name, where)
		}
		for name, value := range want {
			require.Contains(t, got, name, where)
			requireLike(t, value, got.(fields)[name], where+"."+name)
		}
	case []any:
		require.Len(t, got, len(want), where)
		for i, value := range want {
			requireLike(t, value, got.([]any)[i], where+"."+strconv.Itoa(i))
		}
	default:
		if want == "…" {
			require.IsType(t, "", got, where)
			require.NotEmpty(t, got, where)
			return
		}
		require.Equal(t, want, got, where)
	}
}

// TestTheReadmesCommands runs the lines with curl in the README, as they stand there.
func TestTheReadmesCommands(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var lines []string
	for line := range strings.SplitSeq(string(readme), "\n") {
		if command, indented := strings.CutPrefix(line, "      "); indented {
			lines = append(lines, command)
		}
	}
	script := strings.Join(lines, "\n")
	require.GreaterOrEqual(t, strings.Count(script, "curl "), 2)
	var got fields
	require.NoError(t, json.Unmarshal([]byte(shell(t, s, t.TempDir(), script)), &got))
	require.Equal(t, "verification", got["need"], "the password is right, and the device is not trusted")
}
