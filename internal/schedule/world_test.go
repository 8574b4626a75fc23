package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/schedule"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
	"github.com/linkspan/linkspan/internal/webhook"
)

var _ schedule.Store = (*store.Store)(nil)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// world is the service over a real database, with an integration to which syncs
// are deployed.
type world struct {
	*store.Store

	tb          testing.TB
	account     linkspan.AccountID
	env         linkspan.EnvironmentID
	envUUID     string
	integration linkspan.Integration
	functions   *function.Service
	records     *record.Service
	syncs       *schedule.Service
	told        *told
	ops         *oplog.Log
}

// told notes what the customer's backend would be told.
type told struct {
	mu     sync.Mutex
	events []webhook.SyncEvent
}

func (h *told) AddSync(_ context.Context, tx linkspan.Tx, e webhook.SyncEvent) error {
	if tx == nil {
		return errors.New("a webhook outside of the transaction that ends the run")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	return nil
}

// last returns the newest event.
func (h *told) last(tb testing.TB) webhook.SyncEvent {
	tb.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		tb.Fatal("nobody was told")
	}
	return h.events[len(h.events)-1]
}

// everyDatabase runs a test on both kinds of databases.
func everyDatabase(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, storetest.Databases()[name](t)))
		})
	}
}

func newWorld(tb testing.TB, c store.Config) *world {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &world{Store: storetest.Open(tb, c, vault.NewRing(vault.NewMasterKey())), tb: tb, told: &told{}}
	account := linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(tb, w.InsertAccount(tb.Context(), nil, &account))
	e := linkspan.Environment{UUID: linkspan.NewUUID(), AccountID: account.ID, Name: "dev", PublicKey: linkspan.NewUUID()}
	must(tb, w.InsertEnvironment(tb.Context(), nil, &e))
	w.account, w.env, w.envUUID = account.ID, e.ID, e.UUID
	w.integration = linkspan.Integration{UUID: linkspan.NewUUID(), EnvironmentID: w.env, Key: "github", Provider: "github"}
	must(tb, w.InsertIntegration(tb.Context(), nil, &w.integration))
	w.records = record.New(w.Store)
	w.ops = oplog.New(w.Store, log, oplog.Options{})
	w.syncs = w.service()
	w.functions = function.New(function.Config{
		Store: w.Store, Tx: w.Store, Feed: change.NewFeed(w.Store, log), Leases: lease.NewKeeper(w.Store, "test", log), Syncs: w.syncs, Log: log,
	})
	return w
}

// service is one more replica.
func (w *world) service() *schedule.Service {
	return schedule.New(schedule.Config{
		Store: w.Store, Tx: w.Store, Records: w.records, Webhooks: w.told, Ops: w.ops, Log: slog.New(slog.DiscardHandler),
	})
}

// sync describes a sync to deploy.
func syncFunction(name, frequency string, autoStart bool, models ...string) function.Deployable {
	return function.Deployable{
		IntegrationKey: "github", Kind: linkspan.FunctionSync, Name: name,
		Definition: linkspan.FunctionDefinition{Frequency: frequency, AutoStart: autoStart, Models: models},
		Code:       linkspan.FunctionCode{Bundle: "exports.default = " + name, Source: "// " + name},
	}
}

// deploy deploys these syncs and no others.
func (w *world) deploy(list ...function.Deployable) {
	w.tb.Helper()
	must(w.tb, w.tryDeploy(list...))
}

func (w *world) tryDeploy(list ...function.Deployable) error {
	_, err := w.functions.Deploy(w.tb.Context(), w.env, &function.Deployment{Functions: list, Mode: function.ModeAll, Reconcile: true})
	return err
}

// connect stores a connection as package connect does.
func (w *world) connect(name string) linkspan.Connection {
	w.tb.Helper()
	c, err := w.tryConnect(name)
	must(w.tb, err)
	return c
}

func (w *world) tryConnect(name string) (linkspan.Connection, error) {
	i := &w.integration
	follow, err := w.syncs.Creating(w.tb.Context(), w.env, i.Key)
	if err != nil {
		return linkspan.Connection{}, err
	}
	var saved linkspan.Connection
	err = w.InTx(w.tb.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		c := linkspan.Connection{
			UUID: linkspan.NewUUID(), EnvironmentID: w.env, IntegrationID: i.ID, IntegrationKey: i.Key, Provider: i.Provider, Name: name,
			Credentials: linkspan.NewSecret(`{"type":"API_KEY"}`),
		}
		if err := w.InsertConnection(ctx, tx, &c); err != nil {
			return err
		}
		saved = c
		return follow(ctx, tx, &c)
	})
	return saved, err
}

