package host_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/environment"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/proxy"
	"github.com/linkspan/linkspan/internal/sandbox"
	"github.com/linkspan/linkspan/internal/sandbox/platform"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/upstream"
	"github.com/linkspan/linkspan/internal/vault"
	functions "github.com/linkspan/linkspan/sdk/functions"
)

// engine is the real sandbox with the real prelude, made once for all tests.
var engine = sync.OnceValues(func() (*sandbox.Engine, error) {
	return sandbox.New(context.Background(), sandbox.Options{
		Prelude: functions.Prelude(), Sync: platform.Serve, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
})

const (
	token        = "at-very-secret-1"
	clientSecret = "client-very-secret"
	variable     = "variable-very-secret"
)

// world is everything around functions: a database, its services and a fake API.
type world struct {
	host   *host.Service
	config host.Config
	store  *store.Store
	ops    *oplog.Log
	env    linkspan.Environment
	conns  *connect.Service
	saas   *httptest.Server
	proxy  *proxy.Service
	guard  *egress.Guard
	// ids are the numbers of the connections, by integration and name.
	ids map[string]linkspan.ConnectionID

	// records are those of syncs; hold answers for HoldRun.
	records *cache
	hold    func(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error

	mu   sync.Mutex
	msgs []linkspan.Message
}

// heldStore lets tests say which runs may write: all, unless they do.
type heldStore struct {
	*store.Store

	w *world
}

func (s heldStore) HoldRun(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error {
	if s.w.hold == nil {
		return nil
	}
	return s.w.hold(ctx, tx, f)
}

// providers are the fake API's entries, by the kind of their pagination.
type providers map[string]*catalog.Provider

func (p providers) Provider(name string) (*catalog.Provider, error) {
	if found := p[name]; found != nil {
		return found, nil
	}
	return nil, errors.New("no such provider")
}

func newProviders(t *testing.T) providers {
	t.Helper()
	out := make(providers)
	for name, paginate := range map[string]string{
		"acme":    "",
		"cursors": "  paginate:\n    kind: cursor\n    cursor_param: after\n    cursor_path: paging.next\n    items_path: results\n    limit_param: count\n",
		"links":   "  paginate:\n    kind: link\n    link_rel: next\n    limit_param: per_page\n",
		"offsets": "  paginate:\n    kind: offset\n    offset_param: start\n    offset_start: 1\n    items_path: data\n    limit_param: max\n",
	} {
		text := "name: " + name + "\ndisplay_name: Acme\ncategories:\n  - other\nauth:\n  mode: OAUTH2\n  authorize:\n    url:\n      - https://acme.example/a\n" +
			"  token:\n    url:\n      - https://acme.example/t\napi:\n  base_url:\n    - ${connectionConfig.url}\n" + paginate
		p, err := catalog.ParseProvider(name+".yaml", name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = p
	}
	return out
}

// SaveOperations keeps messages.
func (w *world) SaveOperations(_ context.Context, _ linkspan.Tx, _ []linkspan.Operation, msgs []linkspan.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.msgs = append(w.msgs, msgs...)
	return nil
}

func newWorld(t *testing.T, saas http.HandlerFunc) *world {
	t.Helper()
	return newWorldWith(t, saas, proxy.OverrideAnywhere)
}

func newWorldWith(t *testing.T, saas http.HandlerFunc, override proxy.OverridePolicy) *world {
	t.Helper()
	w := &world{saas: httptest.NewServer(saas), records: newCache(), ids: make(map[string]linkspan.ConnectionID)}
	t.Cleanup(w.saas.Close)
	w.store = storetest.Open(t, store.Config{DataDir: t.TempDir()}, vault.NewRing(vault.NewMasterKey()))
	w.ops = oplog.New(w, slog.New(slog.DiscardHandler), oplog.Options{})
	w.fill(t)

	log := slog.New(slog.DiscardHandler)
	feed := change.NewFeed(w.store, log)
	w.store.OnLocalChange(feed.Local)
	w.conns = connect.New(connect.Config{Store: w.store, Tx: w.store, Providers: newProviders(t), Feed: feed, Leases: lease.NewKeeper(w.store, rand.Text(), log), Log: log})
	guard := egress.New(egress.Policy{AllowPrivateNetwork: true}, nil)
	w.guard = guard
	caller := upstream.New(upstream.Config{Guard: guard})
	t.Cleanup(caller.CloseIdleConnections)
	w.proxy = proxy.New(proxy.Config{Fresh: w.conns.Fresh, Upstream: caller, Ops: w.ops, Override: override, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	w.config = host.Config{
		Store: heldStore{w.store, w}, Tx: w.store, Records: w.records, Connections: w.conns, Proxy: w.proxy, Variables: environment.New(w.store, w.store), Guard: guard,
		PublicURL: "https://link.example", MaxBody: 1 << 20,
	}
	w.host = host.New(w.config)
	t.Cleanup(w.host.Close)
	w.start(t, feed)
	for _, name := range []string{"acme", "cursors", "links", "offsets"} {
		w.connection(t, name, "c1", token)
	}
	w.connection(t, "acme", "c2", "at-other-secret-2")
	return w
}

// fill makes the environment and its integrations.
func (w *world) fill(t *testing.T) {
	t.Helper()
	account := linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(t, w.store.InsertAccount(t.Context(), nil, &account))
	w.env = linkspan.Environment{
		UUID: linkspan.NewUUID(), AccountID: account.ID, Name: "dev", PublicKey: linkspan.NewUUID(), WebhookSigningKey: linkspan.NewSecret(rand.Text()),
	}
	must(t, w.store.InsertEnvironment(t.Context(), nil, &w.env))
	must(t, w.store.ReplaceVariables(t.Context(), nil, w.env.ID, w.env.UUID, []linkspan.SecretPair{
		{Name: "API_KEY", Value: linkspan.NewSecret(variable)}, {Name: "STAGE", Value: linkspan.NewSecret("production")},
	}))
	for _, name := range []string{"acme", "cursors", "links", "offsets"} {
		must(t, w.store.InsertIntegration(t.Context(), nil, &linkspan.Integration{
			UUID: linkspan.NewUUID(), EnvironmentID: w.env.ID, Key: name, Provider: name,
			Secrets: linkspan.IntegrationSecrets{ClientID: "client", ClientSecret: linkspan.NewSecret(clientSecret), Scopes: "a,b"},
		}))
	}
}

func (w *world) start(t *testing.T, feed *change.Feed) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{feed.Run, w.conns.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { stop(); running.Wait() })
	for !feed.Fresh() {
		runtime.Gosched()
	}
}

func (w *world) connection(t *testing.T, integration, name, token string) {
	t.Helper()
	imported, err := w.conns.Import(t.Context(), w.env, connect.ImportInput{
		IntegrationKey: integration, Name: name, Credentials: credential.NewOAuth2(token, "rt-very-secret", time.Time{}),
		ConnectionConfig: map[string]any{"url": w.saas.URL + "/api"}, Metadata: map[string]any{"a": 1},
	})
	must(t, err)
	w.ids[integration+"/"+name] = imported.Connection.ID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// trial is one run of a function.
type trial struct {
	info    host.Info
	session *host.Session
	limits  sandbox.Limits
	bundle  string
	output  json.RawMessage
	err     error
	failed  *linkspan.RunError
}

// info describes the run of an action for a connection.
func (w *world) info(integration, connection string) host.Info {
	return host.Info{
		Environment: w.env, AccountUUID: "account-uuid", Kind: linkspan.FunctionAction, Function: "f",
		IntegrationKey: integration, Provider: integration, ConnectionName: connection, ConnectionID: w.ids[integration+"/"+connection], Owner: linkspan.NewUUID(),
		Target: func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error) {
			return w.conns.Fresh(ctx, w.env.ID, integration, connection, o)
		},
		Op: w.ops.Start(linkspan.Operation{EnvironmentID: w.env.ID, Type: linkspan.OperationActionRun, Action: linkspan.ActionRun}),
	}
}

// run executes the body of an action for c1 of acme.
func (w *world) run(t *testing.T, body string, change ...func(*trial)) *trial {
	t.Helper()
	r := &trial{info: w.info("acme", "c1"), bundle: action(body)}
	for _, f := range change {
		f(r)
	}
	w.execute(t, r)
	return r
}

func action(body string) string {
	return "\"use strict\";\nexports.default = { type: \"action\", exec: async (nango, input) => {\n" + body + "\n} };"
}

func (w *world) execute(t *testing.T, r *trial) {
	t.Helper()
	w.executeIn(t.Context(), t, r)
}

func (w *world) executeIn(ctx context.Context, t *testing.T, r *trial) {
	t.Helper()
	e, err := engine()
	must(t, err)
	r.session = w.host.Open(r.info)
	defer r.session.Close(t.Context())
	start, err := r.session.Start(t.Context())
	must(t, err)
	if r.limits.Wall == 0 {
		r.limits.Wall = time.Minute
	}
	result, err := e.Run(ctx, sandbox.Request{
		Program: sandbox.Program{Name: "acme/actions/f.js", Source: r.bundle}, Start: start, Limits: r.limits, Host: r.session,
	})
	r.output, r.err = result.JSON, err
	if err != nil {
		r.failed = r.session.RunError(r.bundle, err)
	}
}

// value returns the output of a run that must not fail.
func (r *trial) value(t *testing.T) any {
	t.Helper()
	if r.err != nil {
		t.Fatalf("the function failed: %v\n%+v\n%s", r.err, r.failed, r.failed.Payload)
	}
	if len(r.output) == 0 {
		return nil
	}
	var v any
	must(t, json.Unmarshal(r.output, &v))
	return v
}

// text is value as text with sorted members.
func (r *trial) text(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(r.value(t))
	must(t, err)
	return string(b)
}

// messages ends the operation of a run and returns what was written under it.
func (w *world) messages(t *testing.T, r *trial) []linkspan.Message {
	t.Helper()
	r.info.Op.Succeed("done")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	must(t, w.ops.Run(ctx))
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []linkspan.Message
	for _, m := range w.msgs {
		if m.OperationID == r.info.Op.ID() {
			out = append(out, m)
		}
	}
	return out
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "uri": r.URL.RequestURI(), "auth": r.Header.Get("Authorization"), "type": r.Header.Get("Content-Type"),
		"custom": r.Header.Get("X-Custom"), "agent": r.Header.Get("User-Agent"), "accept": r.Header.Get("Accept"), "body": string(body),
	})
}

// leaks reports secrets in a text.
func leaks(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{token, clientSecret, variable, "rt-very-secret", "at-other-secret-2"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds the secret %s: %.300s", where, secret, text)
		}
	}
}

func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
