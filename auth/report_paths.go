package auth

import (
	"strings"

	"github.com/cardea-auth/cardea/auth/flow"
)

// way is proofs that together can end in a session, in words.
type way struct {
	words  string
	proofs []flow.Proof
}

func word(m flow.Method) string { return strings.ReplaceAll(m.String(), "-", " ") }

// paths are the ways to a session of the methods that are configured. Recovery, activation and sign-up never
// end in one.
func (s *Service) paths() []ReportPath {
	ways := s.withSecond(way{word(flow.Password), []flow.Proof{{Method: flow.Password}}})
	if s.secondFactors().Has(flow.Passkey) {
		ways = append(ways,
			way{word(flow.Passkey), []flow.Proof{{Method: flow.Passkey}}},
			way{"passkey that verified its user", []flow.Proof{{Method: flow.Passkey, Verified: true}}})
	}
	var list []ReportPath
	for _, goal := range []flow.Goal{flow.SignIn, flow.StepUp, flow.Enrolment} {
		for _, w := range append(ways[:len(ways):len(ways)], s.socialWays(goal)...) {
			list = append(list, ReportPath{goal.String(), w.words, flow.AssuranceOf(w.proofs).String()})
		}
	}
	return list
}

// withSecond is a way by itself and with each second factor.
func (s *Service) withSecond(first way) []way {
	ways := []way{first}
	for _, m := range s.secondFactors().List() {
		proofs := append(first.proofs[:len(first.proofs):len(first.proofs)], flow.Proof{Method: m})
		ways = append(ways, way{first.words + " and " + word(m), proofs})
	}
	return ways
}

// socialWays are those by a social provider. To sign in, each of them serves; for what must be fresh, those that
// authenticate people anew.
func (s *Service) socialWays(goal flow.Goal) (ways []way) {
	var names, vouching []string
	for _, p := range s.cfg.Providers {
		info := p.Info()
		if goal != flow.SignIn && !info.Reauthenticates {
			continue
		}
		names = append(names, info.Name)
		if len(info.Vouches) > 0 {
			vouching = append(vouching, info.Name)
		}
	}
	if len(names) > 0 {
		ways = s.withSecond(way{"social (" + strings.Join(names, ", ") + ")", []flow.Proof{{Method: flow.Social}}})
	}
	if len(vouching) > 0 {
		ways = append(ways, way{
			"social that vouches for two factors (" + strings.Join(vouching, ", ") + ")", []flow.Proof{{Method: flow.Social, Upstream: flow.AAL2}},
		})
	}
	return ways
}
