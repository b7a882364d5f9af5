package mail

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func words(t *testing.T, tag string) *catalog {
	t.Helper()
	own, err := fs.Sub(textFiles, "texts")
	require.NoError(t, err)
	l, err := newLanguages("en", own, nil)
	require.NoError(t, err)
	return l.match(tag)
}

func spaced(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	en, de := words(t, "en"), words(t, "de")
	for _, row := range []struct {
		d      time.Duration
		en, de string
	}{
		{time.Minute, "1 minute", "1 Minute"},
		{10 * time.Minute, "10 minutes", "10 Minuten"},
		{10*time.Minute - time.Microsecond, "10 minutes", "10 Minuten"}, // what a store drops
		{11*time.Minute - time.Second, "10 minutes", "10 Minuten"},
		{30 * time.Minute, "30 minutes", "30 Minuten"},
		{time.Hour, "60 minutes", "60 Minuten"},
		{90 * time.Minute, "90 minutes", "90 Minuten"},
		{2 * time.Hour, "2 hours", "2 Stunden"},
		{day, "24 hours", "24 Stunden"},
		{25*time.Hour + time.Minute, "25 hours", "25 Stunden"},
		{3 * day, "72 hours", "72 Stunden"},
		{7 * day, "7 days", "7 Tage"},
		{30 * day, "30 days", "30 Tage"},
	} {
		require.Equal(t, row.en, spaced(en.duration(row.d)), row.d)
		require.Equal(t, row.de, spaced(de.duration(row.d)), row.d)
	}
}

func TestTimesHaveTheirZone(t *testing.T) {
	at := time.Date(2026, 7, 3, 22, 5, 0, 0, time.UTC)
	en, de := words(t, "en"), words(t, "de")
	require.Equal(t, "3 July 2026, 22:05 UTC", spaced(en.exact(at, time.UTC)))
	require.Equal(t, "3. Juli 2026, 22:05 Uhr UTC", spaced(de.exact(at, time.UTC)))

	cest := time.FixedZone("CEST", 2*3600)
	require.Equal(t, "4 July 2026, 00:05 CEST", spaced(en.exact(at, cest)))
	de.words["zone.CEST"] = "MESZ"
	require.Equal(t, "4. Juli 2026, 00:05 Uhr MESZ", spaced(de.exact(at, cest)))
	require.Equal(t, "4 July 2026, 01:05 UTC+03:00", spaced(en.exact(at, time.FixedZone("+03", 3*3600))))
	require.Equal(t, "4 July 2026, 03:50 UTC+05:45", spaced(en.exact(at, time.FixedZone("", 5*3600+45*60))))
}

// TestOnlyNamesPass: what a stranger types as a name must not carry a message of the stranger's.
func TestOnlyNamesPass(t *testing.T) {
	for _, name := range []string{
		"Ada Lovelace", "Zoë O'Neil-Özgür", "J. R. R. Tolkien", "Dr. No", "Sammy Davis Jr.", "Núñez, María", "李小龍", "D’Arcy", "ÅSA", "नमस्ते",
	} {
		require.Equal(t, name, plain(name, ""), name)
	}
	require.Equal(t, "Ada", plain("  Ada ", ""))
	for _, name := range []string{
		"evil.example", "www.evil.example", "http://evil.example", "Win € at evil.example/now", "a@b.example", "Ada\nBcc: x", "Ada\r\n", "<b>Ada</b>",
		"Ada {product}", "Call 030 123456", "\u202eadA", "Ada\u0000", "Ada\u2028", strings.Repeat("a", 61), "\xff", "..", ".a", "a..b", "Ada!", "Ada?", "“Ada”", "=?utf-8?q?x?=",
		"\U0001f4b0 Ada", "Ada\tB", "Ada: sign in", "Ada\u200b", "a%0d%0a", "evil。example",
	} {
		require.Empty(t, plain(name, ""), "%q", name)
	}
}

func TestDevicesAreNamedFromAList(t *testing.T) {
	en, de := words(t, "en"), words(t, "de")
	require.Equal(t, "Firefox on Linux", en.device("Mozilla/5.0 (X11; Linux x86_64) Firefox/136.0"))
	require.Equal(t, "Chrome auf Windows", de.device("Mozilla/5.0 (Windows NT 10.0) Chrome/133 Safari/537"))
	require.Equal(t, "iPhone", en.device("Agent (iPhone; evil.example)"))
	require.Equal(t, "Unknown device", en.device("Visit evil.example <script>"))
	require.Equal(t, "Unbekanntes Gerät", de.device("curl/8"))
	require.Empty(t, en.device(""))
}

func TestNetworksAndMethods(t *testing.T) {
	en := words(t, "en")
	require.Equal(t, "203.0.113.*", network("203.0.113.0/24"))
	require.Equal(t, "2001:db8:7:*", network("2001:db8:7::/48"))
	require.Equal(t, "Berlin, Germany", network("Berlin, Germany"))
	require.Equal(t, "203.0.113.*", network("203.0.113.*"))
	require.Equal(t, "2001:db8:7:*", network("2001:db8:7:*"))
	require.Empty(t, network("bad.cafe"))
	require.Empty(t, network("<b>"))
	require.Empty(t, network(""))
	require.Equal(t, "Passkey", en.method("passkey"))
	require.Equal(t, "LinkedIn", en.method("LinkedIn"))
	require.Empty(t, en.method("https://evil.example"))
	require.Empty(t, en.method(""))
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", 100)
	require.Equal(t, "a b\n"+long+"\nc", wrap("a b "+long+" c"))
	for line := range strings.Lines(wrap(strings.Repeat("wörter ", 60))) {
		require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 72)
	}
	require.Empty(t, wrap(""))
}

func TestGroups(t *testing.T) {
	require.Equal(t, []string{"1234", "5678"}, groups("12345678"))
	require.Equal(t, []string{"123", "456"}, groups("123456"))
	require.Equal(t, []string{"1234"}, groups("1234"))
	require.Equal(t, []string{""}, groups(""))
}
