package connectui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/browsertest"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

// open opens Connect UI in an iframe of a page of another site.
func (r *rig) open(t *testing.T, b *browsertest.Browser, token, query string) (page, frame *browsertest.Page) {
	t.Helper()
	page = b.Open(t, strings.Replace(r.URL, "127.0.0.1", "localhost", 1)+"/host?token="+token+"&query="+query, browsertest.View{})
	page.Until(t, `heard.some(m => m.type === "ready")`)
	frame = page.Frame(t, "/connect-ui/")
	frame.See(t, "[data-view]:not([data-view=loading]) h1")
	return page, frame
}

// heard returns what the page around was told of a type.
func heard(t *testing.T, page *browsertest.Page, kind string) map[string]any {
	t.Helper()
	page.Until(t, `heard.some(m => m.type === "`+kind+`")`)
	var message struct{ Payload map[string]any }
	page.Eval(t, `heard.find(m => m.type === "`+kind+`")`, &message)
	return message.Payload
}

func TestFlows(t *testing.T) {
	if testing.Short() {
		t.Skip("drives a browser")
	}
	t.Parallel()
	b := browsertest.Start(t)
	r := newRig(t)
	r.session("oauth", acme(), linkspan.ConnectSession{}, integrations("github", "datadog", "zendesk")...)
	r.session("key", acme(), linkspan.ConnectSession{AllowedIntegrations: []string{"datadog"}}, integrations("datadog")...)
	r.session("renewal", acme(), linkspan.ConnectSession{AllowedIntegrations: []string{"datadog"}, Reconnect: 5}, integrations("datadog")...)
	r.session("one", acme(), linkspan.ConnectSession{AllowedIntegrations: []string{"zendesk"}}, integrations("zendesk")...)

	t.Run("granted in a window", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "")
		frame.Click(t, `[data-integration=github]`)
		popup := page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
		popup.Until(t, `document.title === "Provider"`)
		frame.See(t, "[data-reopen]")
		// What a screen reader says next: the heading of what is there now.
		frame.Until(t, `document.activeElement.matches("[data-step=wait] h1") && !document.querySelector("[data-step=form]").checkVisibility()`)
		popup.Click(t, "#yes")
		frame.See(t, "[data-view=done]")
		frame.Until(t, `document.activeElement.matches("[data-view=done] h1")`)
		got := heard(t, page, "connect")
		if diff := cmp.Diff(map[string]any{"providerConfigKey": "github", "connectionId": "c1"}, got); diff != "" {
			t.Errorf("the page heard (-want +got):\n%s", diff)
		}
		heard(t, page, "close") // after three seconds, by itself
	})
	t.Run("denied in a window", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "")
		frame.Click(t, `[data-integration=github]`)
		popup := page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
		popup.Click(t, "#no")
		frame.See(t, "[data-view=problem]")
		if text := frame.Text(t, "h1"); text != english().Denied.Title {
			t.Errorf("the page says %q", text)
		}
		if got := heard(t, page, "error"); got["errorType"] != "callback_err" {
			t.Errorf("the page heard %v", got)
		}
		frame.Click(t, ".button.main")
		frame.See(t, "[data-view=card]")
	})
	t.Run("window closed", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "detectClosedAuthWindow=true")
		frame.Click(t, `[data-integration=github]`)
		popup := page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
		popup.Until(t, `document.title === "Provider"`)
		popup.Close(t)
		frame.See(t, "[data-view=problem]")
		if got := heard(t, page, "error"); got["errorType"] != "window_closed" {
			t.Errorf("the page heard %v", got)
		}
	})
	t.Run("window blocked", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "")
		frame.Do(t, `const open = window.open; window.open = () => { window.open = open; return null }`)
		frame.Click(t, `[data-integration=github]`)
		frame.Click(t, "button[type=submit]")
		frame.See(t, "[data-direct]")
		if got := heard(t, page, "error"); got["errorType"] != "blocked_by_browser" {
			t.Errorf("the page heard %v", got)
		}
		tab := page.Popup(t, func() { frame.Click(t, "[data-direct]") })
		tab.Click(t, "#yes")
		frame.See(t, "[data-view=done]")
	})
	t.Run("in the same tab", func(t *testing.T) {
		p := b.Open(t, r.URL+"/connect-ui/?session_token=one", browsertest.View{Width: 390})
		if url := p.URL(t); strings.Contains(url, "session_token") {
			t.Errorf("the address still holds the token: %s", url)
		}
		p.Do(t, `window.open = () => null`)
		p.Type(t, "input[name='s.subdomain']", "https://acme.zendesk.com/agent")
		p.Click(t, "button[type=submit]")
		p.Click(t, "[data-direct]")
		p.Until(t, `document.title === "Provider"`)
		r.mu.Lock()
		defer r.mu.Unlock()
		if got := r.begun[len(r.begun)-1].Params; got["subdomain"] != "acme" {
			t.Errorf("the settings are %v", got)
		}
	})
	t.Run("wrong key, then right", func(t *testing.T) {
		page, frame := r.open(t, b, "key", "lang=de")
		r.answer(func(in authorize.Request, c credential.Credentials) (connect.Outcome, error) {
			if c.APIKey.Reveal() != strings.Repeat("b", 32) {
				return connect.Outcome{}, linkspan.E("rig", linkspan.KindInvalid, codeTestFailed, nil, "Datadog refused the key.")
			}
			return connect.Outcome{IntegrationKey: in.IntegrationKey, Name: "conn-7"}, nil
		})
		frame.Do(t, `document.querySelector("select").selectedIndex = 2`)
		frame.Type(t, "input[name='s.applicationKey']", "app")
		frame.Type(t, "input[name='c.apiKey']", strings.Repeat("a", 32))
		frame.Click(t, "button[type=submit]")
		frame.See(t, "#alert b")
		var at struct{ Name, Value, Other string }
		frame.Eval(t, `(i => ({name: i.name, value: i.value, other: document.querySelector("input[name='s.applicationKey']").value}))(document.activeElement)`, &at)
		if at.Name != "c.apiKey" || at.Value != strings.Repeat("a", 32) || at.Other != "app" {
			t.Errorf("after the refusal the focus and values are %+v", at)
		}
		if got := heard(t, page, "error"); got["errorType"] != codeTestFailed {
			t.Errorf("the page heard %v", got)
		}
		frame.Do(t, `document.querySelector("input[name='c.apiKey']").value = "`+strings.Repeat("b", 32)+`"`)
		frame.Click(t, "button[type=submit]")
		frame.See(t, "[data-view=done]")
		if got := heard(t, page, "connect"); got["connectionId"] != "conn-7" {
			t.Errorf("the page heard %v", got)
		}
	})
	t.Run("the server restarts meanwhile", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "")
		frame.Click(t, `[data-integration=github]`)
		popup := page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
		popup.Until(t, `document.title === "Provider"`)
		r.with(func() { r.cut() })
		// Only the socket can tell: the provider cuts the window off.
		popup.Do(t, `window.opener = null; window.BroadcastChannel = undefined`)
		popup.Click(t, "#yes")
		frame.See(t, "[data-view=done]")
		if got := heard(t, page, "connect"); got["connectionId"] != "c1" {
			t.Errorf("the page heard %v", got)
		}
	})
	t.Run("no WebSockets in this network", func(t *testing.T) {
		r.with(func() { r.noSockets = true })
		defer r.with(func() { r.noSockets = false })
		page, frame := r.open(t, b, "oauth", "")
		frame.Click(t, `[data-integration=github]`)
		popup := page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
		popup.Click(t, "#yes")
		frame.See(t, "[data-view=done]")
		if got := heard(t, page, "connect"); got["connectionId"] != "c1" || got["providerConfigKey"] != "github" {
			t.Errorf("the page heard %v", got)
		}
	})
	t.Run("no WebSockets, and the provider cuts the window off", func(t *testing.T) {
		r.with(func() { r.noSockets = true })
		defer r.with(func() { r.noSockets = false })
		// In a frame of another site browsers would keep the channel apart as well.
		page := b.Open(t, r.URL+"/connect-ui/?session_token=one", browsertest.View{})
		page.Type(t, "input[name='s.subdomain']", "acme")
		popup := page.Popup(t, func() { page.Click(t, "button[type=submit]") })
		popup.Until(t, `document.title === "Provider"`)
		popup.Do(t, `window.opener = null`) // for good: the pages that follow have none either
		popup.Click(t, "#yes")
		page.See(t, "[data-view=done]")
	})
	t.Run("the socket opens too late, and the provider cuts the window off", func(t *testing.T) {
		page := b.Open(t, r.URL+"/connect-ui/?session_token=one", browsertest.View{})
		page.Type(t, "input[name='s.subdomain']", "acme")
		page.Do(t, `{
			const later = setTimeout;
			window.setTimeout = (f, ms) => later(f, ms === 8000 ? 0 : ms);
			window.WebSocket = class { constructor() { window.late = this } close() { this.closed = true } };
		}`)
		popup := page.Popup(t, func() { page.Click(t, "button[type=submit]") })
		popup.Until(t, `document.title === "Provider"`)
		page.Do(t, `late.onmessage?.({data: JSON.stringify({message_type: "connection_ack", ws_client_id: "late"})})`)
		popup.Do(t, `window.opener = null`)
		popup.Click(t, "#yes")
		page.See(t, "[data-view=done]")
	})
	t.Run("the window of a failure stays until it is told", func(t *testing.T) {
		page := b.Open(t, r.URL+"/connect-ui/", browsertest.View{})
		page.Do(t, `addEventListener("click", () => { window.opened = open("/result/denied") }, {once: true})`)
		popup := page.Popup(t, func() { page.Click(t, "h1") })
		popup.See(t, "h1")
		page.Do(t, `opened.postMessage({type: "something else"}, "*")`)
		page.Do(t, `new Promise(done => setTimeout(done, 700))`)
		page.Until(t, `!opened.closed`)
		page.Do(t, `opened.postMessage({type: "nango_oauth_callback_ack"}, "*")`)
		page.Until(t, `opened.closed`)
	})
	t.Run("the provider lies", func(t *testing.T) {
		for _, sockets := range []bool{true, false} {
			r.with(func() { r.noSockets = !sockets })
			page, frame := r.open(t, b, "oauth", "")
			frame.Click(t, `[data-integration=github]`)
			popup := page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
			popup.Until(t, `document.title === "Provider"`)
			popup.Do(t, `location.hostname = "localhost"`)
			popup.Until(t, `location.hostname === "localhost" && document.title === "Provider"`)
			popup.Do(t, `opener.postMessage({type: "nango_oauth_callback_success", payload: {providerConfigKey: "github", connectionId: "of-somebody-else"}}, "*")`)
			if sockets {
				frame.Do(t, `new Promise(done => setTimeout(done, 300))`)
				frame.See(t, "[data-reopen]")
				continue
			}
			frame.See(t, "[data-view=done]")
			var told bool
			if page.Eval(t, `heard.some(m => m.type === "connect")`, &told); told {
				t.Error("the page was told of a connection that the provider made up")
			}
		}
		r.with(func() { r.noSockets = false })
	})
	t.Run("told once", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "")
		frame.Click(t, `[data-integration=github]`)
		popup := page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
		popup.Click(t, "#yes")
		heard(t, page, "close")
		var times int
		if page.Eval(t, `heard.filter(m => m.type === "connect").length`, &times); times != 1 {
			t.Errorf("the page heard of the connection %d times", times)
		}
	})
	t.Run("another session in the same frame", func(t *testing.T) {
		r.answer(func(in authorize.Request, _ credential.Credentials) (connect.Outcome, error) {
			return connect.Outcome{IntegrationKey: in.IntegrationKey, Name: "conn-7"}, nil
		})
		page, frame := r.open(t, b, "key", "")
		for times := 1; times <= 2; times++ {
			frame.Do(t, `document.querySelector("select").selectedIndex = 2`)
			frame.Type(t, "input[name='s.applicationKey']", "app")
			frame.Type(t, "input[name='c.apiKey']", strings.Repeat("b", 32))
			frame.Click(t, "button[type=submit]")
			page.Until(t, fmt.Sprintf(`heard.filter(m => m.type === "connect").length === %d`, times))
			if times == 1 {
				page.Do(t, `document.getElementById("connect-ui").contentWindow.postMessage({type: "session_token", sessionToken: "renewal"}, "*")`)
				frame.See(t, "[data-view=card]")
			}
		}
	})
	t.Run("something else answers", func(t *testing.T) {
		_, frame := r.open(t, b, "key", "")
		frame.Do(t, `document.querySelector("select").selectedIndex = 2`)
		frame.Type(t, "input[name='s.applicationKey']", "app")
		frame.Type(t, "input[name='c.apiKey']", strings.Repeat("c", 32))
		r.with(func() { r.down = true })
		frame.Click(t, "button[type=submit]")
		frame.See(t, "#alert b")
		r.with(func() { r.down = false })
		if text := frame.Text(t, "#alert b"); text != english().Offline.Title {
			t.Errorf("the page says %q", text)
		}
		var key string
		if frame.Eval(t, `document.querySelector("input[name='c.apiKey']").value`, &key); key != strings.Repeat("c", 32) {
			t.Errorf("the key that was entered became %q", key)
		}
		var idle bool
		if frame.Eval(t, `!document.querySelector("[aria-busy=true], button[type=submit]:disabled")`, &idle); !idle {
			t.Error("the button can't be pressed again")
		}
	})
	t.Run("the list can't be had", func(t *testing.T) {
		_, frame := r.open(t, b, "oauth", "")
		r.with(func() { r.down = true })
		frame.Click(t, `[data-integration=github]`)
		frame.See(t, "[data-retry]")
		r.with(func() { r.down = false })
		frame.Click(t, "[data-retry]")
		frame.See(t, "[data-view=list]")
	})
	t.Run("what goes wrong is read out", func(t *testing.T) {
		_, frame := r.open(t, b, "key", "")
		frame.Type(t, "input[name='c.apiKey']", "short\t")
		frame.Until(t, `document.getElementById("status").textContent === "API Key: " + document.getElementById("fc-apiKey-error").textContent`)
		frame.Click(t, "button[type=submit]")
		// The focus goes to the first input at fault, which its problem describes.
		frame.Until(t, `document.activeElement.name === "s.siteParameter" && document.getElementById(document.activeElement.getAttribute("aria-describedby").split(" ")[0]).textContent.startsWith("Choose a value")`)
	})
	t.Run("a search moves nothing", func(t *testing.T) {
		_, frame := r.open(t, b, "oauth", "")
		at := `Math.round(document.querySelector("input[type=search]").getBoundingClientRect().top)`
		var before, after int
		frame.Eval(t, at, &before)
		frame.Type(t, "input[type=search]", "zzz")
		frame.See(t, ".none")
		if frame.Eval(t, at, &after); before != after {
			t.Errorf("the search moved from %d to %d px", before, after)
		}
	})
	t.Run("a stranger offers a session", func(t *testing.T) {
		_, frame := r.open(t, b, "key", "")
		frame.Do(t, `for (const from of [window, document.body.appendChild(document.createElement("iframe")).contentWindow])
			window.dispatchEvent(new MessageEvent("message", {source: from, data: {type: "session_token", sessionToken: "oauth"}}))`)
		frame.Do(t, `new Promise(done => setTimeout(done, 300))`)
		frame.See(t, "[data-view=card]")
	})
	t.Run("keyboard only", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "")
		frame.Do(t, `document.querySelector("input[type=search]").focus()`)
		frame.Keys(t, kb.ArrowDown)
		frame.Until(t, `document.activeElement.dataset.integration === "datadog"`)
		frame.Keys(t, kb.ArrowDown)
		frame.Keys(t, kb.Enter)
		frame.See(t, "[data-view=card]")
		frame.Until(t, `document.activeElement.tagName === "H1"`)
		frame.Keys(t, kb.Escape)
		heard(t, page, "close")
	})
	t.Run("a click outside", func(t *testing.T) {
		page, frame := r.open(t, b, "oauth", "")
		frame.Do(t, `for (const e of ["pointerdown", "pointerup"]) document.getElementById("stage").dispatchEvent(new PointerEvent(e, {bubbles: true}))`)
		heard(t, page, "close")
	})
	t.Run("session ends meanwhile", func(t *testing.T) {
		r.session("short", acme(), linkspan.ConnectSession{AllowedIntegrations: []string{"github"}}, integrations("github")...)
		page, frame := r.open(t, b, "short", "")
		r.mu.Lock()
		delete(r.sessions, "short")
		r.mu.Unlock()
		page.Popup(t, func() { frame.Click(t, "button[type=submit]") })
		frame.See(t, "[data-view=problem]")
		if text := frame.Text(t, "h1"); text != english().Expired.Title {
			t.Errorf("the page says %q", text)
		}
	})
	t.Run("more of a long list", func(t *testing.T) {
		r.session("long", acme(), linkspan.ConnectSession{}, everything(t)...)
		p := b.Open(t, r.URL+"/connect-ui/?session_token=long", browsertest.View{})
		p.Click(t, "[data-more]")
		p.Until(t, `document.querySelectorAll(".items:last-of-type .item").length > 60`)
		p.Until(t, `document.activeElement === document.querySelectorAll(".items:last-of-type .item")[50]`)
	})
	t.Run("without scripts", func(t *testing.T) {
		p := b.Open(t, r.URL+"/connect-ui/?session_token=oauth", browsertest.View{Width: 390, NoScript: true})
		p.Click(t, `[data-integration=github]`)
		p.See(t, ".card h1")
		if url := p.URL(t); strings.Contains(url, "oauth") {
			t.Errorf("the address holds the token: %s", url)
		}
		p.Click(t, "button[type=submit]")
		p.See(t, "#yes")
	})
	t.Run("counted", func(t *testing.T) {
		missing := r.missing(
			"open", "view:list", "view:integration", "view:success", "view:credentials_error", "view:unknown_error", "click:integration",
			"click:connect", "click:close", "click:finish", "click:outside", "popup:blocked_by_browser", "popup:closed_early",
		)
		if len(missing) > 0 {
			t.Errorf("never counted: %v", missing)
		}
	})
}

// with changes the rig.
func (r *rig) with(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// answer changes what the provider makes of credentials.
func (r *rig) answer(f func(authorize.Request, credential.Credentials) (connect.Outcome, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headless = f
}
