package auth

import "strings"

// providerSection is what a provider says of itself, and what that means here.
func (s *Service) providerSection(p Provider) ReportSection {
	info := p.Info()
	_, tells := as[LogoutVerifier](p)
	rows := []ReportRow{
		{"id", info.ID, "names it in addresses, links and sessions"},
		{"answers at", s.cfg.Callbacks + info.ID + "/callback", "the redirect address to register with it; ASVS 10.2.2: each has its own"},
		either(info.FormPost, "answers", told{"by a form that the browser posts from its site", "parked, and continued where our cookie arrives"},
			told{"in the address", ""}),
		either(info.NoPKCE, "PKCE", told{"not used: it cannot", "ASVS 10.2.1; the state alone keeps forged answers out"}, told{"S256", "ASVS 10.2.1"}),
		either(info.NoNonce, "nonce", told{"not used: it cannot", "ASVS 10.5.1"}, told{"compared", "ASVS 10.5.1"}),
		either(info.Reauthenticates, "serves to step up", told{"yes", "it authenticates people anew when asked to, and tells when it did"},
			told{"no", "it does not promise to authenticate people anew and to tell when it did; ASVS 6.8.4"}),
		either(len(info.Vouches) > 0, "counts as two factors", told{"with the class " + strings.Join(info.Vouches, " or "), "its acr, as the host trusts it"},
			told{"never", "a second factor is asked for as after a password"}),
		either(tells && s.cfg.ProviderSessions != nil, "can end sessions here", told{"yes", "by logout tokens, at " + s.cfg.Callbacks + info.ID + "/logout; OpenID Connect Back-Channel Logout; ASVS 10.5.5"},
			told{"no", ""}),
	}
	if info.NoPKCE && info.NoNonce {
		rows = append(rows, ReportRow{"a code that was stolen from a browser", "serves in the thief's sign-in", "it has neither PKCE nor a nonce"})
	}
	for _, note := range info.Notes {
		rows = append(rows, ReportRow{"note", note, ""})
	}
	return ReportSection{"Provider " + info.Name, rows}
}

// told is what a row says.
type told struct{ value, note string }

func either(yes bool, name string, one, other told) ReportRow {
	if yes {
		other = one
	}
	return ReportRow{name, other.value, other.note}
}
