package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const noteText = "Delete your note “Remember the milk” for ever"

// TestDeletingTheNoteInABrowser: pressed once, nothing happens but a question; confirmed and pressed again, it happens,
// and once.
func TestDeletingTheNoteInABrowser(t *testing.T) {
	t.Parallel()
	for _, language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t, startSite(t), language)
			b.signIn(ada, false)
			b.visit("/")
			b.look("note")
			require.EqualValues(t, 401, b.press("#note button"), "a sign-in of a moment ago confirms nothing")
			require.Equal(t, b.texts["confirmation.title"], b.text("h1"))
			require.Equal(t, noteText, b.text(".operation"))
			require.Equal(t, ada.address, b.text(".chip .who"))
			b.look("confirmation-asked")

			b.press("form.primary button")
			require.Equal(t, b.texts["need.fresh-proof.title"], b.text("h1"))
			require.Equal(t, noteText, b.text(".operation"), "what is confirmed stands beside the password")
			b.look("confirmation-password")
			b.prove("not the password")
			require.Equal(t, noteText, b.text(".operation"))
			require.Equal(t, b.texts["reason.bad-credentials.signed-in"], b.text(".field.wrong .error"))
			b.prove(ada.password)
			require.Equal(t, "/", b.path(), "it leads back to where the button is")
			require.Equal(t, 1, b.count("#note"), "nothing was done yet")
			confirmation := b.cookie("cardea-confirmation")
			require.NotNil(t, confirmation)
			require.True(t, confirmation.HTTPOnly)

			require.EqualValues(t, 200, b.press("#note button"))
			require.Equal(t, "/", b.path())
			require.Equal(t, 1, b.count("#no-note"))
			require.Nil(t, b.cookie("cardea-confirmation"), "it was used up")
		})
	}
}
