package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser is one tab of a Chromium that runs no scripts.
type browser struct {
	t     *testing.T
	ctx   context.Context
	site  string
	mails *mailbox
	texts map[string]string // of the language that it asks for
	shots string            // the folder for pictures; empty for none

	language string
	scripts  bool // the pages' script runs
	others   bool // it goes to another site too, and what that one fails to load is not looked at

	mu       sync.Mutex
	troubles []string // what the browser complained about
}

// openBrowser opens a window with no cookies, for one test.
func openBrowser(t *testing.T, s site, language string) *browser {
	t.Helper()
	root, err := chromium(t, language)
	require.NoError(t, err)
	b := &browser{t: t, ctx: root, site: s.url, mails: s.mails, texts: texts(t, language), shots: shotsFolder(t, language), language: language}
	return b.another()
}

// running are the browsers that were started, one for each language. TestMain ends them.
var running = struct {
	sync.Mutex
	byLanguage map[string]context.Context
}{byLanguage: map[string]context.Context{}}

// chromium returns the browser that asks for the language, and starts it with an empty profile if need be.
func chromium(t *testing.T, language string) (context.Context, error) {
	t.Helper()
	running.Lock()
	defer running.Unlock()
	if ctx, ok := running.byLanguage[language]; ok {
		return ctx, nil
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(needed(t, "chromium", "chromium-browser", "google-chrome")), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(workshop, "profile-"+language)), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", language), chromedp.Flag("accept-lang", language),
	)
	ctx, _ := chromedp.NewExecAllocator(context.Background(), options...) // it ends with the browser
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		return nil, err
	}
	running.byLanguage[language] = ctx
	return ctx, nil
}

// endBrowsers ends every browser and waits until its process is gone.
func endBrowsers() {
	for _, ctx := range running.byLanguage {
		_ = chromedp.Cancel(ctx)
	}
}

// shotsFolder is where pictures go if the variable SHOTS names a folder for them.
func shotsFolder(t *testing.T, language string) string {
	folder := os.Getenv("SHOTS")
	if folder == "" {
		return ""
	}
	folder = filepath.Join(folder, language)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	return folder
}

// tab opens a further tab, with the same cookies.
func (b *browser) tab() *browser { return b.open() }

// another opens a window that shares nothing with this one, as a second device would.
func (b *browser) another() *browser { return b.open(chromedp.WithNewBrowserContext()) }

func (b *browser) open(options ...chromedp.ContextOption) *browser {
	ctx, cancel := chromedp.NewContext(b.ctx, options...)
	b.t.Cleanup(cancel)
	other := &browser{t: b.t, ctx: ctx, site: b.site, mails: b.mails, texts: b.texts, shots: b.shots, language: b.language}
	other.prepare()
	return other
}

func (b *browser) prepare() {
	b.t.Helper()
	require.NoError(b.t, chromedp.Listen(b.ctx, b.hear))
	b.runScripts(false)
	b.t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.troubles) > 0 {
			b.t.Errorf("the browser complained:\n%s", strings.Join(b.troubles, "\n"))
		}
	})
}

// runScripts says whether pages may run scripts, from the next one on.
func (b *browser) runScripts(so bool) {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !so})
}

// hear keeps what the browser complains about: policy violations, failed loads, anything on the console.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		// A refused form is a page with a status that says so, and the browser reports every such status;
		// and it asks for an icon, which this site has none of.
		expected := strings.HasPrefix(e.Entry.URL, b.site+"/auth/") || e.Entry.URL == b.site+"/favicon.ico" || e.Entry.URL == b.site+"/note/delete"
		expected = expected || b.others && !strings.HasPrefix(e.Entry.URL, b.site)
		serious := e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning
		if serious && (e.Entry.Source != log.EntrySourceNetwork || !expected) {
			b.troubles = append(b.troubles, fmt.Sprintf("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, fmt.Sprintf("console %s", e.Type))
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, "exception")
	}
}

func call[P, R any](b *browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	require.NoError(b.t, err, command.Method)
	return result
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, steps...))
}

func get[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	require.NoError(b.t, err)
	return value
}

