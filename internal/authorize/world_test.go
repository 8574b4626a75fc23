package authorize_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/access"
	"github.com/linkspan/linkspan/internal/authorize"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

// providers are made up, so that the rules of their fields are in sight.
var providers = map[string]string{
	"acme": `
name: acme
display_name: Acme
categories: [other]
auth:
  mode: OAUTH2
  authorize:
    url: ["https://${connectionConfig.subdomain}.acme.example/authorize"]
    params:
      - {name: prompt, value: consent}
      - {name: user_scope, value: ""}
  token:
    url: ["https://${connectionConfig.subdomain}.acme.example/token"]
  capture:
    callback_query: [site, shard]
    token_response: [team, api_domain]
    post_connection: [portal]
inputs:
  connection_config:
    - {name: subdomain, title: Subdomain, required: true, pattern: "^[a-z0-9-]+$"}
    - {name: region, title: Region, default: eu, choices: [{value: eu}, {value: us}]}
    - {name: zone, title: Zone, required: true, pattern: "^[a-z]+$", visible_when: {field: region, equals: us}}
    - {name: team, title: Team}
    - {name: shard, system: true}
    - {name: site, title: Site}
`,
	"keyed": `
name: keyed
display_name: Keyed
categories: [other]
auth:
  mode: API_KEY
api:
  base_url: ["https://${connectionConfig.host}/api"]
inputs:
  connection_config:
    - {name: host, title: Host, required: true, format: hostname}
`,
	"open": `
name: open
display_name: Open
categories: [other]
auth:
  mode: NONE
`,
	"special": `
name: special
display_name: Special
categories: [other]
auth:
  mode: OAUTH2
  authorize:
    url: ["https://special.example/authorize"]
  token:
    url: ["https://special.example/token"]
code_facts:
  token_client: special
`,
}

// world is a service over a real database, with an authorization server and a
// keeper of connections that do as told.
type world struct {
	*authorize.Service

	t testing.TB

	store      *store.Store
	feed       *change.Feed
	account    linkspan.Account
	env, other linkspan.Environment
	now        time.Time
	logged     *bytes.Buffer
	settle     func()
	ops        *oplog.Log
	logger     *slog.Logger

	mu sync.Mutex
	// exchanges and authorized are the calls that came, in order.
	exchanges  []oauth.ExchangeRequest
	authorized []connect.Authorized
	// failed are the types of failures that the backend was told.
	failed []string
	// what the next calls are answered with.
	exchangeErr, issuerErr, authorizeErr, failedErr error
	grant                                           oauth.Grant
	// during runs while a code is exchanged.
	during func(ctx context.Context)
}

const (
	clientSecret = "integration-client-secret"
	code         = "provider-code-12345"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	log := &bytes.Buffer{}
	w := &world{
		t: t, now: time.Now().UTC().Truncate(time.Second), logged: log,
		store: storetest.Open(t, store.Config{DataDir: t.TempDir()}, vault.NewRing(vault.NewMasterKey())),
		grant: oauth.Grant{Credentials: credential.Credentials{Type: credential.OAuth2, AccessToken: linkspan.NewSecret("fresh-token")}},
	}
	logger := slog.New(slog.NewJSONHandler(log, nil))
	w.account = linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(t, w.store.InsertAccount(t.Context(), nil, &w.account))
	w.env, w.other = w.newEnvironment("dev"), w.newEnvironment("other")
	for _, key := range []string{"acme", "keyed", "open", "special"} {
		w.newIntegration(w.env, key, key)
	}
	w.newIntegration(w.other, "elsewhere", "acme")
	w.newIntegration(w.env, "bare", "acme", func(i *linkspan.Integration) { i.Secrets = linkspan.IntegrationSecrets{} })

	ops := oplog.New(steady{w.store}, logger, oplog.Options{})
	w.feed = change.NewFeed(w.store, logger)
	w.store.OnLocalChange(w.feed.Local)
	w.ops, w.logger = ops, logger
	w.Service = w.service(nil)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = ops.Run(ctx) })
	w.settle = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(w.settle)
	return w
}

