package auth

import (
	"context"
	"fmt"
	"slices"
)

// shownOf is how many of the entries that are shown each class has for itself; see ActivityClass.
var shownOf = [...]int{ActivityAttempt: 5, ActivityUse: 8, ActivityChange: 7}

// Activity lists what happened lately with the acting session's account, the newest first: at most 20 entries. Each
// class has room of its own in them, 5 attempts, 8 uses and 7 changes, and has more only where another needs less. It
// is empty where nothing is kept.
func (s *Service) Activity(ctx context.Context, acting Session) ([]Activity, error) {
	if s.cfg.Activity == nil {
		return nil, nil
	}
	limit := 0
	for _, n := range keptOf {
		limit += n
	}
	all, err := s.cfg.Activity.ListActivity(ctx, acting.Account, s.now(), limit)
	if err != nil {
		return nil, fmt.Errorf("auth: list activity: %w", err)
	}
	return shown(all), nil
}

// shown picks the newest entries, of each class its share, and what one does not need for the others.
func shown(all []Activity) []Activity {
	var there, room [len(shownOf)]int
	for _, a := range all {
		there[a.Class]++
	}
	spare := 0
	for class, share := range shownOf {
		room[class] = min(share, there[class])
		spare += share - room[class]
	}
	for _, class := range []ActivityClass{ActivityChange, ActivityUse, ActivityAttempt} {
		more := min(spare, there[class]-room[class])
		room[class] += more
		spare -= more
	}
	return slices.DeleteFunc(all, func(a Activity) bool {
		room[a.Class]--
		return room[a.Class] < 0
	})
}

func (s *Service) activitySection() ReportSection {
	if s.cfg.Activity == nil {
		return ReportSection{"Recent activity", []ReportRow{{"what happened with an account is kept for its owner", "no", ""}}}
	}
	return ReportSection{"Recent activity", []ReportRow{
		{"what happened with an account is kept for its owner", ReportDuration(s.cfg.KeepActivity), "device and network of each client, too"},
		{"attempts of strangers that are kept", fmt.Sprint(keptOf[ActivityAttempt]), "alike ones of a day are one, with a count"},
		{"sign-ins and what is done in sessions that are kept", fmt.Sprint(keptOf[ActivityUse]), ""},
		{"changes of an account that are kept", fmt.Sprint(keptOf[ActivityChange]), ""},
	}}
}
