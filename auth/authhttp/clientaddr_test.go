package authhttp_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth/authhttp"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func from(peer string, forwarded ...string) *http.Request {
	return &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": forwarded}}
}

// TestClientAddress: others take the leftmost hop, or trust the header from anybody; both let a client
// choose its address (theauth-go middleware_ratelimit.go:137, limen utils.go:56, go-better-auth ratelimit.go:60).
func TestClientAddress(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.7:1", nil, "192.0.2.7"},
		{"header from a stranger", "192.0.2.7:1", []string{"198.51.100.1"}, "192.0.2.7"},
		{"one proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"made-up hop on the left", "10.0.0.1:1", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"claims to be a proxy", "10.0.0.1:1", []string{"203.0.113.5, 10.9.9.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:1", []string{"203.0.113.5, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"two lines", "10.0.0.1:1", []string{"203.0.113.5", "198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"two lines, inner proxies only in the last", "10.0.0.1:1", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"nothing but proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"proxy without the header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"garbage is the end", "10.0.0.1:1", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:1", []string{"198.51.100.1, x, 10.0.0.2"}, "10.0.0.2"},
		{"empty hop", "10.0.0.1:1", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"IPv6 with port", "[fd00::1]:1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"mapped peer", "[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"no peer", "@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, authhttp.ClientAddress(from(c.peer, c.forwarded...), proxies).String())
		})
	}
}

func TestForwardedForVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/forwarded_for.json")
	require.NoError(t, err)
	var file struct {
		Source string
		Cases  []struct{ Header, Want string }
	}
	require.NoError(t, json.Unmarshal(data, &file))
	require.NotEmpty(t, file.Cases)
	for _, c := range file.Cases {
		want := c.Want
		if want == "" {
			want = "10.0.0.1" // the proxy itself
		}
		require.Equal(t, want, authhttp.ClientAddress(from("10.0.0.1:1", c.Header), proxies).String(), "%q", c.Header)
	}
}

// FuzzForwardedFor: whatever a client puts in front of what the proxy appended changes nothing.
func FuzzForwardedFor(f *testing.F) {
	f.Add("203.0.113.5")
	f.Add("10.0.0.2, 10.0.0.3,")
	f.Add("[::1]:1, x")
	f.Fuzz(func(t *testing.T, sent string) {
		got := authhttp.ClientAddress(from("10.0.0.1:1", sent+", 198.51.100.1, 10.0.0.2"), proxies)
		require.Equal(t, "198.51.100.1", got.String())
		alone := authhttp.ClientAddress(from("10.0.0.1:1", sent), proxies)
		require.True(t, alone.IsValid() && alone.Zone() == "" && !alone.Is4In6())
	})
}