// steady finishes a write of operations that was under way when the log is told
// to stop.
type steady struct{ *store.Store }

// SaveOperations implements oplog.Store.
func (s steady) SaveOperations(ctx context.Context, tx linkspan.Tx, ops []linkspan.Operation, msgs []linkspan.Message) error {
	return s.Store.SaveOperations(context.WithoutCancel(ctx), tx, ops, msgs)
}

// service returns one more service over the database.
func (w *world) service(change func(*authorize.Config)) *authorize.Service {
	c := authorize.Config{
		Store: w.store, Providers: w, Feed: w.feed, OAuth: w, Connections: w, Ops: w.ops, Log: w.logger,
		PublicURL: "https://api.example.com", ConnectURL: "https://connect.example.com/ui",
		CheckURL: func(u *url.URL) error {
			if u.Hostname() == "10.0.0.1" {
				return errors.New("private")
			}
			return nil
		},
		Now: func() time.Time { return w.now },
	}
	if change != nil {
		change(&c)
	}
	return authorize.New(c)
}

func (w *world) newEnvironment(name string) linkspan.Environment {
	w.t.Helper()
	e := linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: w.account.ID, Name: name, PublicKey: linkspan.NewUUID(), WebhookSigningKey: linkspan.NewSecret("k"),
	}
	must(w.t, w.store.InsertEnvironment(w.t.Context(), nil, &e))
	return e
}

func (w *world) newIntegration(env linkspan.Environment, key, provider string, change ...func(*linkspan.Integration)) linkspan.Integration {
	w.t.Helper()
	i := linkspan.Integration{
		UUID: linkspan.NewUUID(), EnvironmentID: env.ID, Key: key, Provider: provider,
		Secrets: linkspan.IntegrationSecrets{ClientID: "client", ClientSecret: linkspan.NewSecret(clientSecret), Scopes: "read,write"},
	}
	for _, f := range change {
		f(&i)
	}
	must(w.t, w.store.InsertIntegration(w.t.Context(), nil, &i))
	return i
}

func (w *world) newConnection(key, name string, config map[string]any, creds credential.Credentials) linkspan.Connection {
	w.t.Helper()
	i, err := w.store.Integration(w.t.Context(), nil, w.env.ID, key)
	must(w.t, err)
	c := linkspan.Connection{
		UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, IntegrationID: i.ID, IntegrationKey: key, Provider: i.Provider, Name: name,
		Credentials: creds.Encode(), Config: config,
	}
	must(w.t, w.store.InsertConnection(w.t.Context(), nil, &c))
	return c
}

// Provider implements authorize.Providers.
func (w *world) Provider(name string) (*catalog.Provider, error) {
	text, ok := providers[name]
	if !ok {
		return nil, catalog.ErrUnknownProvider
	}
	return catalog.ParseProvider(name+".yaml", name, []byte(text))
}

// Exchange implements authorize.OAuth.
func (w *world) Exchange(ctx context.Context, in oauth.ExchangeRequest) (oauth.Grant, error) {
	w.mu.Lock()
	w.exchanges = append(w.exchanges, in)
	during := w.during
	w.mu.Unlock()
	if during != nil {
		during(ctx)
	}
	in.Trace(linkspan.Message{Type: "http", Text: "Called the provider's token endpoint."})
	return w.grant, w.exchangeErr
}

// CheckIssuer implements authorize.OAuth.
func (w *world) CheckIssuer(_ context.Context, in oauth.IssuerCheck) error {
	if in.AuthorizeURL.Host != "shop.acme.example" || in.AuthorizeURL.RawQuery != "" || len(in.Callback) == 0 {
		return fmt.Errorf("the issuer is checked with the wrong things: %v", in.AuthorizeURL)
	}
	return w.issuerErr
}

// PrepareIssuer implements authorize.OAuth.
func (w *world) PrepareIssuer(oauth.IssuerCheck) {}

// Authorize implements authorize.Connections.
func (w *world) Authorize(_ context.Context, in connect.Authorized) (connect.Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.authorized = append(w.authorized, in)
	if w.authorizeErr != nil {
		return connect.Outcome{}, w.authorizeErr
	}
	return connect.Outcome{IntegrationKey: in.IntegrationKey, Name: in.Name, Created: true}, nil
}