// load runs the steps, waits for the page that they lead to, and returns the status of that page.
func (b *browser) load(steps ...chromedp.Action[chromedp.Void]) int64 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, steps...)
	require.NoError(b.t, err)
	return response.Status
}

// visit reads a page of the site.
func (b *browser) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.site + path))
}

// press clicks a button or a link, and returns the status of the page it led to.
func (b *browser) press(selector string) int64 {
	b.t.Helper()
	return b.load(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// write types into a field, key by key, in place of what is in it.
func (b *browser) write(name, value string) {
	b.t.Helper()
	b.writeIn("", name, value)
}

// writeIn types into a field within what the selector finds.
func (b *browser) writeIn(selector, name, value string) {
	b.t.Helper()
	field := chromedp.CSS(selector + ` input[name="` + name + `"]`)
	b.do(chromedp.Clear(field), chromedp.SendKeys(field, value))
}

// tick changes a checkbox.
func (b *browser) tick(name string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(`input[name="` + name + `"]`)))
}

// page evaluates an expression about the page. That works with scripts off: it is not the page that asks.
func page[T any](b *browser, expression string) T {
	b.t.Helper()
	return get(b, chromedp.Evaluate[T](expression))
}

// text is what people read in the first element that the selector finds; empty if there is none.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(page[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
}

func (b *browser) count(selector string) int {
	b.t.Helper()
	return page[int](b, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

func (b *browser) attribute(selector, name string) string {
	b.t.Helper()
	return page[string](b, fmt.Sprintf("document.querySelector(%q)?.getAttribute(%q) ?? ''", selector, name))
}

func (b *browser) html() string {
	b.t.Helper()
	return page[string](b, "document.documentElement.outerHTML")
}

// path is the address of the page, without the site.
func (b *browser) path() string {
	b.t.Helper()
	u, err := url.Parse(get(b, chromedp.Location()))
	require.NoError(b.t, err)
	return u.RequestURI()
}

// cookie returns the named cookie, or nil.
func (b *browser) cookie(name string) *network.Cookie {
	b.t.Helper()
	for _, c := range call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.site}}).Cookies {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// look checks that nothing hangs out of the page on the narrowest phone (320 px, WCAG 2.2 criterion 1.4.10), holds it
// against axe-core, and takes pictures of it on a phone and on a desk, light and dark.
func (b *browser) look(name string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(320, 640))
	wide := page[[]string](b, `(() => {
		const wide = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
		return document.documentElement.scrollWidth > innerWidth ? ["page", ...wide.map(e => e.tagName + "." + e.className)] : []
	})()`)
	require.Empty(b.t, wide, "%s is wider than 320 px", name)
	b.paint(map[string]string{"en": "light", "de": "dark"}[b.language]) // each colour in one language
	require.Empty(b.t, b.violations(), "%s is not accessible", name)
	for _, screen := range screens {
		b.do(chromedp.EmulateViewport(screen.width, screen.height, screen.options...))
		if b.shots != "" && b.count("iframe") > 0 {
			time.Sleep(300 * time.Millisecond) // a frame that shares nothing with its page is laid out on its own
		}
		for _, scheme := range []string{"light", "dark"} {
			if b.shots != "" {
				b.picture(name+"-"+screen.name, scheme)
			}
		}
	}
}

// screens are what people look at; the last one stays for the rest of the story.
var screens = []struct {
	name          string
	width, height int64
	options       []chromedp.EmulateViewportOption
}{
	{"phone", 390, 844, []chromedp.EmulateViewportOption{chromedp.EmulateMobile, chromedp.EmulateScale(2)}},
	{"desk", 1280, 800, nil},
}

func (b *browser) picture(name, scheme string) {
	b.t.Helper()
	b.paint(scheme)
	file := filepath.Join(b.shots, name+"-"+scheme+".png")
	require.NoError(b.t, os.WriteFile(file, get(b, chromedp.CaptureScreenshot()), 0o644))
}

// paint shows pages in the colour scheme, at once.
func (b *browser) paint(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"}, // no picture of colours on their way
	}})
}
