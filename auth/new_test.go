package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

func TestNewNamesEveryProblemAtOnce(t *testing.T) {
	_, err := auth.New(auth.Config{
		Profile: "L9", ReturnTo: []string{"http://plain.example.com"},
		Limits:   flow.Limits{Idle: 2 * time.Hour, Failures: 101},
		Throttle: auth.Throttle{Cap: 101, Free: -1, BeginLeak: -time.Second},
	})
	for _, want := range []string{
		"Profile", "Keys are required", "Directory is required", "Accounts is required", "PasswordStore is required",
		"Flows is required", "Counters is required", "Passwords is required", "Sessions is required", "Devices is required",
		"Limits.Failures", "Limits.Idle", "Throttle.Cap", "Throttle.Free", "Throttle.BeginLeak", "plain.example.com",
	} {
		require.ErrorContains(t, err, want)
	}
}

// The usual result of a constructor whose error was dropped: an interface that holds a nil pointer.
func TestNewSeesNilPointersInInterfaces(t *testing.T) {
	var store *memory.Store
	var sessions *session.Manager
	var devices *session.Devices
	var pw *passwords
	_, err := auth.New(auth.Config{
		Keys: testKeys(t, "k1"), Directory: store, Accounts: store, PasswordStore: store, Counters: store,
		Sessions: sessions, Devices: devices, Passwords: pw,
	})
	for _, port := range []string{"Directory", "Accounts", "PasswordStore", "Flows", "Counters", "Passwords", "Sessions", "Devices"} {
		require.ErrorContains(t, err, port+" is required")
	}
	require.NotContains(t, err.Error(), "Keys")
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*auth.Config)
		want   string
	}{
		"L2":                 {func(c *auth.Config) { c.Profile = auth.ProfileL2 }, "L2 is not available"},
		"L3":                 {func(c *auth.Config) { c.Profile = auth.ProfileL3 }, "L3 is not available"},
		"cap":                {func(c *auth.Config) { c.Throttle.Cap = 101 }, "Throttle.Cap is 101"},
		"account cap":        {func(c *auth.Config) { c.Throttle.AccountCap = 101 }, "Throttle.AccountCap is 101"},
		"free":               {func(c *auth.Config) { c.Throttle.Free = 101 }, "Throttle.Free is 101"},
		"negative cap":       {func(c *auth.Config) { c.Throttle.Cap = -1 }, "Throttle.Cap is -1"},
		"prefix cap":         {func(c *auth.Config) { c.Throttle.PrefixCap = 1<<20 + 1 }, "Throttle.PrefixCap"},
		"begin cap":          {func(c *auth.Config) { c.Throttle.BeginCap = -5 }, "Throttle.BeginCap"},
		"delay":              {func(c *auth.Config) { c.Throttle.FirstDelay = -1 }, "Throttle.FirstDelay"},
		"longest delay":      {func(c *auth.Config) { c.Throttle.MaxDelay = -1 }, "Throttle.MaxDelay"},
		"shrinking delay":    {func(c *auth.Config) { c.Throttle.FirstDelay = 2 * time.Hour }, "must not exceed Throttle.MaxDelay"},
		"idle beyond total":  {func(c *auth.Config) { c.Limits.Total = time.Minute }, "must not exceed Limits.Total"},
		"tries of a code":    {func(c *auth.Config) { c.Limits.Tries = 6 }, "Limits.Tries"},
		"no random":          {func(c *auth.Config) { c.Keys = auth.Keys{} }, "Keys are required"},
		"foreign default to": {func(c *auth.Config) { c.DefaultReturnTo = "//evil.example" }, "evil.example"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := newWorld(t).cfg
			c.change(&cfg)
			s, err := auth.New(cfg)
			require.ErrorContains(t, err, c.want)
			require.Nil(t, s)
			require.Equal(t, 2, len(strings.Split(err.Error(), "\n")), "one problem: %v", err)
		})
	}
}

func TestNewCopiesItsConfig(t *testing.T) {
	w := newWorld(t)
	w.account(ann)
	before := w.Report().Markdown()
	w.cfg.Throttle.Cap, w.cfg.Profile, w.cfg.Directory = 1, "", nil
	require.Equal(t, before, w.Report().Markdown())
	w.browser().signIn(ann, right)
}
