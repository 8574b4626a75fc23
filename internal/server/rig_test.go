package server_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/integration"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/providerdocs"
	"github.com/linkspan/linkspan/internal/ratelimit"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/run"
	"github.com/linkspan/linkspan/internal/server"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/upstream"
	"github.com/linkspan/linkspan/internal/vault"
	"github.com/linkspan/linkspan/internal/webhook"
)

// The keys of the account that every rig has.
const (
	devKey     = "00000000-0000-4000-8000-000000000001"
	prodKey    = "00000000-0000-4000-8000-000000000002"
	accountKey = "00000000-0000-4000-8000-000000000003"
	publicURL  = "https://link.example"
	connectURL = "https://Connect.example:443/ui/" // as an operator may write it
)

// rig is the API over the real services and a real database. Only the proxy and
// the world outside are fakes.
type rig struct {
	t       testing.TB
	server  *server.Server
	store   *store.Store
	access  *access.Service
	account linkspan.Account
	dev     linkspan.Environment
	prod    linkspan.Environment
	proxied atomic.Int64
	// authorize and webhooks are those of the server, notes what it added to
	// operations.
	authorize *authorize.Service
	webhooks  *webhook.Service
	functions *function.Service
	engine    *fakeEngine
	author    *fakeAuthor
	syncs     *fakeSyncs
	records   *record.Service
	notes     chan linkspan.Message
	// outside answers what the services send to providers.
	outside *httptest.Server
}

type rigOptions struct {
	rateLimit int
	ready     func(context.Context) error
	metrics   httpx.Metrics
	// log gets the lines of requests; nil discards them.
	log slog.Handler
	// answer is what the world outside answers; nil answers 200 {}.
	answer http.HandlerFunc
	// publicURL replaces the usual one.
	publicURL string
}

func newRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if o.log != nil {
		log = slog.New(o.log)
	}
	r := &rig{t: t, notes: make(chan linkspan.Message, 1000)}
	o.publicURL = cmp.Or(o.publicURL, publicURL)
	if o.answer == nil {
		o.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }
	}
	r.outside = httptest.NewServer(o.answer)
	t.Cleanup(r.outside.Close)

	db, err := store.Open(t.Context(), store.Config{DataDir: t.TempDir()}, log)
	check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.Migrate(t.Context())
	check(t, err)
	r.store = store.New(db, vault.New(vault.NewRing(vault.NewMasterKey()), db))
	cat, err := catalog.Open(catalog.Options{Dir: writeProviders(t, r.outside.URL)})
	check(t, err)
	check(t, errorOf(cat.Errors()))

	feed := change.NewFeed(db, log)
	db.OnLocalChange(feed.Local)
	environments := environment.New(r.store, r.store)
	r.bootstrap(environments)
	r.access = access.New(access.Config{Store: r.store, Feed: feed, Log: log})
	guard := egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)
	exchanger := oauth.New(oauth.Config{HTTP: guard.Client(egress.ClientOptions{})})
	t.Cleanup(exchanger.Close)
	r.webhooks = webhook.New(webhook.Config{Store: r.store, Tx: r.store, HTTP: guard, Log: log, Holder: "test"})
	connections := connect.New(connect.Config{
		Store: r.store, Tx: r.store, Providers: cat, Feed: feed,
		Leases:   lease.NewKeeper(r.store, "test", log),
		Upstream: upstream.New(upstream.Config{Guard: guard}),
		OAuth:    exchanger, Webhooks: r.webhooks, Log: log,
	})
	r.authorize = authorize.New(authorize.Config{
		Store: r.store, Providers: cat, Feed: feed, OAuth: exchanger, Connections: connections, Log: log,
		PublicURL: o.publicURL, ConnectURL: connectURL,
	})
	r.functions = function.New(function.Config{Store: r.store, Tx: r.store, Feed: feed, Leases: lease.NewKeeper(r.store, "test", log), Log: log})
	r.engine, r.syncs, r.records, r.author = &fakeEngine{}, &fakeSyncs{}, record.New(r.store), &fakeAuthor{integrations: integration.New(r.store, r.store, cat)}
	r.server = server.New(server.Config{
		Log: log, Metrics: o.metrics, PublicURL: o.publicURL, ConnectURL: connectURL, BodyLimit: 1 << 20,
		Authorize: r.authorize, Webhooks: r.webhooks, Pages: fakePages{}, Note: func(m linkspan.Message) { r.notes <- m },
		Access: r.access, Limiter: ratelimit.New(ratelimit.Config{Store: r.store, Log: log, PerMinute: o.rateLimit}),
		Catalog: cat, Environments: environments, Integrations: integration.New(r.store, r.store, cat),
		Actions: run.New(run.Config{
			Store: r.store, Tx: r.store, Functions: r.functions, Connections: connections, Engine: r.engine, Log: log, Holder: "test",
		}),
		Author: r.author,
		Syncs:  r.syncs, Records: r.records, Functions: r.functions, Connections: connections, Operations: r.store, Proxy: fakeProxy{&r.proxied}, Docs: providerdocs.New(cat, publicURL), Ready: o.ready,
	})
	runFeed(t, feed)
	return r
}

