package connectui

import (
	"flag"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/browsertest"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
)

var screenshots = flag.String("screenshots", "", "directory to write a picture of every state to")

// state is one picture: a session and what to do with it.
type state struct {
	name  string
	token string
	lang  string
	// Embedded states are seen in an iframe of another site.
	embedded bool
	path     string // instead of the shell
	act      func(t *testing.T, p *browsertest.Page)
}

func after(script string) func(*testing.T, *browsertest.Page) {
	return func(t *testing.T, p *browsertest.Page) { p.Do(t, script) }
}

// ask puts a view in that only the script asks for.
func ask(path, values string) func(*testing.T, *browsertest.Page) {
	return after(fmt.Sprintf(`htmx.ajax("POST", "/connect-ui/integrations/%s", {target: "#view", swap: "innerHTML", source: document.body, values: {%s}}).then(() => null)`, path, values))
}

// everything is a list of all providers, as an environment with very many
// integrations has it.
func everything(t *testing.T) []linkspan.Integration {
	t.Helper()
	cat, err := catalog.Open(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return integrations(cat.Names()...)
}

func states(t *testing.T, r *rig) []state {
	t.Helper()
	ten := integrations("github", "slack", "hubspot", "zendesk", "stripe", "notion", "google-drive", "airtable", "mailchimp", "netsuite-tba")
	long := linkspan.Integration{Key: "long", Provider: "zendesk", DisplayName: "Zendesk Support for the European Customer Success Organisation"}
	scoped := linkspan.Integration{Key: "github", Provider: "github", Secrets: linkspan.IntegrationSecrets{Scopes: "repo,read:user,read:org"}}
	only := func(key string) linkspan.ConnectSession {
		return linkspan.ConnectSession{AllowedIntegrations: []string{key}}
	}
	logo := acme()
	r.session("ten", acme(), linkspan.ConnectSession{}, ten...)
	r.session("plain", linkspan.ConnectUISettings{HideWatermark: true}, linkspan.ConnectSession{}, ten[:3]...)
	r.session("all", logo, linkspan.ConnectSession{}, everything(t)...)
	r.session("none", acme(), linkspan.ConnectSession{})
	r.session("github", acme(), only("github"), scoped)
	r.session("again", acme(), linkspan.ConnectSession{AllowedIntegrations: []string{"github"}, Reconnect: 5}, scoped)
	r.session("zendesk", acme(), only("zendesk"), ten...)
	r.session("long", linkspan.ConnectUISettings{AppName: "Acme Customer Relationship Intelligence Platform for Teams"}, linkspan.ConnectSession{}, append(ten, long)...)
	r.session("apikey", acme(), only("datadog"), integrations("datadog")...)
	r.session("basic", linkspan.ConnectUISettings{LightPrimary: "#ffd500", DarkPrimary: "#ffd500"}, only("mailgun"), integrations("mailgun")...)
	r.session("nothing", acme(), only("unauthenticated"), integrations("unauthenticated")...)
	r.session("own", acme(), linkspan.ConnectSession{
		AllowedIntegrations: []string{"github"},
		Defaults: map[string]linkspan.IntegrationDefaults{"github": {ConnectionConfig: map[string]any{
			"oauth_client_id_override": "", "oauth_client_secret_override": "",
		}}},
	}, scoped)
	return []state{
		{name: "list-ten", token: "ten"},
		{name: "list-three", token: "plain"},
		{name: "list-all", token: "all"},
		{name: "list-embedded", token: "all", embedded: true},
		{name: "list-search", token: "all", act: func(t *testing.T, p *browsertest.Page) {
			p.Type(t, "input[type=search]", "goo")
			p.Until(t, `document.querySelectorAll(".item").length > 3 && document.querySelectorAll(".item").length < 50`)
		}},
		{name: "list-unfound", token: "ten", act: func(t *testing.T, p *browsertest.Page) {
			p.Type(t, "input[type=search]", "zzz")
			p.See(t, ".none")
		}},
		{name: "list-empty", token: "none"},
		{name: "list-long-de", token: "long", lang: "de"},
		{name: "card-oauth", token: "github"},
		{name: "card-embedded", token: "github", embedded: true},
		{name: "card-reconnect", token: "again"},
		{name: "card-prefix", token: "zendesk"},
		{name: "card-apikey", token: "apikey"},
		{name: "card-basic", token: "basic"},
		{name: "card-none", token: "nothing"},
		{name: "card-own-client", token: "own"},
		{name: "card-long-de", token: "long", lang: "de", act: ask("long", "")},
		{name: "card-ja", token: "zendesk", lang: "ja"},
		{name: "card-fr", token: "github", lang: "fr"},
		{name: "card-invalid", token: "apikey", act: func(t *testing.T, p *browsertest.Page) { p.Click(t, "button[type=submit]") }},
		{name: "card-wrong", token: "apikey", act: func(t *testing.T, p *browsertest.Page) {
			p.Type(t, "input[type=password]", "0123456789abcdef0123456789abcdef")
			p.Do(t, `for (const i of document.querySelectorAll(".field input")) i.value ||= "datadoghq"; for (const s of document.querySelectorAll("select")) s.selectedIndex = 1`)
			p.Click(t, "button[type=submit]")
			p.See(t, "#alert b")
		}},
		{name: "waiting", token: "github", act: after(`for (const s of document.querySelectorAll("[data-step]")) s.hidden = s.dataset.step !== "wait"`)},
		{name: "blocked", token: "github", act: after(`window.open = () => null; document.querySelector("button[type=submit]").click()`)},
		{name: "done", token: "github", act: ask("github/done", `connection_id: "c1"`)},
		{name: "done-again-es", token: "again", lang: "es", act: ask("github/done", `connection_id: "c1"`)},
		{name: "done-embedded", token: "github", embedded: true, act: func(t *testing.T, p *browsertest.Page) {
			p.Do(t, `const later = window.setTimeout; window.setTimeout = (f, ms) => ms === 3000 ? 0 : later(f, ms)`)
			ask("github/done", `connection_id: "c1"`)(t, p)
		}},
		{name: "denied", token: "github", act: ask("github/problem", `code: "callback_err", message: "access_denied"`)},
		{name: "closed", token: "github", act: ask("github/problem", `code: "window_closed"`)},
		{name: "not-set-up", token: "github", act: ask("github/problem", `code: "provider_config_err", message: "The integration github has no client id."`)},
		{name: "stale-pt", token: "github", lang: "pt", act: ask("github/problem", `code: "state_err"`)},
		{name: "unknown", token: "ten", act: ask("github/problem", `code: "token_err", message: "The token endpoint answered 500."`)},
		{name: "unsupported", token: "ten", act: ask("netsuite-tba", "")},
		{name: "down", token: "nothing", act: func(t *testing.T, p *browsertest.Page) {
			p.Click(t, "button[type=submit]")
			p.See(t, ".view[data-view=problem]")
		}},
		{name: "expired", token: "gone"},
		{name: "expired-embedded", token: "gone", embedded: true},
		{name: "missing"},
		{name: "offline", token: "ten", act: func(t *testing.T, p *browsertest.Page) {
			p.Do(t, `document.body.dispatchEvent(new CustomEvent("htmx:sendError", {bubbles: true}))`)
		}},
		{name: "result-done", path: "/result/done"},
		{name: "result-denied", path: "/result/denied"},
		{name: "result-stale-de", path: "/result/stale", lang: "de"},
		{name: "leaving", path: "/result/leaving"},
		{name: "skeleton", token: "never", embedded: true},
	}
}

func (r *rig) fails(t testing.TB) {
	t.Helper()
	r.headless = func(in authorize.Request, _ credential.Credentials) (connect.Outcome, error) {
		if in.IntegrationKey == "unauthenticated" {
			return connect.Outcome{}, linkspan.E("rig", linkspan.KindUpstream, "", nil, "The provider answered 503.")
		}
		return connect.Outcome{}, linkspan.E("rig", linkspan.KindInvalid, codeTestFailed, nil, "Datadog refused the key: 403 Forbidden.")
	}
}

// TestStates looks at every state on a phone and on a desktop, light and dark,
// and checks each with axe-core.
func TestStates(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("drives a browser")
	}
	axe := browsertest.NewAxe(t, "../../e2e/node_modules/axe-core/axe.min.js")
	browser := browsertest.Start(t)
	r := newRig(t)
	r.fails(t)
	for _, s := range states(t, r) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r.see(t, browser, axe, s)
		})
	}
}

