package mail_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files; read the difference before committing it")

// TestGolden holds every kind in both languages against testdata. The links and codes in there are made up.
func TestGolden(t *testing.T) {
	r := newRenderer(t, nil)
	for _, kind := range everyKind {
		for _, tag := range []string{"en", "de"} {
			t.Run(string(kind)+"/"+tag, func(t *testing.T) {
				m, err := r.Render(letterOf(kind, tag))
				require.NoError(t, err)
				golden(t, string(kind)+"."+tag+".txt", "Subject: "+m.Subject+"\n\n"+m.Text.Reveal())
				golden(t, string(kind)+"."+tag+".html", m.HTML.Reveal())
			})
		}
	}
}

// TestGoldenMIME shows one whole message as it leaves.
func TestGoldenMIME(t *testing.T) {
	m, err := newRenderer(t, nil).Render(letterOf("reset", "de"))
	require.NoError(t, err)
	whole, err := m.MIME()
	require.NoError(t, err)
	golden(t, "reset.de.eml", string(bytes.ReplaceAll(whole, []byte("\r\n"), []byte("\n"))))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, name)
}
