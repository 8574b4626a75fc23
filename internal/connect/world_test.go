package connect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/catalog"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
)

// authority is an authorization server whose refresh tokens work once. It is an
// http.RoundTripper, so that no network gets between a test and its clock.
type authority struct {
	mu      sync.Mutex
	current string
	n       int
	calls   int
	// spent maps used refresh tokens to what they were exchanged for.
	spent map[string]string

	// tolerant answers a used refresh token as it did the first time.
	tolerant bool
	// delay passes before the answer is made, after the tokens have changed.
	delay time.Duration
	// lifetime is the expires_in in seconds; 0 leaves it out.
	lifetime int
	// answered is called after the tokens have changed.
	answered func()
	// introspected is the answer at /introspect.
	introspected string
	// faults are what the next calls get instead.
	faults []fault
}

type fault struct {
	err    error
	status int
	body   string
}

func newAuthority() *authority {
	return &authority{current: "refresh-0", lifetime: 3600, spent: make(map[string]string)}
}

func (a *authority) RoundTrip(r *http.Request) (*http.Response, error) {
	text, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(text))
	status, body, err := http.StatusOK, a.introspected, error(nil)
	if r.URL.Path != "/introspect" {
		status, body, err = a.exchange(form.Get("refresh_token"))
	}
	if a.delay > 0 {
		timer := time.NewTimer(a.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func (a *authority) exchange(token string) (int, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if len(a.faults) > 0 {
		f := a.faults[0]
		a.faults = a.faults[1:]
		return f.status, f.body, f.err
	}
	if body, used := a.spent[token]; used && a.tolerant {
		return http.StatusOK, body, nil
	}
	if token != a.current {
		return http.StatusBadRequest, `{"error":"invalid_grant","error_description":"unknown refresh token ` + token + `"}`, nil
	}
	a.n++
	body := fmt.Sprintf(`{"access_token":"at-%d","refresh_token":"refresh-%d"`, a.n, a.n)
	if a.lifetime > 0 {
		body += fmt.Sprintf(`,"expires_in":%d`, a.lifetime)
	}
	body += "}"
	a.spent[token], a.current = body, fmt.Sprintf("refresh-%d", a.n)
	if a.answered != nil {
		a.answered()
	}
	return http.StatusOK, body, nil
}

func (a *authority) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

func (a *authority) fail(faults ...fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, faults...)
}

// records keeps operations.
type records struct {
	mu       sync.Mutex
	ops      []linkspan.Operation
	messages []linkspan.Message
}

func (r *records) SaveOperations(_ context.Context, _ linkspan.Tx, ops []linkspan.Operation, messages []linkspan.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, ops...)
	r.messages = append(r.messages, messages...)
	return nil
}

// of waits for the writer and returns the operations of an action.
func (r *records) of(a linkspan.OperationAction) (out []linkspan.Operation) {
	pass(time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, op := range r.ops {
		if op.Action == a {
			out = append(out, op)
		}
	}
	return out
}

// verifier decides about credentials.
type verifier struct {
	refuse error
	// during, if set, is called while credentials are tried out.
	during func()
}

func (v *verifier) Verify(context.Context, *upstream.Target) error {
	if v.during != nil {
		v.during()
	}
	return v.refuse
}

// replica is one process.
type replica struct {
	*connect.Service

	node *node
	feed *change.Feed
}

// world is several replicas over one database, with an authorization server. It
// lives in a synctest bubble: its clock is fake.
type world struct {
	t         testing.TB
	db        *memory
	authority *authority
	records   *records
	verifier  *verifier
	hooks     *hooked
	providers map[string]*catalog.Provider
	replicas  []*replica
}

const (
	envID     = linkspan.EnvironmentID(7)
	oauthYAML = `
name: acme
display_name: Acme
categories: [dev-tools]
auth:
  mode: OAUTH2
  authorize:
    url: [https://acme.example/authorize]
  token:
    url: [https://acme.example/token]
api:
  base_url: [https://api.acme.example]
`
	keyYAML = `
name: keyed
display_name: Keyed
categories: [dev-tools]
auth:
  mode: API_KEY
api:
  base_url: [https://api.keyed.example]
  headers:
    - {name: authorization, value: 'Bearer ${apiKey}'}
  verify:
    paths: [/me]
inputs:
  credentials:
    - {name: apiKey, title: API key, required: true}
`
	basicYAML = `
name: basic
display_name: Basic
categories: [dev-tools]
auth:
  mode: BASIC
api:
  base_url: [https://api.basic.example]
`
	openYAML = `
name: open
display_name: Open
categories: [dev-tools]
auth:
  mode: NONE
`
	laterYAML = `
name: later
display_name: Later
categories: [dev-tools]
auth:
  mode: OAUTH2_CC
  token:
    url: [https://later.example/token]
api:
  base_url: [https://api.later.example]
`
)

func environment() linkspan.Environment {
	return linkspan.Environment{ID: envID, AccountID: 3, UUID: "env", Name: "dev"}
}

func (w *world) Provider(name string) (*catalog.Provider, error) {
	p, ok := w.providers[name]
	if !ok {
		return nil, catalog.ErrUnknownProvider
	}
	return p, nil
}

// inWorld runs f in a bubble with so many replicas and one integration for each
// provider, named like it.
func inWorld(t *testing.T, replicas int, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for i := range replicas {
			w.replicas = append(w.replicas, w.start(ctx, &running, fmt.Sprintf("replica-%d", i)))
		}
		synctest.Wait()
		f(t, w)
		stop()
		running.Wait()
	})
}

