package gothsurvey_test

import (
	"net/http"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/amazon"
	"github.com/markbates/goth/providers/apple"
	"github.com/markbates/goth/providers/auth0"
	"github.com/markbates/goth/providers/azuread"
	"github.com/markbates/goth/providers/azureadv2"
	"github.com/markbates/goth/providers/battlenet"
	"github.com/markbates/goth/providers/bitbucket"
	"github.com/markbates/goth/providers/bitly"
	"github.com/markbates/goth/providers/box"
	"github.com/markbates/goth/providers/classlink"
	"github.com/markbates/goth/providers/cloudfoundry"
	"github.com/markbates/goth/providers/cognito"
	"github.com/markbates/goth/providers/dailymotion"
	"github.com/markbates/goth/providers/deezer"
	"github.com/markbates/goth/providers/digitalocean"
	"github.com/markbates/goth/providers/discord"
	"github.com/markbates/goth/providers/dropbox"
	"github.com/markbates/goth/providers/eveonline"
	"github.com/markbates/goth/providers/facebook"
	"github.com/markbates/goth/providers/faux"
	"github.com/markbates/goth/providers/fitbit"
	"github.com/markbates/goth/providers/gitea"
	"github.com/markbates/goth/providers/github"
	"github.com/markbates/goth/providers/gitlab"
	"github.com/markbates/goth/providers/google"
	"github.com/markbates/goth/providers/gplus"
	"github.com/markbates/goth/providers/heroku"
	"github.com/markbates/goth/providers/hubspot"
	"github.com/markbates/goth/providers/influxcloud"
	"github.com/markbates/goth/providers/instagram"
	"github.com/markbates/goth/providers/intercom"
	"github.com/markbates/goth/providers/kakao"
	"github.com/markbates/goth/providers/lark"
	"github.com/markbates/goth/providers/lastfm"
	"github.com/markbates/goth/providers/line"
	"github.com/markbates/goth/providers/linkedin"
	"github.com/markbates/goth/providers/mailru"
	"github.com/markbates/goth/providers/mastodon"
	"github.com/markbates/goth/providers/meetup"
	"github.com/markbates/goth/providers/microsoftonline"
	"github.com/markbates/goth/providers/naver"
	"github.com/markbates/goth/providers/nextcloud"
	"github.com/markbates/goth/providers/okta"
	"github.com/markbates/goth/providers/onedrive"
	"github.com/markbates/goth/providers/openidConnect"
	"github.com/markbates/goth/providers/oura"
	"github.com/markbates/goth/providers/patreon"
	"github.com/markbates/goth/providers/paypal"
	"github.com/markbates/goth/providers/reddit"
	"github.com/markbates/goth/providers/salesforce"
	"github.com/markbates/goth/providers/seatalk"
	"github.com/markbates/goth/providers/shopify"
	"github.com/markbates/goth/providers/slack"
	"github.com/markbates/goth/providers/soundcloud"
	"github.com/markbates/goth/providers/spotify"
	"github.com/markbates/goth/providers/steam"
	"github.com/markbates/goth/providers/strava"
	"github.com/markbates/goth/providers/stripe"
	"github.com/markbates/goth/providers/tiktok"
	"github.com/markbates/goth/providers/tumblr"
	"github.com/markbates/goth/providers/twitch"
	"github.com/markbates/goth/providers/twitter"
	"github.com/markbates/goth/providers/twitterv2"
	"github.com/markbates/goth/providers/typetalk"
	"github.com/markbates/goth/providers/uber"
	"github.com/markbates/goth/providers/vk"
	"github.com/markbates/goth/providers/wechat"
	"github.com/markbates/goth/providers/wecom"
	"github.com/markbates/goth/providers/wepay"
	"github.com/markbates/goth/providers/xero"
	"github.com/markbates/goth/providers/yahoo"
	"github.com/markbates/goth/providers/yammer"
	"github.com/markbates/goth/providers/yandex"
	"github.com/markbates/goth/providers/zoom"
)

const id, secret = "client-id", "client-secret-of-ours"

