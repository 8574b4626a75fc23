package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// world is the service over a real database, with an environment that has the
// integrations github and slack.
type world struct {
	*store.Store

	tb           testing.TB
	service      *Service
	feed         *change.Feed
	account      linkspan.Account
	env          linkspan.EnvironmentID
	integrations map[string]linkspan.Integration
}

// everyDatabase runs a test on each kind of database.
func everyDatabase(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, config(t), vault.NewRing(vault.NewMasterKey())))
		})
	}
}

func newWorld(tb testing.TB, c store.Config, ring *vault.Ring) *world {
	tb.Helper()
	w := &world{Store: storetest.Open(tb, c, ring), tb: tb, integrations: make(map[string]linkspan.Integration)}
	w.account = linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(tb, w.InsertAccount(tb.Context(), nil, &w.account))
	w.env = w.environment("dev")
	for _, key := range []string{"github", "slack"} {
		w.integrations[key] = w.integration(w.env, key)
	}
	w.feed = change.NewFeed(w, discard())
	w.OnLocalChange(w.feed.Local)
	runFeed(tb, w.feed)
	w.service = w.replica(w.Store)
	return w
}

func (w *world) environment(name string) linkspan.EnvironmentID {
	w.tb.Helper()
	e := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: w.account.ID, Name: name, PublicKey: linkspan.NewUUID()}
	must(w.tb, w.InsertEnvironment(w.tb.Context(), nil, &e))
	return e.ID
}

func (w *world) integration(env linkspan.EnvironmentID, key string) linkspan.Integration {
	w.tb.Helper()
	i := linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: env, Key: key, Provider: key}
	must(w.tb, w.InsertIntegration(w.tb.Context(), nil, &i))
	return i
}

func (w *world) connection(key, name string) {
	w.tb.Helper()
	i := w.integrations[key]
	must(w.tb, w.InsertConnection(w.tb.Context(), nil, &linkspan.Connection{
		UUID: linkspan.NewUUID(), EnvironmentID: i.EnvironmentID, IntegrationID: i.ID, Name: name, Credentials: linkspan.NewSecret("{}"),
	}))
}

// replica returns another service on the database, over a store that may get in
// the way.
func (w *world) replica(s Store) *Service {
	return New(Config{Store: s, Tx: w.Store, Feed: w.feed, Leases: lease.NewKeeper(w.Store, linkspan.NewUUID(), discard()), Log: discard()})
}

// runFeed runs the feed for the time of the test and waits until caches may be
// trusted.
func runFeed(tb testing.TB, feed *change.Feed) {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	for !feed.Fresh() {
		select {
		case err := <-done:
			tb.Fatal(err)
		default:
			runtime.Gosched()
		}
	}
}

// deploy deploys functions of everything, which must work.
func (w *world) deploy(list ...Deployable) Deployed {
	w.tb.Helper()
	done, err := w.service.Deploy(w.tb.Context(), w.env, all(list...))
	must(w.tb, err)
	return done
}

func all(list ...Deployable) *Deployment {
	return &Deployment{Functions: list, Mode: ModeAll, Reconcile: true, SDKVersion: "1.2.3-zero"}
}

// action, sync and onEvent are functions whose code tells them apart.
func action(key, name, code string) Deployable {
	return Deployable{
		IntegrationKey: key, Kind: linkspan.FunctionAction, Name: name, Path: []any{"flowConfigs", 0},
		Code:       linkspan.FunctionCode{Bundle: "exports.js = " + code, Source: "ts " + code},
		Definition: linkspan.FunctionDefinition{Models: []string{"Out"}, Schema: json.RawMessage(`{"definitions":{"Out":{"type":"null"}}}`)},
	}
}

func syncing(key, name, code string, models ...string) Deployable {
	d := action(key, name, code)
	d.Kind = linkspan.FunctionSync
	definitions := make(map[string]any)
	for _, m := range models {
		definitions[m] = map[string]any{"type": "object"}
	}
	schema, _ := json.Marshal(map[string]any{"definitions": definitions}) // maps of text encode
	d.Definition = linkspan.FunctionDefinition{Models: models, Frequency: "every hour", AutoStart: true, Schema: schema}
	return d
}

func onEvent(key, name string, event linkspan.FunctionEvent) Deployable {
	d := action(key, name, name)
	d.Kind = linkspan.FunctionOnEvent
	d.Definition = linkspan.FunctionDefinition{Event: event}
	return d
}

// names shows a part of a plan.
func names(list []Planned) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = fmt.Sprintf("%s/%s/%s@%s", p.IntegrationKey, p.Kind, p.Name, p.Version)
	}
	return out
}

func wantCode(t *testing.T, err error, kind linkspan.Kind, code string) *linkspan.Error {
	t.Helper()
	e, ok := errors.AsType[*linkspan.Error](err)
	if !ok || e.Kind != kind || e.Code != code {
		t.Fatalf("error is %v, want %s %s", err, kind, code)
	}
	return e
}
