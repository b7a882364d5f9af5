package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestActivityInABrowser: somebody guesses, and the owner reads of it on the account page, beside what they did
// themselves, in the page's own language.
func TestActivityInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			s := startSite(t)
			b := openBrowser(t, s, language)
			b.noScripts()
			eve := b.another()
			eve.visit(secretPage)
			eve.identify(ada.address, false)
			for range 3 {
				eve.prove("not the password of ada")
			}
			b.signIn(ada, false)
			b.pairApp()
			other := b.another()
			other.toSecondFactor(ada)
			other.write("code", "000000")
			other.press("form.primary button")

			b.visit(secretPage)
			b.visit("/auth/account#activity")
			list := b.text("table[aria-labelledby=activity]")
			at := -1
			for _, want := range []string{
				b.texts["activity.second-step-failed"], b.texts["activity.factor-added"], b.texts["activity.new-device"],
				b.texts["activity.attempt-failed.password"], strings.ReplaceAll(b.texts["account.times.other"], "{n}", "3"), b.texts["activity.account-created"],
			} {
				next := strings.Index(list, want)
				require.Greater(t, next, at, "%q in %s", want, list)
				at = next
			}
			require.NotZero(t, b.count("table[aria-labelledby=activity] tr.attempt time[title]"))
			b.look("activity")
		})
	}
}