// AuthorizationFailed implements authorize.Connections.
func (w *world) AuthorizationFailed(ctx context.Context, in connect.Authorized, errorType, description string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, errorType)
	if w.failedErr != nil || in.Environment.ID != w.env.ID || in.Operation == "" {
		return errors.Join(errors.New("not told"), w.failedErr)
	}
	return w.store.InsertPopupResult(ctx, nil, linkspan.PopupResult{
		PopupID: in.PopupID, Message: connect.PopupError(in.IntegrationKey, in.Name, errorType, description),
	})
}

// session makes a connect session and the principal that its token stands for.
func (w *world) session(in authorize.SessionInput) *access.Principal {
	w.t.Helper()
	if in.Tags == nil {
		in.Tags = map[string]string{"end_user_id": "u1"}
	}
	made, err := w.CreateSession(w.t.Context(), w.env, in)
	must(w.t, err)
	return w.principal(made)
}

func (w *world) reconnect(c linkspan.Connection, in authorize.SessionInput) *access.Principal {
	w.t.Helper()
	made, err := w.CreateReconnectSession(w.t.Context(), w.env, c.Name, c.IntegrationKey, in)
	must(w.t, err)
	return w.principal(made)
}

func (w *world) principal(made authorize.Session) *access.Principal {
	w.t.Helper()
	hash, ok := access.HashSessionToken(made.Token.Reveal())
	if !ok {
		w.t.Fatal("the token has not the shape of one")
	}
	row, env, err := w.store.ConnectSessionByHash(w.t.Context(), nil, hash)
	must(w.t, err)
	return &access.Principal{Kind: access.Session, AccountID: w.account.ID, Environment: env, Session: &row}
}

func (w *world) publicKey() *access.Principal {
	return &access.Principal{Kind: access.PublicKey, AccountID: w.account.ID, Environment: w.env}
}

// acme is a good request.
func acme() authorize.Request {
	return authorize.Request{IntegrationKey: "acme", Params: map[string]string{"subdomain": "shop"}, PopupID: linkspan.NewUUID()}
}

// browser is one that keeps cookies.
type browser map[string]string

func (b browser) cookie(name string) string { return b[name] }

// begin begins an authorization and returns the consent page's query.
func (w *world) begin(p *access.Principal, in authorize.Request, b browser) url.Values {
	w.t.Helper()
	st, err := w.Begin(w.t.Context(), p, in)
	must(w.t, err)
	b[st.CookieName] = st.CookieValue
	u, err := url.Parse(st.URL)
	must(w.t, err)
	return u.Query()
}

// back is the query with which the provider sends the user back.
func back(page url.Values) url.Values {
	return url.Values{"state": {page.Get("state")}, "code": {code}}
}

// popup returns the message for a waiting page, or "".
func (w *world) popup(id string) string {
	w.t.Helper()
	p, err := w.store.TakePopupResult(w.t.Context(), nil, id)
	if linkspan.KindOf(err) == linkspan.KindNotFound && err != nil {
		return ""
	}
	must(w.t, err)
	return p.Message
}

// operations returns what was recorded, newest first, and all messages as text.
func (w *world) operations() (ops []linkspan.Operation, messages string) {
	w.t.Helper()
	w.settle()
	ops, err := w.store.Operations(w.t.Context(), nil, linkspan.OperationFilter{EnvironmentID: w.env.ID, Limit: 100})
	must(w.t, err)
	var b strings.Builder
	for _, op := range ops {
		msgs, err := w.store.Messages(w.t.Context(), nil, w.env.ID, op.ID, 0, 100)
		must(w.t, err)
		for _, m := range msgs {
			fmt.Fprintf(&b, "%s %s %s\n", m.Level, m.Text, m.Meta)
		}
	}
	return ops, b.String()
}

func (w *world) calls() (exchanges, authorized int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.exchanges), len(w.authorized)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func jsonNumber(s string) json.Number { return json.Number(s) }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func cmpOr(s, fallback string) string { return cmp.Or(s, fallback) }