func (r *rig) bootstrap(environments *environment.Service) {
	made, err := environments.Bootstrap(r.t.Context(), environment.BootstrapInput{
		AccountKey: linkspan.NewSecret(accountKey),
		Environments: map[string]environment.GivenKeys{
			"dev": {SecretKey: linkspan.NewSecret(devKey)}, "prod": {SecretKey: linkspan.NewSecret(prodKey)},
		},
	})
	check(r.t, err)
	r.account, r.dev, r.prod = made.Account, made.Environments[0].Environment, made.Environments[1].Environment
}

// runFeed runs the feed for the time of the test and waits until caches may be
// trusted.
func runFeed(t testing.TB, feed *change.Feed) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for !feed.Fresh() {
		select {
		case err := <-done:
			t.Fatal(err)
		default:
			runtime.Gosched()
		}
	}
}

// writeProviders writes the providers of the tests, which call base.
func writeProviders(t testing.TB, base string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"test-key": `name: test-key
display_name: Test Key
categories: [other]
auth: {mode: API_KEY}
api:
  base_url: ["` + base + `"]
  headers:
    - {name: authorization, value: "Bearer ${apiKey}"}
  verify: {method: GET, paths: [/verify]}
inputs:
  credentials:
    - {name: apiKey, title: API key, help: The key., required: true, secret: true}
  integration_config:
    - {name: region, title: Region, help: Where., required: true, default: eu, choices: [{value: eu}, {value: us}]}
    - {name: seed, title: Seed, help: A secret., required: false, secret: true}
hooks: {webhook_routing: stripe}
`,
		"test-oauth": `name: test-oauth
display_name: Test OAuth
categories: [other]
auth:
  mode: OAUTH2
  scopes: {default: [read, write]}
  authorize: {url: ["` + base + `/authorize"]}
  token: {url: ["` + base + `/token"]}
api:
  base_url: ["` + base + `"]
`,
		"test-basic": `name: test-basic
display_name: Test Basic
categories: [other]
auth: {mode: BASIC}
api:
  base_url: ["` + base + `"]
`,
	} {
		check(t, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600))
	}
	return dir
}

type fakeProxy struct{ calls *atomic.Int64 }

// Serve answers with the path that it got, so that tests see that nothing
// touched it.
func (p fakeProxy) Serve(w http.ResponseWriter, r *http.Request, env linkspan.Environment) error {
	p.calls.Add(1)
	w.WriteHeader(http.StatusAccepted)
	_, err := fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.EscapedPath(), env.Name)
	return err
}

// fakePages shows a result as lines of text.
type fakePages struct{}

// Result implements server.Pages.
func (fakePages) Result(w http.ResponseWriter, _ *http.Request, res authorize.Result) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(res.Status)
	_, err := fmt.Fprintf(w, "page success=%t code=%s integration=%s connection=%s lang=%s: %s", res.Success, res.Code,
		res.IntegrationKey, res.ConnectionName, res.Lang, html.EscapeString(res.Message))
	return err
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   string
}

