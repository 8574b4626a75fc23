package connectui

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/httpx"
)

// bodyLimit is more than all inputs of any form together can hold.
const bodyLimit = 256 << 10

// Sessions finds connect sessions; *access.Service does.
type Sessions interface {
	// SessionByToken returns the principal of a token. The error has the kind
	// unauthenticated when there is none or it has expired.
	SessionByToken(ctx context.Context, token string) (*access.Principal, error)
}

// Authorizer connects accounts; *authorize.Service does.
type Authorizer interface {
	// Headless connects an account with credentials that were typed in.
	Headless(ctx context.Context, p *access.Principal, in authorize.Request, creds credential.Credentials) (connect.Outcome, error)
	// Begin says where to send the browser so that its user authorizes access.
	Begin(ctx context.Context, p *access.Principal, in authorize.Request) (authorize.Start, error)
}

// Catalog looks providers up; *catalog.Catalog does.
type Catalog interface {
	Provider(name string) (*catalog.Provider, error)
	Search(query string) ([]catalog.Summary, error)
}

// Integrations lists what is set up; *integration.Service does.
type Integrations interface {
	List(ctx context.Context, env linkspan.EnvironmentID) ([]linkspan.Integration, error)
	// Get returns an error of the kind not_found for what does not exist.
	Get(ctx context.Context, env linkspan.EnvironmentID, key string) (linkspan.Integration, error)
}

// Config is what a UI needs. All fields are required.
type Config struct {
	Access       Sessions
	Authorize    Authorizer
	Catalog      Catalog
	Integrations Integrations
	// PublicURL is where browsers reach the API.
	PublicURL string
	Log       *slog.Logger
}

// UI serves Connect UI and the result page. It is safe for concurrent use.
type UI struct {
	cfg    Config
	api    *url.URL
	base   string // path of Connect UI as the browser sees it, without a trailing slash
	langs  []*words
	assets *assets
}

// New returns a UI. It panics when PublicURL is not a URL, which the
// configuration has checked.
func New(cfg Config) *UI {
	api, err := url.Parse(strings.TrimRight(cfg.PublicURL, "/"))
	if err != nil {
		panic(fmt.Sprintf("connectui: the public URL is malformed: %v", err))
	}
	return &UI{cfg: cfg, api: api, base: api.Path + "/connect-ui", langs: languages(), assets: loadAssets()}
}

// Routes returns the routes of Connect UI.
func (u *UI) Routes() []httpx.Route {
	get := func(pattern string, h httpx.Handler) httpx.Route {
		return httpx.Route{Method: http.MethodGet, Pattern: pattern, AnyContentType: true, Quiet: true, Handler: h}
	}
	post := func(pattern string, h httpx.Handler) httpx.Route {
		return httpx.Route{
			Method: http.MethodPost, Pattern: pattern, AnyContentType: true, BodyLimit: bodyLimit, Quiet: true,
			Handler: h, Fail: u.fail,
		}
	}
	shell := get("/connect-ui", u.shell)
	shell.Fail = u.fail
	return []httpx.Route{
		shell,
		post("/connect-ui", u.list),
		post("/connect-ui/integrations/{key}", u.card),
		post("/connect-ui/integrations/{key}/connect", u.connect),
		post("/connect-ui/integrations/{key}/start", u.start),
		post("/connect-ui/integrations/{key}/done", u.done),
		post("/connect-ui/integrations/{key}/problem", u.problem),
		get("/connect-ui/look", u.look),
		get("/connect-ui/assets/{file}", u.assets.serve),
	}
}

// frame is what every view and document needs.
type frame struct {
	W *words
	// Base is the path of Connect UI, API the public URL.
	Base, API string
	// Token is set in documents that must work without scripts: their forms
	// send it along.
	Token string
	// Embedded pages are a modal in somebody's page.
	Embedded bool
	// Alone pages are windows of their own, which nobody may frame.
	Alone   bool
	Detect  bool
	Preview bool
	// App is the name of the customer's product, or "".
	App, AppLogo string
	// AskedTheme is the theme that the page's address asks for, or "".
	Theme, AskedTheme string
	Look              look
	Watermark         bool
	// Nonce allows the one style element of a document.
	Nonce  string
	Assets *assets
}

// app is the customer's product inside a sentence.
func (f frame) app() string {
	if f.App == "" {
		return f.W.ThisApp
	}
	return f.App
}

// say fills a text that may speak of the app and of a provider.
func (f frame) say(text, provider string) string {
	provider = cmp.Or(provider, f.W.ThisProvider)
	return say(text, "app", f.app(), "provider", provider)
}

func (f frame) logo(provider string) string {
	return f.API + "/images/template-logos/" + url.PathEscape(provider) + ".svg"
}

