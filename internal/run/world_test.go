package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
	"github.com/linkspan/linkspan/internal/webhook"
)

var errDown = errors.New("the database is down")

// world is everything around a service: a store whose clock is the bubble's and
// whose transactions are its lock, functions, connections, and an engine that
// executes Go.
type world struct {
	mu   sync.Mutex
	runs map[linkspan.RunID]*linkspan.Run
	down bool
	// claiming, if set, is called in the middle of a claim; mislays is how many
	// claims succeed without the caller hearing of it.
	claiming func()
	mislays  int
	mislaid  bool // the transaction is committed, although its caller gets an error
	// mute means that webhooks can't be written.
	mute bool
	// unstorable is a run whose result the database refuses.
	unstorable linkspan.RunID
	looks      int
	// looking, if set, is called after each look.
	looking func()
	// stuck means that looks find nothing before the caller gives up.
	stuck  bool
	events []webhook.AsyncActionEvent
	ops    map[linkspan.OperationID]linkspan.Operation
	msgs   []linkspan.Message

	envs        map[linkspan.EnvironmentID]linkspan.Environment
	functions   map[string]linkspan.Function
	connections map[string]*upstream.Target
	checkpoints map[string]linkspan.Checkpoint
	// syncs runs syncs. Nil: there are none. limits and feed are the service's.
	syncs  *fakeSyncs
	limits Limits
	feed   *change.Feed
	// execute is what functions do.
	execute func(ctx context.Context, x *Execution) (Done, error)
	// began is every execution, in order.
	began []*Execution
}

func newWorld() *world {
	w := &world{
		runs: make(map[linkspan.RunID]*linkspan.Run), ops: make(map[linkspan.OperationID]linkspan.Operation),
		envs: make(map[linkspan.EnvironmentID]linkspan.Environment), functions: make(map[string]linkspan.Function),
		connections: make(map[string]*upstream.Target), checkpoints: make(map[string]linkspan.Checkpoint),
		execute: func(context.Context, *Execution) (Done, error) {
			return Done{Output: json.RawMessage(`{"ok":true}`)}, nil
		},
	}
	for id := range linkspan.EnvironmentID(12) {
		w.envs[id+1] = linkspan.Environment{ID: id + 1, UUID: linkspan.NewUUID(), AccountID: 1, Name: "dev"}
	}
	w.connections["c1"] = target("c1")
	w.add(linkspan.Function{Kind: linkspan.FunctionAction, Name: "act", Enabled: true})
	return w
}

// target is a connection with a secret.
func target(name string) *upstream.Target {
	return &upstream.Target{
		Integration: linkspan.Integration{ID: 5, EnvironmentID: 1, Key: "github", Provider: "github"},
		Connection: linkspan.Connection{
			ID: 9, UUID: "uuid-of-" + name, EnvironmentID: 1, IntegrationKey: "github", Provider: "github", Name: name,
			Metadata: map[string]any{"before": true},
		},
		Credentials: credential.NewAPIKey("top-secret-key"),
	}
}

// add deploys a function to every environment.
func (w *world) add(f linkspan.Function) {
	f.UUID, f.IntegrationKey, f.Provider = linkspan.NewUUID(), "github", "github"
	f.Version.UUID = linkspan.NewUUID()
	w.functions[f.Name] = f
}

func (w *world) service(holder string) *Service {
	ops := oplog.New(w, slog.New(slog.DiscardHandler), oplog.Options{FlushEvery: time.Hour})
	return w.serviceWith(Config{Holder: holder, Ops: ops})
}

func (w *world) serviceWith(c Config) *Service {
	c.Store, c.Tx, c.Functions, c.Connections, c.Engine, c.Webhooks = w, w, w, w, w, w
	c.Log, c.Feed = slog.New(slog.DiscardHandler), w.feed
	if c.Limits == (Limits{}) {
		c.Limits = w.limits
	}
	if w.syncs != nil {
		c.Syncs = w.syncs
	}
	return New(c)
}

// start runs the dispatcher until the returned function is called.
func start(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// wait lets the bubble's time pass.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) trigger(env linkspan.EnvironmentID, input string) Trigger {
	t := Trigger{Environment: w.envs[env], IntegrationKey: "github", ConnectionName: "c1", Action: "act"}
	if input != "" {
		t.Input = json.RawMessage(input)
	}
	return t
}