func (r *rig) see(t *testing.T, browser *browsertest.Browser, axe *browsertest.Axe, s state) {
	t.Helper()
	address := r.URL + "/connect-ui/?lang=" + s.lang
	if s.token != "" {
		address += "&session_token=" + s.token
	}
	if s.path != "" {
		address = r.URL + s.path + "?lang=" + s.lang
	}
	if s.embedded {
		token := s.token
		if token == "never" {
			token = ""
		}
		address = strings.Replace(r.URL, "127.0.0.1", "localhost", 1) + "/host?token=" + token + "&query=" + url.QueryEscape("lang="+s.lang)
	}
	p := browser.Open(t, address, browsertest.View{Width: 390})
	inside := p
	if s.embedded {
		p.Until(t, `heard.some(m => m.type === "ready")`)
		inside = p.Frame(t, "/connect-ui/")
	}
	if s.path == "" && s.token != "never" {
		inside.See(t, "[data-view]:not([data-view=loading]) h1")
	}
	if s.act != nil {
		s.act(t, inside)
		inside.Until(t, `!document.querySelector(".htmx-request")`)
	}
	for _, theme := range []string{"light", "dark"} {
		dark := theme == "dark"
		p.Look(t, browsertest.View{Width: 390, Dark: dark})
		// A frame hears of the theme a little later, and its colours fade over.
		inside.Until(t, fmt.Sprintf(`matchMedia("(prefers-color-scheme: dark)").matches === %v && document.getAnimations().every(a => a.playState !== "running")`, dark))
		axe.Check(t, inside, s.name+", "+theme)
		p.Screenshot(t, *screenshots, fmt.Sprintf("%s-390-%s", s.name, theme))
		if *screenshots != "" {
			p.Look(t, browsertest.View{Width: 1280, Height: 800, Dark: dark})
			p.Screenshot(t, *screenshots, fmt.Sprintf("%s-1280-%s", s.name, theme))
		}
	}
	if wide := 0; s.path == "" {
		p.Look(t, browsertest.View{Width: 320, Height: 640})
		if inside.Eval(t, "document.documentElement.scrollWidth", &wide); wide > 320 {
			t.Errorf("at 320 px the page is %d px wide", wide)
		}
	}
	if errs := p.Errors(); len(errs) > 0 {
		t.Errorf("the page reported %v", errs)
	}
}
