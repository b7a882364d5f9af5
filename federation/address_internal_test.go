package federation

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddresses(t *testing.T) {
	const never, dev, private, always = "never", "development", "private", "always"
	for address, when := range map[string]string{
		"8.8.8.8": always, "1.1.1.1": always, "172.15.255.255": always, "172.32.0.0": always, "100.63.255.255": always, "100.128.0.0": always,
		"192.0.1.0": always, "198.17.255.255": always, "198.20.0.0": always, "223.255.255.255": always,
		"2606:4700::1111": always, "2001:4860:4860::8888": always, "::ffff:8.8.8.8": always, "64:ff9b::8.8.8.8": always,
		"127.0.0.1": dev, "127.255.255.254": dev, "::1": dev, "::ffff:127.0.0.1": dev, "64:ff9b::127.0.0.1": dev,
		"10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private, "192.168.1.1": private, "100.64.0.1": private, "100.127.255.255": private,
		"fd00::1": private, "fc00::1": private, "::ffff:10.0.0.1": private, "64:ff9b::10.0.0.1": private, "64:ff9b::192.168.0.1": private,
		"0.0.0.0": never, "0.1.2.3": never, "::": never, "169.254.169.254": never, "169.254.0.1": never, "::ffff:169.254.169.254": never,
		"64:ff9b::169.254.169.254": never, "64:ff9b::0.0.0.0": never, "64:ff9b:1::10.0.0.1": never, "fe80::1": never, "fe80::1%eth0": never, "2606:4700::1%eth0": never,
		"fec0::1": never, "fd00::1%eth0": never, "224.0.0.1": never, "239.255.255.255": never, "240.0.0.1": never, "255.255.255.255": never, "ff02::1": never,
		"192.0.0.1": never, "192.0.2.1": never, "198.18.0.1": never, "198.19.255.255": never, "198.51.100.1": never, "203.0.113.1": never, "192.88.99.1": never,
		"2001:db8::1": never, "2002:a00:1::": never, "2001:0:a00:1::": never, "3fff::1": never, "::127.0.0.1": never, "::10.0.0.1": never, "100::1": never,
		"4000::1": never, "5f00::1": never,
	} {
		for _, c := range []ClientConfig{{}, {Development: true}, {AllowPrivate: true}, {Development: true, AllowPrivate: true}} {
			want := when == always || when == dev && c.Development || when == private && c.AllowPrivate
			host := address
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			require.Equal(t, want, c.mayDial(host+":443"), "%s with %+v", address, c)
		}
	}
	for _, odd := range []string{"", "8.8.8.8", "example.com:443", "8.8.8.8:", "/var/run/docker.sock", "[::]:"} {
		require.False(t, ClientConfig{}.mayDial(odd), odd)
	}
}
