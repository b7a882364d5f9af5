package totp

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/cardea-auth/cardea/auth"
)

const (
	// quiet is the width of the blank border in modules, without which readers do not find the code (ISO/IEC
	// 18004 §6.3.8).
	quiet = 4
	// modulePixels is the size of a module where the page says no other.
	modulePixels = 5
)

// QR returns the URI as a QR code: one svg element, for a page or a file. It is a Secret, as it shows the key.
//
// The title is what a screen reader says instead; it may hold any text. The code is black on white of its own,
// also on a dark page, where a light code on dark ground is one that many apps do not read. The element has
// no script, style, link or id, so that it needs nothing of a Content-Security-Policy. An error means that
// the pairing is empty.
func (*Verifier) QR(p Pairing, title string) (auth.Secret, error) {
	if p.URI.IsZero() {
		return auth.Secret{}, errors.New("totp: draw: the pairing is empty")
	}
	// Level M restores 15 % of the code: enough for a screen, and fewer modules than the levels above.
	code, err := qr.Encode(p.URI.Reveal(), qr.M, qr.Auto)
	if err != nil {
		return auth.Secret{}, errors.New("totp: draw: the URI does not fit") // err would quote the key
	}
	size := code.Bounds().Dx() + 2*quiet
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %[1]d" width="%d" height="%[2]d"`, size, size*modulePixels)
	b.WriteString(` role="img" shape-rendering="crispEdges"><title>`)
	_ = xml.EscapeText(&b, []byte(title)) // a Builder takes everything
	fmt.Fprintf(&b, `</title><rect width="%d" height="%[1]d" fill="#fff"/><path fill="#000" d="`, size)
	drawRows(&b, code)
	b.WriteString(`"/></svg>`)
	return auth.NewSecret(b.String()), nil
}

// drawRows writes each run of dark modules in a row as one rectangle.
func drawRows(b *strings.Builder, code barcode.Barcode) {
	size := code.Bounds().Dx()
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(code, x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(b, "M%d %dh%dv1h-%[3]dz", from+quiet, y+quiet, x-from)
			}
		}
	}
}

func dark(code barcode.Barcode, x, y int) bool {
	red, _, _, _ := code.At(x, y).RGBA()
	return red == 0
}
