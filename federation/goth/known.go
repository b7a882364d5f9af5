package viagoth

import (
	"reflect"
	"strings"

	"github.com/markbates/goth"
)

// home is where the providers are that come with goth.
const home = "github.com/markbates/goth/providers/"

// Why some of them are refused.
const (
	engine  = "it is OpenID Connect and goth does not check its ID token; use federation/oidc"
	preset  = "use its preset in federation/presets, which checks its ID token"
	oauth1  = "it is OAuth 1.0, which has no state, so that an answer can be put into somebody else's browser"
	own     = "its protocol is not OAuth 2.0"
	bypass  = "it redeems codes with an HTTP client of its own, so that no code verifier, limit or deadline reaches it"
	address = "it knows people by an address, which can be somebody else's tomorrow; use federation/presets"
)

// refusals are the providers of goth v1.82.0 that are no good here.
var refusals = map[string]string{
	"openidConnect": engine, "okta": engine, "auth0": engine, "cognito": engine,

	"google": preset, "gplus": preset, "apple": preset, "azureadv2": preset, "microsoftonline": preset, "linkedin": preset,
	"azuread": address, "onedrive": address,

	"twitter": oauth1, "twitterv2": oauth1, "tumblr": oauth1, "xero": oauth1,
	"steam":  "it is OpenID 2.0, which has no state, so that an answer can be put into somebody else's browser",
	"lastfm": own, "lark": own, "wechat": own, "wecom": own, "tiktok": own,
	"shopify": "it needs more of an answer than the code, which nothing here vouches for",

	"dailymotion": bypass, "discord": bypass, "fitbit": bypass, "intercom": bypass, "mailru": bypass, "oura": bypass,
	"reddit": bypass, "seatalk": bypass, "yandex": bypass,

	"faux": "it is goth's fake and takes everybody's word",
}

// What the report should tell of some.
const (
	inAddress = "Goth puts its access token in the address of requests, where logs keep it; TokenInHeader moves it if the API allows."
	inPath    = "Goth puts its access token in the address of a request, where logs keep it."
)

// seen are the providers of goth v1.82.0 that were seen to make all requests of a trip with the client that they
// are given, and what there is to tell of them.
var seen = map[string]string{
	"amazon": inAddress, "battlenet": "", "bitbucket": "", "bitly": "", "box": "", "classlink": "", "cloudfoundry": "", "deezer": inAddress,
	"digitalocean": "", "dropbox": "",
	"eveonline": "It knows characters, and a character can be sold.",
	"facebook":  inAddress, "gitea": inAddress, "github": "", "gitlab": inAddress, "heroku": "", "hubspot": inPath, "influxcloud": inAddress,
	"instagram": inAddress, "kakao": "", "line": "", "mastodon": "", "meetup": "", "naver": "",
	"nextcloud": "It knows people by login names, which its administrators can give to somebody else.",
	"patreon":   "", "paypal": inAddress, "salesforce": "",
	"slack":      "Its user ids are promised to be unique within a workspace only.",
	"soundcloud": inAddress, "spotify": "", "strava": inAddress, "stripe": "", "twitch": "", "typetalk": inAddress, "uber": "", "vk": inAddress,
	"wepay": "", "yahoo": "", "yammer": "", "zoom": "",
}

// nameOf returns the name of a provider that comes with goth, by its type: Name can be set to anything. Others have none.
func nameOf(g goth.Provider) string {
	t := reflect.TypeOf(g)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name, ok := strings.CutPrefix(t.PkgPath(), home)
	if !ok {
		return ""
	}
	return name
}
