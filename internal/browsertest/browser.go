// Package browsertest drives a real Chromium in tests: it starts one browser
// for a test binary's package, opens pages with cookies and storage of their
// own, and checks them with axe-core.
package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience bounds everything a page is waited for. It is far above what any step
// takes: it only turns a hang into a failure.
const patience = 60 * time.Second

// Browser is a running Chromium.
type Browser struct {
	ctx context.Context //nolint:containedctx // chromedp keeps the browser in its context
}

// Start starts a browser that ends with the test. Without Chromium the test is
// skipped; on CI it fails.
func Start(t testing.TB) *Browser {
	t.Helper()
	path, err := find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no browser, and on CI there must be one: %v", err)
		}
		t.Skipf("no browser: %v", err)
	}
	// The test's own context ends before its clean-ups run.
	base := context.WithoutCancel(t.Context())
	alloc, stop := chromedp.NewExecAllocator(base, append(options(t.TempDir()), chromedp.ExecPath(path))...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		// A browser that does not end in peace is killed by stop.
		quit, done := context.WithTimeout(ctx, patience)
		_ = chromedp.Cancel(quit)
		done()
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return &Browser{ctx: ctx}
}

// find returns the browser to run.
func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("neither chromium nor google-chrome is installed")
}

// options are those of a browser that talks to nobody by itself. Popups are
// blocked as users have it.
func options(profile string) []chromedp.ExecAllocatorOption {
	return []chromedp.ExecAllocatorOption{
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(profile),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-default-apps", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,HttpsUpgrades"),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("metrics-recording-only", true),
		chromedp.Flag("mute-audio", true),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("hide-scrollbars", true),
		// Timers of pages behind others must run: the waiting page is behind the popup.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
	}
}

// View says how a page is looked at.
type View struct {
	// Width and Height are in CSS pixels; zero means 1280 by 800.
	Width, Height int
	// Dark asks for the dark theme.
	Dark bool
	// Language is the browser's, such as "de"; empty leaves it.
	Language string
	// NoScript turns JavaScript off.
	NoScript bool
}

// Page is one tab with what it said.
type Page struct {
	ctx     context.Context //nolint:containedctx // chromedp keeps the tab in its context
	browser *Browser

	mu     sync.Mutex
	said   []string
	errors []string
}

// Open opens a page in a profile of its own, as another person's browser.
func (b *Browser) Open(t testing.TB, url string, v View) *Page {
	t.Helper()
	p := b.attach(b.ctx, t, chromedp.WithNewBrowserContext())
	p.run(t, "opening "+url, v.action(), chromedp.Navigate(url))
	return p
}

// attach makes a Page of a new tab or of a target that exists.
func (b *Browser) attach(parent context.Context, t testing.TB, o chromedp.ContextOption) *Page {
	t.Helper()
	p := &Page{browser: b}
	var cancel context.CancelFunc
	p.ctx, cancel = chromedp.NewContext(parent, o, chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	// The first use of a tab must not have a deadline: the tab ends with it.
	if err := chromedp.Do(p.ctx); err != nil {
		t.Fatalf("attaching to a tab: %v", err)
	}
	return p
}

func (v View) action() chromedp.Action[chromedp.Void] {
	if v.Width == 0 {
		v.Width, v.Height = 1280, 800
	}
	if v.Height == 0 {
		v.Height = 844
	}
	theme := "light"
	if v.Dark {
		theme = "dark"
	}
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.EmulateViewport(int64(v.Width), int64(v.Height))(ctx, t)
		if err != nil {
			return chromedp.Void{}, err
		}
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		if err != nil {
			return chromedp.Void{}, err
		}
		if v.Language != "" {
			_, err = cdp.Call(ctx, t, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
				UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/156", AcceptLanguage: v.Language,
			})
			if err != nil {
				return chromedp.Void{}, err
			}
		}
		_, err = cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScript})
		return chromedp.Void{}, err
	}
}

// Look changes how the page is looked at.
func (p *Page) Look(t testing.TB, v View) {
	t.Helper()
	p.run(t, "changing the view", v.action())
}

// Popup waits for a window that act makes the page open, and returns it.
func (p *Page) Popup(t testing.TB, act func()) *Page {
	t.Helper()
	// Tests in parallel share the browser: windows of other profiles are not this page's.
	profile, _ := p.targets(t)
	ids := chromedp.WaitNewTarget(p.ctx, func(i *target.Info) bool {
		return i.Type == "page" && i.OpenerID != "" && i.BrowserContextID == profile
	})
	act()
	select {
	case id := <-ids:
		popup := p.browser.attach(p.ctx, t, chromedp.WithTargetID(id))
		return popup
	case <-time.After(patience):
		t.Fatalf("no window was opened\n%s", p.Said())
		return nil
	}
}

// listen keeps what the page's scripts say and which errors nobody caught.
func (p *Page) listen(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, a := range ev.Args {
			words = append(words, string(a.Value)+a.Description)
		}
		p.said = append(p.said, string(ev.Type)+": "+strings.Join(words, " "))
	case *runtime.EventExceptionThrown:
		text := ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			text += ": " + e.Description
		}
		p.errors = append(p.errors, text)
	}
}

// Said returns the console of the page and errors nobody caught, one a line.
func (p *Page) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(append(append([]string{}, p.said...), p.errors...), "\n")
}

// Errors returns the errors that no script caught.
func (p *Page) Errors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.errors...)
}

// run performs actions and fails the test when they fail.
func (p *Page) run(t testing.TB, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	value(t, p, what, chromedp.Steps(actions...))
}

