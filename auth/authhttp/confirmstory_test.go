package authhttp_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
)

// A dangerous act of the host's, with the real service behind it.

func projectDeletion(r *http.Request) (auth.Operation, error) {
	name := r.PathValue("name")
	return auth.NewOperation("Delete project "+name, "delete-project", name)
}

var deleted = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprint(w, "deleted "+r.PathValue("name"))
})

// confirm confirms what a refused request asked for, and returns what confirms it.
func (c *caller) confirm(refused reply) string {
	t := c.w.t
	t.Helper()
	require.Equal(t, 401, refused.status, refused.raw)
	require.Equal(t, "step-up-required", refused.code())
	told := refused.body["error"].(map[string]any)
	at := c.call("POST", "/auth/flow", map[string]any{"goal": "step-up", "operation": told["operation"]})
	require.Equal(t, 200, at.status, at.raw)
	require.Equal(t, told["confirms"], at.body["confirms"], "the sentence is the same beside the password")
	require.Equal(t, "fresh-proof", at.text("need"))
	at = c.step(at, "password", map[string]any{"password": right})
	require.Equal(t, "granted", at.text("outcome"), at.raw)
	require.Equal(t, told["confirms"], at.body["confirms"])
	if c.native {
		require.NotEmpty(t, at.text("confirmation"))
		return at.text("confirmation")
	}
	require.NotContains(t, at.raw, `"confirmation"`)
	return c.cookies[confirmationCookie]
}

// remove asks for a deletion, with what confirms it.
func (c *caller) remove(name, confirmation string, change ...func(*http.Request)) reply {
	with := func(r *http.Request) {
		if c.native && confirmation != "" {
			r.Header.Set(authhttp.ConfirmationHeader, confirmation)
		}
	}
	return c.call("DELETE", "/projects/"+name, nil, append([]func(*http.Request){with, fromHere}, change...)...)
}

// fromHere makes a browser's request one of a page of ours.
func fromHere(r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") != "" {
		r.Header.Set("Origin", origin)
	}
}

// TestConfirmationStory has both kinds of client confirm a deletion, and everybody else fail to use that.
func TestConfirmationStory(t *testing.T) {
	for _, kind := range []string{"browser", "native"} {
		t.Run(kind, func(t *testing.T) {
			w := newTown(t)
			enter := func() *caller {
				c := w.browser()
				c.native = kind == "native"
				require.Equal(t, 200, c.enter(right).status)
				return c
			}
			c, other := enter(), enter()
			refused := c.remove("alpha", "")
			operation := refused.body["error"].(map[string]any)["operation"].(string)
			for name, token := range map[string]string{"altered": operation[:len(operation)-1] + "!", "cut": operation[:40], "none": "x"} {
				a := c.call("POST", "/auth/flow", map[string]any{"goal": "step-up", "operation": token})
				require.Equal(t, "expired", a.code(), name)
			}
			a := other.call("POST", "/auth/flow", map[string]any{"goal": "step-up", "operation": operation})
			require.Equal(t, "expired", a.code(), "it is for the session that asked")

			good := c.confirm(refused)
			require.Equal(t, 401, c.remove("beta", good).status, "it is for alpha")
			require.Equal(t, 405, c.call("GET", "/projects/alpha", nil, func(r *http.Request) { r.Header.Set(authhttp.ConfirmationHeader, good) }).status)
			if kind == "browser" {
				other.cookies[confirmationCookie], other.cookies["__Host-cardea-flow"] = good, c.cookies["__Host-cardea-flow"]
				require.Equal(t, 403, c.remove("alpha", good, func(r *http.Request) {
					r.Header.Set("Sec-Fetch-Site", "cross-site")
					r.Header.Set("Origin", "https://evil.example")
				}).status)
			}
			require.Equal(t, 401, other.remove("alpha", good).status, "it is for the session that confirmed it")

			jar := maps.Clone(c.cookies)
			done := c.remove("alpha", good)
			require.Equal(t, 200, done.status, done.raw)
			require.Equal(t, "deleted alpha", done.raw)
			c.cookies = jar // whoever kept the cookie
			again := c.remove("alpha", good)
			require.Equal(t, 401, again.status)

			good = c.confirm(again)
			w.clock.Advance(5 * time.Minute)
			late := c.remove("alpha", good)
			require.Equal(t, 401, late.status)
			good = c.confirm(late)
			require.Equal(t, 200, c.call("POST", "/auth/sign-out", map[string]any{}, fromHere).status)
			require.Equal(t, 200, c.enter(right).status)
			require.Equal(t, 401, c.remove("alpha", good).status, "it ended with its session")
		})
	}
}

// TestOfManyDeletionsOneHappens sends one confirmation many times at once.
func TestOfManyDeletionsOneHappens(t *testing.T) {
	w := newTown(t)
	c := w.app()
	require.Equal(t, 200, c.enter(right).status)
	good := c.confirm(c.remove("alpha", ""))
	var (
		done  sync.WaitGroup
		count atomic.Int32
	)
	for range 32 {
		done.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "DELETE", w.url+"/projects/alpha", strings.NewReader(""))
			if err != nil {
				return
			}
			r.Header.Set("Authorization", "Bearer "+c.session)
			r.Header.Set(authhttp.ConfirmationHeader, good)
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			if answer.StatusCode == 200 {
				count.Add(1)
			}
		})
	}
	done.Wait()
	require.EqualValues(t, 1, count.Load())
}