// call makes a request with a key; "" means none. Headers are name and value in
// turn.
func (r *rig) call(key, method, path, body string, headers ...string) reply {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, nil)
	if body != "" {
		req = httptest.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	w := httptest.NewRecorder()
	r.server.ServeHTTP(w, req)
	return reply{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// must makes a request that has to succeed and decodes the answer.
func (r *rig) must(key, method, path, body string) any {
	r.t.Helper()
	got := r.call(key, method, path, body)
	if got.status < 200 || got.status > 299 {
		r.t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
	}
	if got.body == "" {
		return nil
	}
	var v any
	check(r.t, json.Unmarshal([]byte(got.body), &v))
	return v
}

// errorBody is the part of an error that tests look at.
type errorBody struct {
	Error struct {
		Code    string           `json:"code"`
		Message string           `json:"message"`
		Errors  []linkspan.Issue `json:"errors"`
		Payload json.RawMessage  `json:"payload"`
	} `json:"error"`
}

func (got reply) err(t testing.TB) errorBody {
	t.Helper()
	var b errorBody
	if err := json.Unmarshal([]byte(got.body), &b); err != nil {
		t.Fatalf("the error is not JSON: %q: %v", got.body, err)
	}
	return b
}

// code is the code of an error, in the envelope or on a page.
func (got reply) code(t testing.TB) string {
	t.Helper()
	if _, rest, page := strings.Cut(got.body, "page success=false code="); page {
		code, _, _ := strings.Cut(rest, " ")
		return code
	}
	return got.err(t).Error.Code
}

// expect fails unless the answer is this error; issues are matched by their
// "code message" when they are given.
func (r *rig) expect(got reply, status int, code string, issues ...string) {
	r.t.Helper()
	b := got.err(r.t)
	if got.status != status || b.Error.Code != code {
		r.t.Errorf("got %d %s, want %d %s", got.status, got.body, status, code)
		return
	}
	var found []string
	for _, i := range b.Error.Errors {
		found = append(found, i.Code+" "+i.Message)
	}
	for _, want := range issues {
		if !strings.Contains(strings.Join(found, "\n"), want) {
			r.t.Errorf("got issues %q, want one with %q", found, want)
		}
	}
}

// key makes a key of dev with the scopes.
func (r *rig) key(scopes ...string) string {
	r.t.Helper()
	_, secret, err := r.access.CreateKey(r.t.Context(), nil, access.NewKey{
		AccountID: r.account.ID, EnvironmentID: r.dev.ID, DisplayName: strings.Join(scopes, " "), Scopes: scopes,
	})
	check(r.t, err)
	return secret.Reveal()
}

// seed makes an integration "seeded" and a connection "c1" in an environment.
func (r *rig) seed(key string) {
	r.t.Helper()
	r.must(key, "POST", "/integrations", `{"provider":"test-key","unique_key":"seeded"}`)
	r.must(key, "POST", "/connections", `{"provider_config_key":"seeded","connection_id":"c1","credentials":{"type":"API_KEY","apiKey":"k-1"}}`)
}

// session makes a connect session of an environment, of an end user.
func (r *rig) session(env linkspan.Environment, change func(*authorize.SessionInput)) string {
	r.t.Helper()
	in := authorize.SessionInput{Tags: map[string]string{"user": "u1"}}
	if change != nil {
		change(&in)
	}
	made, err := r.authorize.CreateSession(r.t.Context(), env, in)
	check(r.t, err)
	return made.Token.Reveal()
}

// deliver stores an event of an environment with one delivery.
func (r *rig) deliver(env linkspan.Environment, change func(*linkspan.WebhookEvent, *linkspan.WebhookDelivery)) string {
	r.t.Helper()
	e := linkspan.WebhookEvent{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Type: "auth", Operation: "creation", IntegrationKey: "seeded", Provider: "test-key",
		ConnectionName: "c1", ConnectionUUID: linkspan.NewUUID(), Body: linkspan.NewSecret("{}"),
	}
	d := linkspan.WebhookDelivery{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, URL: "https://me:pw@hooks.example/in?token=hush#x", Destination: "https://hooks.example",
		State: linkspan.DeliveryPending,
	}
	if change != nil {
		change(&e, &d)
	}
	check(r.t, r.store.InsertWebhook(r.t.Context(), nil, &e, []linkspan.WebhookDelivery{d}))
	return d.UUID
}

// operation stores an operation with a message in an environment.
func (r *rig) operation(env linkspan.Environment, at time.Time, change func(*linkspan.Operation)) linkspan.OperationID {
	r.t.Helper()
	at = at.UTC().Truncate(time.Microsecond)
	op := linkspan.Operation{
		ID: linkspan.NewOperationID(at), AccountID: r.account.ID, EnvironmentID: env.ID, Type: linkspan.OperationProxy, Action: linkspan.ActionCall,
		State: linkspan.StateSuccess, Message: "GET /x", IntegrationKey: "seeded", Provider: "test-key", ConnectionName: "c1",
		CreatedAt: at, StartedAt: at, EndedAt: at.Add(1500 * time.Millisecond), ExpiresAt: at.Add(time.Hour),
	}
	if change != nil {
		change(&op)
	}
	check(r.t, r.store.SaveOperations(r.t.Context(), nil, []linkspan.Operation{op}, []linkspan.Message{{
		OperationID: op.ID, EnvironmentID: env.ID, Type: "http", Source: "internal", Level: "warn", Text: "again",
		Retry: &linkspan.RetryInfo{Attempt: 1, Max: 2, WaitedMS: 5}, CreatedAt: at,
	}}))
	return op.ID
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func errorOf(errs []error) error {
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
}

// at walks a decoded JSON value by keys.
func at(t testing.TB, v any, keys ...string) any {
	t.Helper()
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v is no object on the way along %q", v, keys)
		}
		v = m[k]
	}
	return v
}
