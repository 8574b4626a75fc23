// Package server is the public HTTP API: the route table and one file of
// handlers per resource. A handler decodes with httpx, asks one service, and
// shapes the answer into the types of package api. Rules live in the services,
// the shapes of the public contract live here.
package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/integration"
	"github.com/linkspan/linkspan/internal/ratelimit"
	"github.com/linkspan/linkspan/internal/upstream"
)

// Connections is what the API asks of package connect.
type Connections interface {
	Fresh(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, o connect.FreshOptions) (*upstream.Target, error)
	Live(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string) (*upstream.Target, error)
	List(ctx context.Context, f linkspan.ConnectionFilter) ([]linkspan.Connection, error)
	Import(ctx context.Context, env linkspan.Environment, in connect.ImportInput) (*upstream.Target, error)
	Patch(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, in connect.PatchInput) error
	Delete(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string) error
	SetMetadata(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, metadata map[string]any) error
	MergeMetadata(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, names []string, metadata map[string]any) error
}

// Proxy forwards a request to a provider. The path of the request is as it was
// sent.
type Proxy interface {
	Serve(w http.ResponseWriter, r *http.Request, env linkspan.Environment) error
}

// Operations reads the operations log.
type Operations interface {
	Operations(ctx context.Context, tx linkspan.Tx, f linkspan.OperationFilter) ([]linkspan.Operation, error)
	Operation(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.OperationID) (linkspan.Operation, error)
	Messages(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, op linkspan.OperationID, afterID int64, limit int) ([]linkspan.Message, error)
}

// Docs makes the pages under /docs/providers and the logos under
// /images/template-logos.
type Docs interface {
	Index(w http.ResponseWriter, r *http.Request) error
	Provider(w http.ResponseWriter, r *http.Request) error
	Logo(w http.ResponseWriter, r *http.Request) error
}

// Authorize is what the API asks of package authorize.
type Authorize interface {
	CreateSession(ctx context.Context, env linkspan.Environment, in authorize.SessionInput) (authorize.Session, error)
	CreateReconnectSession(ctx context.Context, env linkspan.Environment, connectionName, integrationKey string, in authorize.SessionInput) (authorize.Session, error)
	EndSession(ctx context.Context, p *access.Principal) error
	Begin(ctx context.Context, p *access.Principal, in authorize.Request) (authorize.Start, error)
	Callback(ctx context.Context, query url.Values, cookie func(name string) string) authorize.Result
	FailedStart(p *access.Principal, in authorize.Request, err error) authorize.Result
	Headless(ctx context.Context, p *access.Principal, in authorize.Request, creds credential.Credentials) (connect.Outcome, error)
	Wait(ctx context.Context, popupID string) (message string, err error)
	CountEvent(session *linkspan.ConnectSession) bool
}

// Webhooks shows what was sent to the customer's backend, and sends it again.
type Webhooks interface {
	Deliveries(ctx context.Context, f linkspan.DeliveryFilter) ([]linkspan.WebhookDelivery, error)
	Replay(ctx context.Context, env linkspan.EnvironmentID, uuid string) (linkspan.WebhookDelivery, error)
}

// Functions keeps what customers deploy; *function.Service does.
type Functions interface {
	Plan(ctx context.Context, env linkspan.EnvironmentID, d *function.Deployment) (function.Plan, error)
	Deploy(ctx context.Context, env linkspan.EnvironmentID, d *function.Deployment) (function.Deployed, error)
	All(ctx context.Context, env linkspan.EnvironmentID) ([]linkspan.Function, error)
	List(ctx context.Context, env linkspan.EnvironmentID, f function.Filter) ([]linkspan.Function, int, error)
	Function(ctx context.Context, env linkspan.EnvironmentID, n function.Name) (linkspan.Function, error)
	Source(ctx context.Context, env linkspan.EnvironmentID, n function.Name) (linkspan.Function, string, error)
	VersionCode(ctx context.Context, env linkspan.EnvironmentID, v linkspan.FunctionVersion) (linkspan.FunctionCode, error)
	SetEnabled(ctx context.Context, env linkspan.EnvironmentID, n function.Name, enabled bool) (linkspan.Function, error)
	Delete(ctx context.Context, env linkspan.EnvironmentID, n function.Name) error
	Versions(ctx context.Context, env linkspan.EnvironmentID, n function.Name, limit, offset int) (linkspan.Function, []linkspan.FunctionVersion, int, error)
	Rollback(ctx context.Context, env linkspan.EnvironmentID, n function.Name, number int64) (linkspan.Function, error)
}

// Pages makes the page that the provider's window shows at the end.
type Pages interface {
	Result(w http.ResponseWriter, r *http.Request, result authorize.Result) error
}

// Config is what a Server needs. Metrics, Limiter, Docs, Note, Extra and Ready
// may be nil.
type Config struct {
	Log     *slog.Logger
	Metrics httpx.Metrics
	// PublicURL is where clients reach this server, without a trailing slash.
	PublicURL string
	// ConnectURL is where browsers reach Connect UI.
	ConnectURL string
	// BodyLimit is the largest request body in bytes; zero means 75 MB.
	// ProxyBodyLimit is that of a proxied request; zero means BodyLimit, and a
	// negative value none.
	BodyLimit, ProxyBodyLimit int64

	Access       *access.Service
	Limiter      *ratelimit.Limiter
	Catalog      *catalog.Catalog
	Environments *environment.Service
	Integrations *integration.Service
	Connections  Connections
	// Actions runs functions. Nil: there are no routes for it.
	Actions Actions
	// Author works for authors of functions. Nil: there are no routes for it.
	Author Author
	// Syncs says when syncs run. Nil: there are no routes for it.
	Syncs Syncs
	// Records keeps what syncs have saved. Nil: there are no routes for it.
	Records    Records
	Operations Operations
	Proxy      Proxy
	Authorize  Authorize
	Webhooks   Webhooks
	Functions  Functions
	Pages      Pages
	// Note adds a message to an operation that others began.
	Note func(linkspan.Message)
	// Extra are routes of other packages, such as Connect UI's.
	Extra []httpx.Route
	// Docs makes the pages and logos of providers.
	Docs Docs
	// Ready reports why the server should get no requests now.
	Ready func(context.Context) error
}

