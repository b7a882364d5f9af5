package federation

import (
	"io"
	"net/http"
)

// guard is around every request, those after redirects too.
type guard struct {
	next        http.RoundTripper
	maxBody     int64
	development bool
}

// RoundTrip refuses what is not https, and bounds the answer.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if !secure(r.URL, g.development) {
		if r.Body != nil {
			_ = r.Body.Close() // as every RoundTripper must
		}
		return nil, ErrInsecure
	}
	response, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.ContentLength > g.maxBody {
		_ = response.Body.Close()
		return nil, ErrTooLarge
	}
	// The transport below decompresses, so what is counted here is what would fill the memory: a kilobyte of gzip can
	// be a megabyte of zeros.
	response.Body = &bounded{ReadCloser: response.Body, left: g.maxBody}
	return response, nil
}

// CloseIdleConnections closes those of the transport below.
func (g *guard) CloseIdleConnections() {
	if c, ok := g.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// bounded is a body that fails past its bound. Ending there instead would hand over half of a text as a whole one.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more than there may be, to see whether there is
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
