package presets

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/federation"
	"github.com/cardea-auth/cardea/federation/oidc"
)

// PersonalAccounts is the tenant of all personal Microsoft accounts (outlook.com and others), for
// [MicrosoftConfig].Tenants.
const PersonalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

const microsoftHost = "https://login.microsoftonline.com/"

// MicrosoftConfig is what Microsoft makes a provider from.
type MicrosoftConfig struct {
	// ClientID is the application (client) id of the app registration, and ClientSecret one of its client secrets.
	// Required.
	ClientID     string
	ClientSecret auth.Secret
	// Tenants are the directories whose people may sign in, by their ids, which are GUIDs, and [PersonalAccounts]. The
	// supported account types of the registration must allow them: with one tenant its own address is asked, with
	// several that of all. At least one is required unless AnyTenant is set.
	Tenants []string
	// AnyTenant lets in everybody with an account at Microsoft, of a company or personal. Everybody can make a tenant
	// and be its administrator, so what a tenant says of its people means nothing to others.
	AnyTenant bool
	// Reauthenticates says that the registration has the optional claim auth_time in its ID tokens (Token configuration),
	// so that the provider can serve to step up. Without the claim, such sign-ins are refused.
	Reauthenticates bool
	// ID names the provider in addresses and links; empty means "microsoft". See auth.ProviderInfo.
	ID string
	// Name is what people call it; empty means "Microsoft".
	Name string
	// HTTP are the rules for requests to Microsoft.
	HTTP federation.ClientConfig
}

// Microsoft returns a provider of Microsoft accounts: of companies, by Entra ID, and personal ones. Its error names
// every problem. The provider is safe for concurrent use.
//
// The tenant of a token must be one of Tenants, its issuer must be that tenant's, and where several may come, the key
// that signed must be good for it. Nobody is asked for keys because of what a token says.
//
// The address of an account is what its administrator typed, and may be anybody's (nOAuth); preferred_username and upn
// are no addresses at all and are not read. An address counts as asserted if the token has the optional claim xms_edov,
// by which Microsoft says that the tenant owns the address's domain, and as unverified else. The userinfo endpoint says
// nothing of that, so it is not asked.
//
// Microsoft documents that prompt=login has people authenticate anew, but tells when they did only in a claim that the
// registration asks for; see MicrosoftConfig.Reauthenticates.
func Microsoft(c MicrosoftConfig) (*oidc.Provider, error) {
	o := oidc.Config{
		Info: auth.ProviderInfo{
			ID: cmp.Or(c.ID, "microsoft"), Name: cmp.Or(c.Name, "Microsoft"), Reauthenticates: c.Reauthenticates,
		},
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, HTTP: c.HTTP,
		UserInfo: oidc.UserInfoNever, EmailTrust: microsoftTrust,
	}
	problems := []error{secretProblem(c.ClientSecret)}
	if len(c.Tenants) != 1 || c.AnyTenant {
		o.Issuer, o.DiscoveryURL = microsoftHost+"{tenantid}/v2.0", microsoftHost+c.authority()+"/v2.0"
		o.Tenants, o.AnyTenant = c.Tenants, c.AnyTenant
		return open("Microsoft", o, problems...)
	}
	tenant := strings.ToLower(c.Tenants[0])
	if !tenantID.MatchString(tenant) {
		problems = append(problems, errors.New("Tenants must be ids, which are GUIDs, and not domains"))
	}
	o.Issuer, o.RequireClaims = microsoftHost+tenant+"/v2.0", map[string]string{"tid": tenant}
	return open("Microsoft", o, problems...)
}

var tenantID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// authority is who asks people of several tenants which account they mean.
func (c MicrosoftConfig) authority() string {
	personal := func(tenant string) bool { return strings.EqualFold(tenant, PersonalAccounts) }
	if c.AnyTenant || slices.ContainsFunc(c.Tenants, personal) {
		return "common"
	}
	return "organizations"
}

// microsoftTrust takes xms_edov in the three ways in which it has been seen.
func microsoftTrust(c oidc.Claims) auth.EmailTrust {
	switch string(c.Raw("xms_edov")) {
	case "true", "1", `"1"`:
		return auth.EmailAsserted
	}
	return auth.EmailUnverified
}
