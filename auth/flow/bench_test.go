package flow

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// turn is one step of a story: the facts before it and what happens.
type turn struct {
	name  string
	f     Flow
	event Event
	now   time.Time
}

// signInStory is a sign-in with much on its way: a password, the host's verdict, a second factor, and a new
// password because the old one is known to others.
func signInStory(tb testing.TB) (Policy, []turn) {
	p := plainPolicy()
	p.Entry.Methods = MethodsOf(Password, Passkey, Social)
	p.Rules = Rules{SecondFactor: IfEnrolled, Verification: VerifyPassword, Risk: true}
	subject := Subject{
		Account: alice, Status: Active, Epochs: Epochs{1, 1}, Enrolled: MethodsOf(Password, TOTP, RecoveryCode), Compromised: true,
	}
	events := []struct {
		name  string
		event Event
	}{
		{"begin", Begin{Goal: SignIn, Keep: true}},
		{"identify", Identify{Identifier: "alice@example.com", Typed: "Alice@example.com", Keep: true}},
		{"found", SubjectFound{Subject: subject, Known: true}},
		{"resume", Resume{Subject: subject, Known: true}},
		{"password", Submit{Method: Password}},
		{"attempt", AttemptTaken{}},
		{"checked", ProofChecked{Proof: Proof{Method: Password, Account: alice}}},
		{"risk", RiskAssessed{RiskAllow}},
		{"resume again", Resume{Subject: subject, Known: true}},
		{"totp", Submit{Method: TOTP, Trust: true}},
		{"attempt again", AttemptTaken{}},
		{"checked again", ProofChecked{Proof: Proof{Method: TOTP, Account: alice}}},
		{"new password", NewPassword{EndOthers: true}},
		{"reviewed", PasswordReviewed{}},
		{"commit", Committed{Epochs: Epochs{2, 1}}},
		{"issued", SessionIssued{}},
	}
	var story []turn
	f, now := Flow{}, epoch
	for _, e := range events {
		story = append(story, turn{e.name, f, e.event, now})
		var err error
		f, _, err = Step(p, f, e.event, now)
		require.NoError(tb, err, e.name)
		now = now.Add(time.Second)
	}
	require.Equal(tb, Granted, f.Outcome)
	return p, story
}

// BenchmarkStep takes each step of the story over and over, and the story as a whole, of which it reports the
// median for one step.
func BenchmarkStep(b *testing.B) {
	p, story := signInStory(b)
	take := func(b *testing.B, turns []turn) {
		b.ReportAllocs()
		for b.Loop() {
			for _, t := range turns {
				if _, _, err := Step(p, t.f, t.event, t.now); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	for i, t := range story {
		b.Run(t.name, func(b *testing.B) { take(b, story[i:i+1]) })
	}
	b.Run("story", func(b *testing.B) {
		var spent []time.Duration
		for b.Loop() {
			began := time.Now()
			for _, t := range story {
				if _, _, err := Step(p, t.f, t.event, t.now); err != nil {
					b.Fatal(err)
				}
			}
			spent = append(spent, time.Since(began))
		}
		slices.Sort(spent)
		n := float64(len(story))
		b.ReportMetric(float64(spent[len(spent)/2].Nanoseconds())/n, "ns/step")
		b.ReportMetric(testing.AllocsPerRun(10, func() {
			for _, t := range story {
				_, _, _ = Step(p, t.f, t.event, t.now)
			}
		})/n, "allocs/step")
	})
}

// BenchmarkNext renders each view of the story.
func BenchmarkNext(b *testing.B) {
	p, story := signInStory(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range story {
			Next(p, t.f, t.now)
		}
	}
}