// withSettings dresses a frame in the look of an environment.
func (f frame) withSettings(s linkspan.ConnectUISettings) frame {
	f.App, f.Theme, f.Watermark = s.AppName, themeOf(f.AskedTheme, s.DefaultTheme), !s.HideWatermark
	f.Look = newLook(s.LightPrimary, s.DarkPrimary)
	if logo, err := url.Parse(s.AppLogoURL); err == nil && logo.Scheme == "https" {
		f.AppLogo = s.AppLogoURL
	}
	return f
}

// newFrame reads what the page's address, or the fields that every request
// carries along, say about the look.
func (u *UI) newFrame(r *http.Request, from url.Values) frame {
	f := frame{
		W:    pickWords(u.langs, from.Get("lang"), r.Header.Get("Accept-Language")),
		Base: u.base, API: u.api.String(), Nonce: rand.Text(), Assets: u.assets,
		Embedded: isYes(from.Get("embedded")) || r.Header.Get("Sec-Fetch-Dest") == "iframe",
		Detect:   isYes(from.Get("detectClosedAuthWindow")),
		Preview:  isYes(from.Get("preview")),
	}
	if asked := from.Get("theme"); isTheme(asked) {
		f.AskedTheme = asked
	}
	return f.withSettings(linkspan.ConnectUISettings{})
}

func isYes(text string) bool { return text == "true" || text == "1" }

// visit is one request of somebody with a session.
type visit struct {
	frame
	principal *access.Principal
	session   *linkspan.ConnectSession
	form      url.Values
	// fragment says that the answer goes into a document that is there already.
	fragment bool
}

// open reads a request's form and finds its session. The error is one to show.
func (u *UI) open(r *http.Request) (*visit, error) {
	if err := r.ParseForm(); err != nil {
		return nil, linkspan.E("connectui.open", linkspan.KindInvalid, "invalid_body", err, "The form is malformed.")
	}
	v := &visit{form: r.PostForm, fragment: isFragment(r)}
	if r.Method == http.MethodGet {
		v.form = r.Form
	}
	v.frame = u.newFrame(r, v.form)
	token, inHeader := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !inHeader {
		token = v.form.Get("session_token")
		v.Token = token
	}
	if token == "" {
		return v, linkspan.E("connectui.open", linkspan.KindUnauthenticated, codeNoToken, nil, "The session token is missing.")
	}
	p, err := u.cfg.Access.SessionByToken(r.Context(), token)
	if err != nil {
		return v, fmt.Errorf("finding the connect session: %w", err)
	}
	v.principal, v.session = p, p.Session
	event := httpx.EventFrom(r.Context())
	event.Principal, event.Account, event.Environment = string(p.Kind), p.AccountID, p.Environment.ID
	event.Integration = r.PathValue("key")
	v.frame = v.withSettings(p.Environment.Settings.ConnectUI)
	return v, nil
}

func isFragment(r *http.Request) bool { return r.Header.Get("Hx-Request") == "true" }

// allows reports whether the session may connect an integration.
func (v *visit) allows(key string) bool {
	return len(v.session.AllowedIntegrations) == 0 || slices.Contains(v.session.AllowedIntegrations, key)
}

// reconnects reports whether the session renews a connection.
func (v *visit) reconnects() bool { return v.session != nil && v.session.Reconnect != 0 }

// render answers with a view: alone, or in a document of its own.
func (v *visit) render(w http.ResponseWriter, r *http.Request, status int, view templ.Component) error {
	if !v.fragment {
		view = document(v.frame, view)
	}
	return v.write(w, r, status, view)
}

// write sends a document or fragment, made completely before anything is sent.
func (f frame) write(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var b strings.Builder
	if err := c.Render(r.Context(), &b); err != nil {
		return fmt.Errorf("rendering a page of Connect UI: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", f.policy())
	h.Set("Content-Language", f.W.Lang)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language, Hx-Request")
	return sendText(w, r, status, b.String())
}

// policy lets a document do what it must: be framed by anybody, run our scripts,
// talk to us, and show logos.
func (f frame) policy() string {
	api, err := url.Parse(f.API)
	if err != nil { // it was made from a URL
		api = &url.URL{}
	}
	origin := api.Scheme + "://" + api.Host
	socket := "ws" + strings.TrimPrefix(origin, "http")
	ancestors := "*"
	if f.Alone {
		ancestors = "'none'"
	}
	return "default-src 'none'; base-uri 'none'; frame-ancestors " + ancestors + "; script-src 'self'; style-src 'self' 'nonce-" + f.Nonce + "'; " +
		"img-src 'self' https: " + origin + "; connect-src 'self' " + origin + " " + socket + "; form-action 'self' " + origin
}