// async has the action run in the background, and returns a copy of its row.
func (w *world) async(t *testing.T, s *Service, env linkspan.EnvironmentID, retries int) linkspan.Run {
	t.Helper()
	uuid, err := s.TriggerAsync(t.Context(), w.trigger(env, `{"a":1}`), retries)
	must(t, err)
	return w.byUUID(uuid)
}

func (w *world) byUUID(uuid string) linkspan.Run {
	defer w.lock(nil)()
	for _, r := range w.runs {
		if r.UUID == uuid {
			return *r
		}
	}
	return linkspan.Run{}
}

func (w *world) row(id linkspan.RunID) linkspan.Run {
	defer w.lock(nil)()
	return *w.runs[id]
}

func (w *world) executions() []*Execution {
	defer w.lock(nil)()
	return slices.Clone(w.began)
}

func (w *world) told() []webhook.AsyncActionEvent {
	defer w.lock(nil)()
	return slices.Clone(w.events)
}

func (w *world) setDown(down bool) {
	defer w.lock(nil)()
	w.down = down
}

func (w *world) setStuck(stuck bool) {
	defer w.lock(nil)()
	w.stuck = stuck
}

func (w *world) looked() int {
	defer w.lock(nil)()
	return w.looks
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Execute implements Engine.
func (w *world) Execute(ctx context.Context, x *Execution) (Done, error) {
	unlock := w.lock(nil)
	w.began = append(w.began, x)
	execute := w.execute
	unlock()
	return execute(ctx, x)
}

func missing() error {
	return linkspan.E("world", linkspan.KindNotFound, "not_found", nil, "It does not exist.")
}

// Find implements Functions.
func (w *world) Find(_ context.Context, env linkspan.EnvironmentID, _ string, kind linkspan.FunctionKind, name string) (linkspan.Function, error) {
	defer w.lock(nil)()
	f, ok := w.functions[name]
	if !ok || f.Kind != kind {
		return f, missing()
	}
	f.EnvironmentID = env
	return f, nil
}

// ByEvent implements Functions.
func (w *world) ByEvent(_ context.Context, env linkspan.EnvironmentID, _ string, e linkspan.FunctionEvent) (list []linkspan.Function, err error) {
	defer w.lock(nil)()
	for _, name := range slices.Sorted(maps.Keys(w.functions)) {
		if f := w.functions[name]; f.Enabled && f.Version.Definition.RunsAt(e) {
			f.EnvironmentID = env
			list = append(list, f)
		}
	}
	return list, nil
}

// ByWebhook implements Functions.
func (w *world) ByWebhook(_ context.Context, env linkspan.EnvironmentID, _ string) (list []linkspan.Function, err error) {
	defer w.lock(nil)()
	for _, name := range slices.Sorted(maps.Keys(w.functions)) {
		if f := w.functions[name]; f.Enabled && f.Version.Definition.TakesWebhooks() {
			f.EnvironmentID = env
			list = append(list, f)
		}
	}
	return list, nil
}

// ByEndpoint implements Functions.
func (w *world) ByEndpoint(_ context.Context, _ linkspan.EnvironmentID, _, method, path string) (linkspan.Function, error) {
	for _, f := range w.functions {
		if slices.Contains(f.Version.Definition.Endpoints, linkspan.FunctionEndpoint{Method: method, Path: path}) {
			return f, nil
		}
	}
	return linkspan.Function{}, missing()
}

// VersionCode implements Functions.
func (w *world) VersionCode(_ context.Context, _ linkspan.EnvironmentID, v linkspan.FunctionVersion) (linkspan.FunctionCode, error) {
	return linkspan.FunctionCode{Bundle: "code of " + v.UUID}, nil
}

// Live implements Connections.
func (w *world) Live(_ context.Context, env linkspan.EnvironmentID, key, name string) (*upstream.Target, error) {
	defer w.lock(nil)()
	t, ok := w.connections[name]
	switch {
	case key == "no-provider":
		return nil, linkspan.E("world", linkspan.KindNotFound, "unknown_provider", nil, "There is no such provider.")
	case key != "github":
		return nil, linkspan.E("world", linkspan.KindNotFound, "unknown_provider_config", nil, "There is no such integration.")
	case !ok:
		return nil, linkspan.E("world", linkspan.KindNotFound, "unknown_connection", nil, "There is no such connection.")
	}
	out := withMetadata(t, t.Connection.Metadata)
	out.Integration.EnvironmentID, out.Connection.EnvironmentID = env, env
	return out, nil
}

// Fresh implements Connections.
func (w *world) Fresh(ctx context.Context, env linkspan.EnvironmentID, key, name string, _ connect.FreshOptions) (*upstream.Target, error) {
	return w.Live(ctx, env, key, name)
}

// AddAsyncAction implements Webhooks.
func (w *world) AddAsyncAction(_ context.Context, tx linkspan.Tx, e webhook.AsyncActionEvent) error {
	if tx == nil {
		return errors.New("a webhook outside of the transaction")
	}
	if w.mute {
		return errDown
	}
	w.events = append(w.events, e)
	return nil
}

// SaveOperations implements oplog.Store.
func (w *world) SaveOperations(_ context.Context, tx linkspan.Tx, ops []linkspan.Operation, msgs []linkspan.Message) error {
	defer w.lock(tx)()
	for i := range ops {
		w.ops[ops[i].ID] = ops[i]
	}
	w.msgs = append(w.msgs, msgs...)
	return nil
}

type worldTx struct{ hooks []func() }

func (*worldTx) Now() time.Time      { return time.Now() }
func (t *worldTx) OnCommit(f func()) { t.hooks = append(t.hooks, f) }
func (*worldTx) Unwrap() any         { return nil }

// InTx implements linkspan.Transactor. What was written is undone with an error.
func (w *world) InTx(ctx context.Context, f func(context.Context, linkspan.Tx) error) error {
	w.mu.Lock()
	before, events := make(map[linkspan.RunID]*linkspan.Run, len(w.runs)), w.events
	for id, r := range w.runs {
		before[id] = new(*r)
		before[id].Sync = cloneSync(r.Sync)
	}
	tx := &worldTx{}
	err := cmp.Or(w.fault(), ctx.Err())
	if err == nil {
		err = f(ctx, tx)
	}
	if err != nil && !w.mislaid {
		w.runs, w.events = before, events
	}
	w.mislaid = false
	w.mu.Unlock()
	if err == nil {
		for _, hook := range tx.hooks {
			hook()
		}
	}
	return err
}

func (w *world) fault() error {
	if w.down {
		return linkspan.E("world", linkspan.KindUnavailable, "", errDown, "The database is not available.")
	}
	return nil
}

// lock takes the lock unless a transaction has it.
func (w *world) lock(tx linkspan.Tx) func() {
	if tx != nil {
		return func() {}
	}
	w.mu.Lock()
	return w.mu.Unlock
}

// RunEnvironment implements Store.
func (w *world) RunEnvironment(_ context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error) {
	defer w.lock(tx)()
	e, ok := w.envs[env]
	if !ok {
		return e, missing()
	}
	return e, w.fault()
}

// InsertRuns implements Store.
func (w *world) InsertRuns(_ context.Context, tx linkspan.Tx, runs []*linkspan.Run) error {
	defer w.lock(tx)()
	for _, r := range runs {
		r.ID, r.State, r.CreatedAt, r.NextAt = linkspan.RunID(len(w.runs)+1), linkspan.RunWaiting, time.Now(), time.Now()
		w.runs[r.ID] = new(*r)
	}
	return w.fault()
}

// Run implements Store.
func (w *world) Run(_ context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string) (linkspan.Run, error) {
	defer w.lock(tx)()
	for _, r := range w.runs {
		if r.EnvironmentID == env && r.UUID == uuid {
			return *r, w.fault()
		}
	}
	return linkspan.Run{}, missing()
}

func (w *world) sorted() []*linkspan.Run {
	return slices.SortedFunc(maps.Values(w.runs), func(a, b *linkspan.Run) int {
		return cmp.Or(cmp.Compare(a.EnvironmentID, b.EnvironmentID), cmp.Compare(a.FunctionID, b.FunctionID), a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
	})
}

func isDue(r *linkspan.Run) bool {
	return r.State == linkspan.RunWaiting && !r.NextAt.After(time.Now())
}

func hasLapsed(r *linkspan.Run) bool {
	return r.State == linkspan.RunRunning && !r.LeaseUntil.After(time.Now())
}

// DueRuns implements Store.
func (w *world) DueRuns(ctx context.Context, tx linkspan.Tx, q linkspan.RunQuery) (found []linkspan.Run, cut linkspan.RunGroup, err error) {
	if w.looking != nil {
		defer w.looking()
	}
	unlock := w.lock(tx)
	w.looks++
	if w.stuck {
		unlock()
		<-ctx.Done()
		return nil, cut, ctx.Err()
	}
	defer unlock()
	var lapsed, due []linkspan.Run
	environments, groups := make(map[linkspan.EnvironmentID]int), make(map[linkspan.RunGroup]int)
	for _, r := range w.sorted() {
		group := linkspan.RunGroup{EnvironmentID: r.EnvironmentID, FunctionID: r.FunctionID}
		seen := linkspan.Run{
			ID: r.ID, EnvironmentID: r.EnvironmentID, FunctionID: r.FunctionID, ConnectionID: r.ConnectionID, Provider: r.Provider, LeaseUntil: r.LeaseUntil,
		}
		behind, begun := q.Behind[r.EnvironmentID]
		switch {
		case r.Lane != q.Lane, slices.Contains(q.FullEnvironments, r.EnvironmentID), slices.Contains(q.FullFunctions, r.FunctionID),
			slices.Contains(q.FullConnections, r.ConnectionID), slices.Contains(q.FullPairs, pairOf(r)), slices.Contains(q.FullProviders, r.Provider), slices.Contains(q.FullShares, shareOf(r)):
		case hasLapsed(r):
			lapsed = append(lapsed, seen)
		case isDue(r) && r.EnvironmentID >= q.From && (!begun || r.FunctionID > behind) &&
			groups[group] < q.PerGroup && environments[r.EnvironmentID] < q.PerEnvironment && len(due) < q.Limit:
			groups[group]++
			environments[r.EnvironmentID]++
			due = append(due, seen)
			if len(due) == q.Limit {
				cut = group
			}
		}
	}
	return append(lapsed, due...), cut, w.fault()
}

// RunsOfOthers implements Store.
func (w *world) RunsOfOthers(_ context.Context, tx linkspan.Tx, lane linkspan.RunLane, holder string) (list []linkspan.Run, err error) {
	defer w.lock(tx)()
	for _, r := range w.runs {
		if r.State == linkspan.RunRunning && !hasLapsed(r) && r.Lane == lane && r.Holder != holder {
			list = append(list, *r)
		}
	}
	return list, w.fault()
}

// ClaimRuns implements Store.
func (w *world) ClaimRuns(ctx context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string, ttl time.Duration) ([]linkspan.Run, error) {
	defer w.lock(tx)()
	if err := w.fault(); err != nil {
		return nil, err
	}
	if w.claiming != nil {
		w.claiming()
	}
	var claimed []linkspan.Run
	for _, id := range ids {
		r := w.runs[id]
		if !isDue(r) && !hasLapsed(r) {
			continue
		}
		w.claimSync(r)
		r.State, r.Holder, r.LeaseUntil, r.NextAt = linkspan.RunRunning, holder, time.Now().Add(ttl), time.Time{}
		r.Attempt++
		r.Attempts++
		if r.StartedAt.IsZero() {
			r.StartedAt = time.Now()
		}
		c := *r
		c.Sync = cloneSync(r.Sync)
		c.Error = nil
		claimed = append(claimed, c)
	}
	if w.mislays > 0 {
		w.mislays--
		w.mislaid = true
		return nil, missingAnswer()
	}
	return claimed, ctx.Err()
}

func missingAnswer() error {
	return linkspan.E("world", linkspan.KindTimeout, "", errDown, "The database did not answer in time.")
}

// held returns the row if the attempt is still the newest.
func (w *world) held(r *linkspan.Run) *linkspan.Run {
	stored := w.runs[r.ID]
	if stored == nil || stored.Attempt != r.Attempt || stored.LeaseUntil.IsZero() {
		return nil
	}
	return stored
}

// RenewRuns implements Store.
func (w *world) RenewRuns(_ context.Context, tx linkspan.Tx, held []linkspan.Run, ttl time.Duration) (kept []linkspan.RunID, err error) {
	defer w.lock(tx)()
	if err := w.fault(); err != nil {
		return nil, err
	}
	for i := range held {
		if r := w.held(&held[i]); r != nil {
			r.LeaseUntil = time.Now().Add(ttl)
			kept = append(kept, r.ID)
		}
	}
	return kept, nil
}

// FinishRun implements Store.
func (w *world) FinishRun(_ context.Context, tx linkspan.Tx, r *linkspan.Run, retryIn time.Duration) (bool, error) {
	defer w.lock(tx)()
	if err := w.fault(); err != nil {
		return false, err
	}
	if r.ID == w.unstorable {
		return false, errors.New("the database does not take this result")
	}
	stored := w.held(r)
	if stored == nil {
		return false, nil
	}
	stored.State, stored.Attempts, stored.Output, stored.Error = r.State, r.Attempts, r.Output, r.Error
	stored.Holder, stored.LeaseUntil, stored.EndedAt = "", time.Time{}, time.Now()
	if r.Sync != nil && stored.Sync != nil {
		stored.Sync.Stalls, stored.Sync.Interrupted = r.Sync.Stalls, r.Sync.Interrupted
		r.Sync.Counts = stored.Sync.Counts
	}
	if r.State == linkspan.RunWaiting {
		stored.NextAt, stored.EndedAt = time.Now().Add(retryIn), time.Time{}
	}
	return true, nil
}

// ReleaseRun implements Store.
func (w *world) ReleaseRun(_ context.Context, tx linkspan.Tx, run *linkspan.Run) (bool, error) {
	defer w.lock(tx)()
	r := w.held(run)
	if r == nil {
		return false, w.fault()
	}
	r.State, r.Holder, r.LeaseUntil, r.NextAt = linkspan.RunWaiting, "", time.Time{}, time.Now()
	r.Attempts--
	return true, w.fault()
}

// ReleaseClaims implements Store.
func (w *world) ReleaseClaims(_ context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string) error {
	defer w.lock(tx)()
	if err := w.fault(); err != nil {
		return err
	}
	for _, id := range ids {
		if r := w.runs[id]; r.Holder == holder && !r.LeaseUntil.IsZero() {
			r.State, r.Holder, r.LeaseUntil, r.NextAt = linkspan.RunWaiting, "", time.Time{}, time.Now()
			r.Attempts--
		}
	}
	return nil
}

// WaitingRuns implements Store.
func (w *world) WaitingRuns(_ context.Context, tx linkspan.Tx, limit int) (n int, err error) {
	defer w.lock(tx)()
	for _, r := range w.runs {
		if r.State == linkspan.RunWaiting && n < limit {
			n++
		}
	}
	return n, w.fault()
}

// PurgeRuns implements Store.
func (w *world) PurgeRuns(_ context.Context, tx linkspan.Tx, before time.Time, limit int) (n int, err error) {
	defer w.lock(tx)()
	for id, r := range w.runs {
		if !r.EndedAt.IsZero() && r.EndedAt.Before(before) && n < limit {
			delete(w.runs, id)
			n++
		}
	}
	return n, w.fault()
}

// HoldRun implements Store.
func (w *world) HoldRun(_ context.Context, tx linkspan.Tx, f linkspan.RunFence) error {
	defer w.lock(tx)()
	if r := w.held(&linkspan.Run{ID: f.Run, Attempt: f.Attempt}); r == nil || !f.StartedAt.Equal(r.StartedAt) {
		return linkspan.E("world", linkspan.KindConflict, "run_lost", nil, "The run is somebody else's.")
	}
	return w.fault()
}

// Checkpoint implements Store.
func (w *world) Checkpoint(_ context.Context, tx linkspan.Tx, _ linkspan.EnvironmentID, _ linkspan.ConnectionID, key string) (linkspan.Checkpoint, error) {
	defer w.lock(tx)()
	c, ok := w.checkpoints[key]
	if !ok {
		return c, missing()
	}
	return c, w.fault()
}
