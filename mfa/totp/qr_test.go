package totp_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/mfa/totp"
)

// drawing is what a reader of XML sees of an SVG.
type drawing struct {
	size  int
	title string
	dark  map[[2]int]bool // the modules that are black, by column and row
}

// attributes are all that the SVG may have: none that runs, loads or refers to anything.
var attributes = map[string][]string{
	"svg": {"xmlns", "viewBox", "width", "height", "role", "shape-rendering"}, "title": nil, "rect": {"width", "height", "fill"}, "path": {"fill", "d"},
}

// drawn reads an SVG and requires that there is nothing in it but the code and its title.
func drawn(t *testing.T, svg string) drawing {
	t.Helper()
	d := drawing{dark: map[[2]int]bool{}}
	var names []string
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		switch e := token.(type) {
		case xml.StartElement:
			names = append(names, e.Name.Local)
			drawElement(t, &d, e)
		case xml.CharData:
			require.Equal(t, "title", names[len(names)-1], "text outside the title")
			d.title += string(e)
		case xml.EndElement:
		default:
			require.Fail(t, "strange token", "%T", e)
		}
	}
	require.Equal(t, []string{"svg", "title", "rect", "path"}, names)
	return d
}

func drawElement(t *testing.T, d *drawing, e xml.StartElement) {
	t.Helper()
	values := map[string]string{}
	for _, a := range e.Attr {
		require.Contains(t, attributes[e.Name.Local], a.Name.Local)
		values[a.Name.Local] = a.Value
	}
	switch e.Name.Local {
	case "svg":
		_, err := fmt.Sscanf(values["viewBox"], "0 0 %d", &d.size)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("0 0 %d %[1]d", d.size), values["viewBox"])
		require.Equal(t, "http://www.w3.org/2000/svg", e.Name.Space)
		require.Equal(t, "img", values["role"])
		require.Equal(t, "crispEdges", values["shape-rendering"])
		require.Equal(t, fmt.Sprint(5*d.size), values["width"])
		require.Equal(t, values["width"], values["height"])
	case "rect":
		require.Equal(t, map[string]string{"width": fmt.Sprint(d.size), "height": fmt.Sprint(d.size), "fill": "#fff"}, values, "a white ground under all of it")
	case "path":
		require.Equal(t, "#000", values["fill"])
		run := regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
		require.Empty(t, run.ReplaceAllString(values["d"], ""))
		for _, m := range run.FindAllStringSubmatch(values["d"], -1) {
			var x, y, n, back int
			_, err := fmt.Sscan(strings.Join(m[1:], " "), &x, &y, &n, &back)
			require.NoError(t, err)
			require.Equal(t, n, back, "a closed rectangle")
			for i := range n {
				require.False(t, d.dark[[2]int{x + i, y}], "drawn twice")
				d.dark[[2]int{x + i, y}] = true
			}
		}
	}
}

func TestQRCodeIsThatOfTheURI(t *testing.T) {
	for _, label := range []string{"m", "mia@example.org", strings.Repeat("ü", 127)} {
		p, err := verifier(t, totp.Config{Algorithm: totp.SHA512, Digits: 8}).Pair("r1", "a1", label)
		require.NoError(t, err)
		svg, err := new(totp.Verifier).QR(p, "Scan me")
		require.NoError(t, err)
		d := drawn(t, svg.Reveal())
		require.Equal(t, "Scan me", d.title)

		want, err := qr.Encode(p.URI.Reveal(), qr.M, qr.Auto)
		require.NoError(t, err)
		require.Equal(t, want.Bounds().Dx()+8, d.size, "four modules of quiet on each side")
		for y := range d.size {
			for x := range d.size {
				inside := x >= 4 && y >= 4 && x < d.size-4 && y < d.size-4
				black := false
				if inside {
					r, g, b, a := want.At(x-4, y-4).RGBA()
					require.EqualValues(t, 0xffff, a)
					black = r+g+b == 0
				}
				require.Equal(t, black, d.dark[[2]int{x, y}], "column %d, row %d", x, y)
			}
		}
		for i := range 7 { // the upper edge of the three squares by which a phone finds the code
			require.True(t, d.dark[[2]int{4 + i, 4}] && d.dark[[2]int{d.size - 5 - i, 4}] && d.dark[[2]int{4 + i, d.size - 11}])
		}
	}
}

// The title is in the person's language and may hold the account's name: text of others in a page of ours.
func TestTitlesStayText(t *testing.T) {
	_, p := paired(t, verifier(t, totp.Config{}))
	for _, title := range []string{
		"", "QR-Code für „mia“", `</title><script>alert(1)</script>`, `"><image href="https://evil.example/x.png"/>`, "]]>", "<!-- ", "&lt;&amp;", "&#x3c;b&#62;",
		`' onload='x`, "<![CDATA[", "<?xml?>", "日本語",
	} {
		svg, err := new(totp.Verifier).QR(p, title)
		require.NoError(t, err)
		require.Equal(t, title, drawn(t, svg.Reveal()).title)
		require.Equal(t, 1, strings.Count(svg.Reveal(), "</title>"))
	}
	svg, err := new(totp.Verifier).QR(p, "a\x00\x1b\xffb")
	require.NoError(t, err)
	require.Equal(t, "a\ufffd\ufffd\ufffdb", drawn(t, svg.Reveal()).title)
	_, err = new(totp.Verifier).QR(totp.Pairing{}, "nothing")
	require.Error(t, err)
}

// The library that encodes quotes the content in its errors, which is the key.
func TestErrorsOfDrawingHoldNoKey(t *testing.T) {
	_, p := paired(t, verifier(t, totp.Config{Issuer: strings.Repeat("ü", 32)}))
	svg, err := new(totp.Verifier).QR(totp.Pairing{URI: auth.NewSecret(p.URI.Reveal() + strings.Repeat("x", 3000))}, "too long")
	require.Error(t, err)
	require.True(t, svg.IsZero())
	require.NotContains(t, err.Error(), "otpauth")
}
