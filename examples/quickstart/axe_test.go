package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// axe is the accessibility engine axe-core, whose file the variable AXE names; empty without it.
var axe = sync.OnceValues(func() (string, error) {
	path := os.Getenv("AXE")
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	return string(text), err
})

// TestAxe says whether the stories in the browser hold every page that they look at against axe-core.
func TestAxe(t *testing.T) {
	t.Parallel()
	text, err := axe()
	require.NoError(t, err)
	if text == "" && os.Getenv("CI") == "true" {
		t.Fatal("AXE names no axe.min.js, and CI skips nothing")
	}
	if text == "" {
		t.Skip("AXE names no axe.min.js (npm pack axe-core), so no page is held against it")
	}
	s := startSite(t)
	b := openBrowser(t, s, "en")
	b.visit("/auth/sign-in")
	page[bool](b, `document.querySelector("label").remove(); document.documentElement.lang = ""; true`)
	found := b.violations()
	require.Contains(t, found, "label", "it finds what is planted")
	require.Contains(t, found, "html-has-lang")
}

// violation is a rule of axe-core that the page does not keep.
type violation struct {
	ID    string `json:"id"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// violations are the rules of WCAG 2.2 AA, and of good practice, that the page does not keep, as it is shown now.
func (b *browser) violations() map[string]string {
	b.t.Helper()
	text, err := axe()
	require.NoError(b.t, err)
	if text == "" {
		return nil
	}
	if !b.scripts {
		b.runScripts(true) // the engine's own: the page is there already
		defer b.runScripts(false)
	}
	page[bool](b, text+"; true")
	said := get(b, chromedp.Evaluate[string](`axe.run({ resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
		.then((r) => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
	var list []violation
	require.NoError(b.t, json.Unmarshal([]byte(said), &list))
	found := map[string]string{}
	for _, v := range list {
		var where []string
		for _, n := range v.Nodes {
			where = append(where, fmt.Sprintf("%s\n%s", n.HTML, n.Summary))
		}
		found[v.ID] = strings.Join(where, "\n")
	}
	return found
}