// newWorld is a world without replicas.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, db: newMemory(), authority: newAuthority(), records: &records{}, verifier: &verifier{}, hooks: &hooked{},
		providers: make(map[string]*catalog.Provider),
	}
	for i, text := range []string{oauthYAML, keyYAML, basicYAML, openYAML, laterYAML, hookedYAML, testedYAML} {
		name := strings.Fields(text)[1]
		p, err := catalog.ParseProvider(name+".yaml", name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		w.providers[name] = p
		w.db.data.integrations[name] = linkspan.Integration{
			ID: linkspan.IntegrationID(i + 1), UUID: "integration-" + name, EnvironmentID: envID, Key: name, Provider: name,
			Secrets: linkspan.IntegrationSecrets{ClientID: "client", ClientSecret: linkspan.NewSecret("client-secret")},
		}
	}
	return w
}

func (w *world) start(ctx context.Context, running *sync.WaitGroup, holder string) *replica {
	log := slog.New(slog.DiscardHandler)
	n := &node{memory: w.db}
	feed := change.NewFeed(n, log)
	n.feed = feed
	ops := oplog.New(w.records, log, oplog.Options{})
	r := &replica{node: n, feed: feed, Service: connect.New(connect.Config{
		Store: n, Tx: n, Providers: w, Feed: feed, Leases: lease.NewKeeper(n, holder, log), Upstream: w.verifier, Hooks: w.hooks,
		OAuth:    oauth.New(oauth.Config{HTTP: &http.Client{Transport: w.authority}, Now: w.db.now}),
		Webhooks: n, Jobs: n, Ops: ops, Log: log, Now: w.db.now,
	})}
	running.Go(func() { _ = feed.Run(ctx) })
	running.Go(func() { _ = ops.Run(ctx) })
	running.Go(func() { _ = r.Run(ctx) })
	return r
}

// importToken imports a token of the authority that expires in d.
func (w *world) importToken(d time.Duration) *upstream.Target {
	w.t.Helper()
	t, err := w.replicas[0].Import(w.t.Context(), environment(), connect.ImportInput{
		IntegrationKey: "acme", Name: "c", Credentials: credential.NewOAuth2("at-old", w.authority.current, w.db.now().Add(d)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	pass(time.Second) // all replicas know
	return t
}

// get is Fresh of the connection that importToken makes.
func (r *replica) get(ctx context.Context, o connect.FreshOptions) (string, error) {
	t, err := r.Fresh(ctx, envID, "acme", "c", o)
	if err != nil {
		return "", err
	}
	return t.Credentials.AccessToken.Reveal(), nil
}

// want fails the test unless the replica hands out the token.
func (w *world) want(r *replica, o connect.FreshOptions, token string) {
	w.t.Helper()
	if got, err := r.get(w.t.Context(), o); err != nil || got != token {
		w.t.Fatalf("Fresh = %q, %v; want %q", got, err, token)
	}
}

// wantError fails the test unless the replica answers with the code and status.
func (w *world) wantError(r *replica, o connect.FreshOptions, code string, status int) *linkspan.Error {
	w.t.Helper()
	token, err := r.get(w.t.Context(), o)
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Code != code || e.Status != status {
		w.t.Fatalf("Fresh = %q, %v; want the error %s with status %d", token, err, code, status)
	}
	for _, secret := range []string{"refresh-0", "client-secret", "at-old"} {
		if strings.Contains(fmt.Sprint(e.Error(), e.Payload), secret) {
			w.t.Errorf("the error shows %q: %v %v", secret, e, e.Payload)
		}
	}
	return e
}

func (w *world) wantCalls(n int) {
	w.t.Helper()
	if got := w.authority.count(); got != n {
		w.t.Fatalf("the token endpoint was called %d times, want %d", got, n)
	}
}

// pass lets fake time pass.
func pass(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}