// Server answers the public API. It is an http.Handler, safe for concurrent
// use.
type Server struct {
	cfg     Config
	urls    catalog.PublicURLs
	router  *httpx.Router
	openAPI func() ([]byte, error)
	sockets *sockets
	// home is the public URL, basePath its path without a slash at the end; secure
	// says that it is one of https.
	home     url.URL
	basePath string
	secure   bool
}

// New returns a Server. It panics when the route table contradicts itself, which
// is a mistake in the code.
func New(cfg Config) *Server {
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	home := parsePublic(cfg.PublicURL)
	s := &Server{
		cfg: cfg, urls: catalog.PublicURLs{Base: cfg.PublicURL},
		home: home, basePath: strings.TrimRight(home.EscapedPath(), "/"), secure: home.Scheme == "https",
		sockets: newSockets(func(ctx context.Context, popupID string) (string, error) { return cfg.Authorize.Wait(ctx, popupID) }, cfg.Log),
	}
	s.openAPI = sync.OnceValues(func() ([]byte, error) { return OpenAPI(s.router.Routes()) })
	s.router = httpx.New(httpx.Config{Guard: s.guard, Log: cfg.Log, Metrics: cfg.Metrics, BodyLimit: cfg.BodyLimit})
	s.router.Add(s.routes()...)
	s.router.Add(cfg.Extra...)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Shutdown ends the WebSockets, which http.Server does not know of, and refuses
// new ones. It waits until they are closed or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.sockets.shutdown(ctx) }

// Sockets returns how many pages wait for the result of a popup.
func (s *Server) Sockets() int { return s.sockets.count() }

// Routes returns the route table.
func (s *Server) Routes() []httpx.Route { return s.router.Routes() }

// guard lets a request through to the route's handler: it finds out who calls,
// notes the caller for the log, counts the call, and only then asks whether the
// caller may make it, so that refused calls cost budget and can be traced.
func (s *Server) guard(w http.ResponseWriter, r *http.Request, route *httpx.Route) (*http.Request, error) {
	if route.Auth == httpx.AuthNone {
		return r, nil
	}
	wanted := want(route)
	p, err := s.identify(r, wanted)
	if err != nil {
		return nil, err
	}
	note(r, p)
	if err := s.count(w, r, p); err != nil {
		return nil, err
	}
	if err := wanted.Admits(p); err != nil {
		return nil, err
	}
	return r.WithContext(access.WithPrincipal(r.Context(), p)), nil
}

func (s *Server) identify(r *http.Request, wanted access.Want) (*access.Principal, error) {
	if wanted.Browser {
		return s.cfg.Access.Browser(r.Context(), r)
	}
	return s.cfg.Access.Identify(r.Context(), r, wanted)
}

// count counts a call. Those of browsers have budgets of their own: a public key
// is known to everybody, and must not use up what the backend or the users with
// sessions need.
func (s *Server) count(w http.ResponseWriter, r *http.Request, p *access.Principal) error {
	switch p.Kind {
	case access.Session:
		return s.cfg.Limiter.ApplyBrowser(w, p.AccountID)
	case access.PublicKey:
		return s.cfg.Limiter.ApplyPublicKey(w, p.AccountID)
	default:
		return s.cfg.Limiter.Apply(w, r, p.AccountID)
	}
}

// note writes the caller to the log line of the request.
func note(r *http.Request, p *access.Principal) {
	event := httpx.EventFrom(r.Context())
	event.Principal = string(p.Kind)
	event.Account, event.Environment, event.Key = p.AccountID, p.Environment.ID, p.KeyID
}

// want translates what a route asks of callers.
func want(route *httpx.Route) access.Want {
	w := access.Want{Scopes: route.Scopes}
	switch route.Auth {
	case httpx.AuthNone:
	case httpx.AuthEnvironment:
		w.Environment = true
	case httpx.AuthAccount:
		w.Account = true
	case httpx.AuthEnvironmentOrSession:
		w.Environment, w.Session = true, true
	case httpx.AuthEnvironmentOrAccount:
		w.Environment, w.Account = true, true
	case httpx.AuthSession:
		w.Session = true
	case httpx.AuthBrowser:
		w.Browser = true
	}
	return w
}

// caller returns the principal of a request that passed the guard.
func caller(r *http.Request) *access.Principal { return access.PrincipalFrom(r.Context()) }

// environmentOf returns the environment of the caller's key.
func environmentOf(r *http.Request) linkspan.Environment { return caller(r).Environment }

// OpenAPI returns the OpenAPI document of a route table, indented.
func OpenAPI(routes []httpx.Route) ([]byte, error) {
	doc := httpx.OpenAPI(httpx.Info{
		Title:       "Linkspan",
		Version:     "1",
		Description: "Connections to third-party APIs: credentials, refresh, authenticated requests.",
	}, routes)
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the OpenAPI document: %w", err)
	}
	return append(b, '\n'), nil
}
