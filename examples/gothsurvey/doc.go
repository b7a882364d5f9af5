// Package gothsurvey looks at every provider that comes with goth, to show that federation/goth is right about which it
// takes and why it refuses the others. It is no example of anything but that: it links all of goth's providers, which no
// host should. Its tests fail if a new version of goth has another one, or has mended one.
package gothsurvey