// value performs an action and returns its value, or fails the test.
func value[T any](t testing.TB, p *Page, what string, a chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", what, err, p.Said(), p.dump())
	}
	return v
}

// dump shows the page as text, for messages of failed tests.
func (p *Page) dump() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	html, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.documentElement.outerHTML`))
	if err != nil {
		return "the page can't be read: " + err.Error()
	}
	const most = 6000
	if len(html) > most {
		html = html[:most] + "…"
	}
	return html
}

// Do evaluates statements for their effect, and waits for a promise.
func (p *Page) Do(t testing.TB, statements string) {
	t.Helper()
	value(t, p, "evaluating "+short(statements), chromedp.Evaluate[any](statements+"; null", chromedp.EvalAwaitPromise))
}

// Eval evaluates an expression, waits for it when it is a promise, and decodes
// its JSON value into v.
func (p *Page) Eval(t testing.TB, expression string, v any) {
	t.Helper()
	text := value(t, p, "evaluating "+short(expression),
		chromedp.Evaluate[string]("Promise.resolve("+expression+").then(v => JSON.stringify(v ?? null))", chromedp.EvalAwaitPromise))
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("decoding the value of %s: %v\n%s", short(expression), err, text)
	}
}

func short(text string) string {
	const most = 200
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// Until waits until an expression is true. It is evaluated again and again, in
// whatever document the page shows by then.
func (p *Page) Until(t testing.TB, expression string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) || p.ctx.Err() != nil {
			t.Fatalf("waiting for %s: %v\n%s\n%s", expression, err, p.Said(), p.dump())
		}
		<-tick.C
	}
}

// Click clicks the first visible element that the selector finds, as a person
// does: scripts see a user's gesture. It may close the page.
func (p *Page) Click(t testing.TB, selector string) {
	t.Helper()
	p.mayClose(t, "clicking "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// mayClose does what may end the page before the browser has said that it is done.
// The browser may then answer with an error or not at all.
func (p *Page) mayClose(t testing.TB, what string, do chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := chromedp.Run(ctx, do)
		done <- err
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil && !p.closed() {
				t.Fatalf("%s: %v\n%s\n%s", what, err, p.Said(), p.dump())
			}
			return
		case <-tick.C:
			if p.closed() {
				cancel()
				<-done
				return
			}
		}
	}
}

// closed says that the browser has no such page any more.
func (p *Page) closed() bool {
	ctx, cancel := context.WithTimeout(p.browser.ctx, patience)
	defer cancel()
	all, err := chromedp.CallBrowser(ctx, target.GetTargets, target.GetTargetsParams{})
	if err != nil {
		return false
	}
	own := chromedp.FromContext(p.ctx).Target.TargetID
	return !slices.ContainsFunc(all.TargetInfos, func(i *target.Info) bool { return i.TargetID == own })
}

// Type types text into the element that the selector finds.
func (p *Page) Type(t testing.TB, selector, text string) {
	t.Helper()
	p.run(t, "typing into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// Keys sends keystrokes to whatever has the focus. They may close the page.
func (p *Page) Keys(t testing.TB, keys string) {
	t.Helper()
	p.mayClose(t, "pressing keys", chromedp.KeyEvent(keys))
}

// See waits until the selector finds a visible element.
func (p *Page) See(t testing.TB, selector string) {
	t.Helper()
	p.run(t, "waiting to see "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// Text returns the text of the first element that the selector finds.
func (p *Page) Text(t testing.TB, selector string) string {
	t.Helper()
	return value(t, p, "reading "+selector, chromedp.Text(chromedp.CSS(selector)))
}

// URL returns the address the page is at.
func (p *Page) URL(t testing.TB) string {
	t.Helper()
	return value(t, p, "reading the address", chromedp.Location())
}

// Frame returns the page inside a frame of another site, whose address holds
// urlPart, once it is there. Such frames are targets of their own.
func (p *Page) Frame(t testing.TB, urlPart string) *Page {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if id := p.frame(t, urlPart); id != "" {
			return p.browser.attach(p.ctx, t, chromedp.WithTargetID(id))
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is no frame of %s\n%s", urlPart, p.Said())
		}
		<-tick.C
	}
}

// frame looks for the frame among those of the page's own profile: the browser
// lists the targets of all.
func (p *Page) frame(t testing.TB, urlPart string) target.ID {
	t.Helper()
	profile, all := p.targets(t)
	for _, i := range all {
		if i.Type == "iframe" && i.BrowserContextID == profile && strings.Contains(i.URL, urlPart) {
			return i.TargetID
		}
	}
	return ""
}

// targets returns the page's profile and the targets of all profiles.
func (p *Page) targets(t testing.TB) (cdp.BrowserContextID, []*target.Info) {
	t.Helper()
	all, err := chromedp.CallBrowser(p.ctx, target.GetTargets, target.GetTargetsParams{})
	if err != nil {
		t.Fatalf("listing targets: %v", err)
	}
	own := chromedp.FromContext(p.ctx).Target.TargetID
	for _, i := range all.TargetInfos {
		if i.TargetID == own {
			return i.BrowserContextID, all.TargetInfos
		}
	}
	return "", all.TargetInfos
}

// Close closes the page, as a person closes a window.
func (p *Page) Close(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, page.Close, cdp.Empty{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("closing a page: %v", err)
	}
}

// Screenshot writes a picture of the visible part into dir; with an empty dir it
// does nothing.
func (p *Page) Screenshot(t testing.TB, dir, name string) {
	t.Helper()
	if dir == "" {
		return
	}
	png := value(t, p, "taking a picture", chromedp.CaptureScreenshot())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("making %s: %v", dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatalf("writing a picture: %v", err)
	}
}