// survey is every provider that comes with goth, what becomes of it, and how it is made.
var survey = []struct {
	name    string
	verdict verdict
	make    func(client *http.Client, to string) goth.Provider
}{
	{"amazon", taken, func(client *http.Client, to string) goth.Provider { return amazon.New(id, secret, to) }},
	{"apple", preset, func(client *http.Client, to string) goth.Provider { return apple.New(id, secret, to, client) }},
	{"auth0", openIDConnect, func(client *http.Client, to string) goth.Provider { return auth0.New(id, secret, to, "auth0.example") }},
	{"azuread", byAddress, func(client *http.Client, to string) goth.Provider { return azuread.New(id, secret, to, nil) }},
	{"azureadv2", preset, func(client *http.Client, to string) goth.Provider {
		return azureadv2.New(id, secret, to, azureadv2.ProviderOptions{})
	}},
	{"battlenet", taken, func(client *http.Client, to string) goth.Provider { return battlenet.New(id, secret, to) }},
	{"bitbucket", taken, func(client *http.Client, to string) goth.Provider { return bitbucket.New(id, secret, to) }},
	{"bitly", taken, func(client *http.Client, to string) goth.Provider { return bitly.New(id, secret, to) }},
	{"box", taken, func(client *http.Client, to string) goth.Provider { return box.New(id, secret, to) }},
	{"classlink", taken, func(client *http.Client, to string) goth.Provider { return classlink.New(id, secret, to) }},
	{"cloudfoundry", taken, func(client *http.Client, to string) goth.Provider {
		return cloudfoundry.New("https://cf.example", id, secret, to)
	}},
	{"cognito", openIDConnect, func(client *http.Client, to string) goth.Provider {
		return cognito.New(id, secret, "https://org.example", to)
	}},
	{"dailymotion", ownClient, func(client *http.Client, to string) goth.Provider { return dailymotion.New(id, secret, to) }},
	{"deezer", taken, func(client *http.Client, to string) goth.Provider { return deezer.New(id, secret, to) }},
	{"digitalocean", taken, func(client *http.Client, to string) goth.Provider { return digitalocean.New(id, secret, to) }},
	{"discord", ownClient, func(client *http.Client, to string) goth.Provider { return discord.New(id, secret, to) }},
	{"dropbox", taken, func(client *http.Client, to string) goth.Provider { return dropbox.New(id, secret, to) }},
	{"eveonline", taken, func(client *http.Client, to string) goth.Provider { return eveonline.New(id, secret, to) }},
	{"facebook", taken, func(client *http.Client, to string) goth.Provider { return facebook.New(id, secret, to) }},
	{"faux", fake, func(client *http.Client, to string) goth.Provider { return &faux.Provider{} }},
	{"fitbit", ownClient, func(client *http.Client, to string) goth.Provider { return fitbit.New(id, secret, to) }},
	{"gitea", taken, func(client *http.Client, to string) goth.Provider { return gitea.New(id, secret, to) }},
	{"github", taken, func(client *http.Client, to string) goth.Provider { return github.New(id, secret, to) }},
	{"gitlab", taken, func(client *http.Client, to string) goth.Provider { return gitlab.New(id, secret, to) }},
	{"google", preset, func(client *http.Client, to string) goth.Provider { return google.New(id, secret, to) }},
	{"gplus", preset, func(client *http.Client, to string) goth.Provider { return gplus.New(id, secret, to) }},
	{"heroku", taken, func(client *http.Client, to string) goth.Provider { return heroku.New(id, secret, to) }},
	{"hubspot", taken, func(client *http.Client, to string) goth.Provider { return hubspot.New(id, secret, to) }},
	{"influxcloud", taken, func(client *http.Client, to string) goth.Provider { return influxcloud.New(id, secret, to) }},
	{"instagram", taken, func(client *http.Client, to string) goth.Provider { return instagram.New(id, secret, to) }},
	{"intercom", ownClient, func(client *http.Client, to string) goth.Provider { return intercom.New(id, secret, to) }},
	{"kakao", taken, func(client *http.Client, to string) goth.Provider { return kakao.New(id, secret, to) }},
	{"lark", ownProtocol, func(client *http.Client, to string) goth.Provider { return lark.New(id, secret, to) }},
	{"lastfm", ownProtocol, func(client *http.Client, to string) goth.Provider { return lastfm.New(id, secret, to) }},
	{"line", taken, func(client *http.Client, to string) goth.Provider { return line.New(id, secret, to) }},
	{"linkedin", preset, func(client *http.Client, to string) goth.Provider { return linkedin.New(id, secret, to) }},
	{"mailru", ownClient, func(client *http.Client, to string) goth.Provider { return mailru.New(id, secret, to) }},
	{"mastodon", taken, func(client *http.Client, to string) goth.Provider { return mastodon.New(id, secret, to) }},
	{"meetup", taken, func(client *http.Client, to string) goth.Provider { return meetup.New(id, secret, to) }},
	{"microsoftonline", preset, func(client *http.Client, to string) goth.Provider { return microsoftonline.New(id, secret, to) }},
	{"naver", taken, func(client *http.Client, to string) goth.Provider { return naver.New(id, secret, to) }},
	{"nextcloud", taken, func(client *http.Client, to string) goth.Provider {
		return nextcloud.NewCustomisedDNS(id, secret, to, "https://cloud.example")
	}},
	{"okta", openIDConnect, func(client *http.Client, to string) goth.Provider {
		return okta.New(id, secret, "https://org.example", to)
	}},
	{"onedrive", byAddress, func(client *http.Client, to string) goth.Provider { return onedrive.New(id, secret, to) }},
	{"openidConnect", openIDConnect, func(client *http.Client, to string) goth.Provider {
		return must(openidConnect.NewCustomisedURL(id, secret, to, "https://op.example/a", "https://op.example/t", "https://op.example", "", ""))
	}},
	{"oura", ownClient, func(client *http.Client, to string) goth.Provider { return oura.New(id, secret, to) }},
	{"patreon", taken, func(client *http.Client, to string) goth.Provider { return patreon.New(id, secret, to) }},
	{"paypal", taken, func(client *http.Client, to string) goth.Provider { return paypal.New(id, secret, to) }},
	{"reddit", ownClient, func(client *http.Client, to string) goth.Provider {
		return pointer(reddit.New(id, secret, to, "permanent", "https://www.reddit.com/api/v1/access_token", "https://oauth.reddit.com/api/v1/me"))
	}},
	{"salesforce", taken, func(client *http.Client, to string) goth.Provider { return salesforce.New(id, secret, to) }},
	{"seatalk", ownClient, func(client *http.Client, to string) goth.Provider { return seatalk.New(id, secret, to) }},
	{"shopify", needsMore, func(client *http.Client, to string) goth.Provider { return shopify.New(id, secret, to) }},
	{"slack", taken, func(client *http.Client, to string) goth.Provider { return slack.New(id, secret, to) }},
	{"soundcloud", taken, func(client *http.Client, to string) goth.Provider { return soundcloud.New(id, secret, to) }},
	{"spotify", taken, func(client *http.Client, to string) goth.Provider { return spotify.New(id, secret, to) }},
	{"steam", openID2, func(client *http.Client, to string) goth.Provider { return steam.New(id, to) }},
	{"strava", taken, func(client *http.Client, to string) goth.Provider { return strava.New(id, secret, to) }},
	{"stripe", taken, func(client *http.Client, to string) goth.Provider { return stripe.New(id, secret, to) }},
	{"tiktok", ownProtocol, func(client *http.Client, to string) goth.Provider { return tiktok.New(id, secret, to) }},
	{"tumblr", oauth1, func(client *http.Client, to string) goth.Provider { return tumblr.New(id, secret, to) }},
	{"twitch", taken, func(client *http.Client, to string) goth.Provider { return twitch.New(id, secret, to) }},
	{"twitter", oauth1, func(client *http.Client, to string) goth.Provider { return twitter.New(id, secret, to) }},
	{"twitterv2", oauth1, func(client *http.Client, to string) goth.Provider { return twitterv2.New(id, secret, to) }},
	{"typetalk", taken, func(client *http.Client, to string) goth.Provider { return typetalk.New(id, secret, to) }},
	{"uber", taken, func(client *http.Client, to string) goth.Provider { return uber.New(id, secret, to) }},
	{"vk", taken, func(client *http.Client, to string) goth.Provider { return vk.New(id, secret, to) }},
	{"wechat", ownProtocol, func(client *http.Client, to string) goth.Provider {
		return wechat.New(id, secret, to, wechat.WECHAT_LANG_EN)
	}},
	{"wecom", ownProtocol, func(client *http.Client, to string) goth.Provider { return wecom.New(id, secret, "agent", to) }},
	{"wepay", taken, func(client *http.Client, to string) goth.Provider { return wepay.New(id, secret, to) }},
	{"xero", oauth1, func(client *http.Client, to string) goth.Provider { return xero.New(id, secret, to) }},
	{"yahoo", taken, func(client *http.Client, to string) goth.Provider { return yahoo.New(id, secret, to) }},
	{"yammer", taken, func(client *http.Client, to string) goth.Provider { return yammer.New(id, secret, to) }},
	{"yandex", ownClient, func(client *http.Client, to string) goth.Provider { return yandex.New(id, secret, to) }},
	{"zoom", taken, func(client *http.Client, to string) goth.Provider { return zoom.New(id, secret, to) }},
}

func must[P any](p P, err error) P {
	if err != nil {
		panic(err)
	}
	return p
}

func pointer[P any](p P) *P { return &p }