// disconnect deletes a connection as package connect does.
func (w *world) disconnect(name string) error {
	return w.InTx(w.tb.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		c, err := w.LockConnection(ctx, tx, w.env, "github", name)
		if err != nil {
			return err
		}
		if err := w.DeleteConnection(ctx, tx, &c); err != nil {
			return err
		}
		return w.syncs.ConnectionDeleted(ctx, tx, &c)
	})
}

func (w *world) selection(connection string, syncs ...string) schedule.Selection {
	sel := schedule.Selection{Environment: w.env, IntegrationKey: "github", ConnectionName: connection}
	for _, name := range syncs {
		sel.Syncs = append(sel.Syncs, schedule.ParseRef(name))
	}
	return sel
}

// status returns the status of one sync.
func (w *world) status(connection, name string) schedule.Status {
	w.tb.Helper()
	list, err := w.syncs.Status(w.tb.Context(), w.selection(connection, name))
	must(w.tb, err)
	if len(list) != 1 {
		w.tb.Fatalf("%d statuses of %s", len(list), name)
	}
	return list[0]
}

func (w *world) tick() {
	w.tb.Helper()
	must(w.tb, w.syncs.Tick(w.tb.Context()))
}

// runs returns the runs of a sync, oldest first.
func (w *world) runs(sync linkspan.SyncID) []linkspan.Run {
	w.tb.Helper()
	return query(w, "select id, uuid, state, cause, attempt from runs where sync_id = %d order by id", func(scan func(...any) error) (r linkspan.Run, err error) {
		r.Sync = &linkspan.RunSync{ID: sync}
		return r, scan(&r.ID, &r.UUID, &r.State, &r.Sync.Cause, &r.Attempt)
	}, int64(sync))
}

// states says in short how the runs of a sync stand.
func (w *world) states(sync linkspan.SyncID) []string {
	w.tb.Helper()
	var out []string
	for _, r := range w.runs(sync) {
		out = append(out, fmt.Sprintf("%s:%s", r.Sync.Cause, r.State))
	}
	return out
}

func (w *world) wantRuns(sync linkspan.SyncID, want ...string) {
	w.tb.Helper()
	if got := w.states(sync); !slices.Equal(got, want) {
		w.tb.Fatalf("runs: %v, want %v", got, want)
	}
}

// begin claims the waiting run of a sync, as a dispatcher does.
func (w *world) begin(sync linkspan.SyncID) linkspan.Run {
	w.tb.Helper()
	for _, r := range w.runs(sync) {
		if r.State == linkspan.RunWaiting {
			claimed, err := w.ClaimRuns(w.tb.Context(), nil, []linkspan.RunID{r.ID}, "test", time.Minute)
			must(w.tb, err)
			if len(claimed) == 1 {
				return claimed[0]
			}
		}
	}
	w.tb.Fatal("no run waits")
	return linkspan.Run{}
}

// save has a run save records with the ids.
func (w *world) save(r *linkspan.Run, model string, ids ...string) {
	w.tb.Helper()
	text := "["
	for i, id := range ids {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"id":%q}`, id)
	}
	_, err := w.records.Save(w.tb.Context(), record.Write{
		Stream:  linkspan.RecordStream{EnvironmentID: w.env, ConnectionID: r.ConnectionID, Model: model, Variant: r.Sync.Variant},
		Fence:   linkspan.RunFence{Run: r.ID, Attempt: r.Attempt},
		Records: []byte(text + "]"),
	})
	must(w.tb, err)
}

// finish ends a run, as a dispatcher does, and reports whether it still could.
func (w *world) finish(r *linkspan.Run, state linkspan.RunState, interrupted bool, models ...string) bool {
	w.tb.Helper()
	var stored bool
	must(w.tb, w.InTx(w.tb.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		end := *r
		end.Sync = new(*r.Sync)
		end.State, end.Sync.Interrupted = state, interrupted
		if state == linkspan.RunFailed {
			end.Error = &linkspan.RunError{Code: "script_error", Message: "no"}
		}
		var err error
		if stored, err = w.FinishRun(ctx, tx, &end, 0); err != nil || !stored {
			return err
		}
		fn := linkspan.Function{Version: linkspan.FunctionVersion{Definition: linkspan.FunctionDefinition{Models: models}}}
		return w.syncs.Ended(ctx, tx, schedule.End{Run: &end, Function: fn, StartedAt: r.StartedAt})
	}))
	return stored
}

func (w *world) checkpoint(c *linkspan.Connection, name, variant string) {
	w.tb.Helper()
	must(w.tb, w.SaveCheckpoint(w.tb.Context(), nil, w.env, c.ID, &linkspan.Checkpoint{
		Key: linkspan.CheckpointKey(linkspan.FunctionSync, name, variant), Value: []byte(`{"page":7}`),
	}))
}

func wantCode(tb testing.TB, err error, code string) {
	tb.Helper()
	if got := linkspan.CodeOf(err); err == nil || got != code {
		tb.Fatalf("error %v with the code %q, want %q", err, got, code)
	}
}
