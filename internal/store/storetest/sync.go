package storetest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

// syncs are an integration with a sync function, connections, and a stored sync of
// each.
type syncs struct {
	*world

	integration linkspan.Integration
	function    linkspan.Function
	connections []linkspan.Connection
	stored      []linkspan.Sync
}

func (w *world) newSyncs(t *testing.T, env linkspan.Environment, names ...string) *syncs {
	t.Helper()
	s := &syncs{world: w, integration: w.newIntegration(t, env, "github")}
	s.function = w.save(t, env.ID, newFunction(s.integration, linkspan.FunctionSync, "issues"))[0]
	for _, name := range names {
		s.connections = append(s.connections, w.newConnection(t, s.integration, name, nil))
	}
	rows := make([]*linkspan.Sync, len(s.connections))
	for i := range rows {
		rows[i] = s.newSync(i, "base")
	}
	must(t, w.InsertSyncs(t.Context(), nil, rows))
	for _, sy := range rows {
		s.stored = append(s.stored, *sy)
	}
	return s
}

// newSync is a sync of one of the connections that is due.
func (s *syncs) newSync(connection int, variant string) *linkspan.Sync {
	c := &s.connections[connection]
	return &linkspan.Sync{
		UUID: linkspan.NewUUID(), EnvironmentID: c.EnvironmentID, ConnectionID: c.ID, FunctionID: s.function.ID, Variant: variant,
		Name: "issues", IntegrationKey: "github", Provider: c.Provider, ConnectionName: c.Name, ConnectionUUID: c.UUID, Enabled: true,
		State: linkspan.SyncStarted, Every: time.Hour, Anchor: past(), NextAt: past(),
	}
}

func (s *syncs) ids() []linkspan.SyncID {
	ids := make([]linkspan.SyncID, len(s.stored))
	for i := range s.stored {
		ids[i] = s.stored[i].ID
	}
	return ids
}

// read returns the stored syncs as they are now.
func (s *syncs) read(t *testing.T) []linkspan.Sync {
	t.Helper()
	list, err := s.Syncs(t.Context(), nil, s.integration.EnvironmentID, s.ids())
	must(t, err)
	return list
}

func testSyncs(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.newSyncs(t, w.env, "a", "b")
	wantEqual(t, "stored syncs", s.read(t), s.stored)
	again := []*linkspan.Sync{s.newSync(0, "base"), s.newSync(0, "eu")}
	must(t, w.InsertSyncs(ctx, nil, again))
	if again[0].ID != 0 || again[1].ID == 0 {
		t.Fatalf("one that is there and one that is not: %d, %d", again[0].ID, again[1].ID)
	}
	now, err := w.Clock(ctx, nil)
	must(t, err)
	if time.Since(now).Abs() > time.Minute {
		t.Fatalf("the database's time is %s", now)
	}

	for _, tt := range []struct {
		variant    string
		connection linkspan.ConnectionID
		want       []linkspan.SyncID
	}{
		{"", 0, append(s.ids(), again[1].ID)},
		{"base", 0, s.ids()},
		{"", s.connections[0].ID, []linkspan.SyncID{s.stored[0].ID, again[1].ID}},
		{"eu", s.connections[1].ID, nil},
	} {
		ids, err := w.SyncIDs(ctx, nil, w.env.ID, s.function.ID, tt.variant, tt.connection)
		must(t, err)
		wantEqual(t, "ids", ids, tt.want)
	}
	n, err := w.CountSyncs(ctx, nil, w.env.ID, s.connections[0].ID)
	must(t, err)
	wantEqual(t, "syncs of a connection", n, 2)
	places, err := w.SyncPlaces(ctx, nil, []linkspan.SyncID{again[1].ID}, nil)
	must(t, err)
	wantEqual(t, "places", places, []linkspan.RecordStream{{EnvironmentID: w.env.ID, ConnectionID: s.connections[0].ID, Variant: "eu"}})

	sy := s.stored[0]
	sy.Frequency, sy.Every, sy.Cron, sy.NextAt, sy.Again = "cron 0 9 * * *", 0, "cron 0 9 * * *", time.Time{}, true
	sy.SucceededAt, sy.UnannouncedSince, sy.Unannounced = past(), past(), map[string]linkspan.RecordCounts{"Issue": {Added: 2, Deleted: 1}}
	must(t, w.SaveSync(ctx, nil, &sy))
	wantEqual(t, "a saved sync", s.read(t)[0], sy)
	crons, err := w.SyncCrons(ctx, nil, s.function.ID)
	must(t, err)
	wantEqual(t, "cron expressions", crons, []string{"cron 0 9 * * *"})

	key := linkspan.CheckpointKey(linkspan.FunctionSync, "issues", "")
	must(t, w.SaveCheckpoint(ctx, nil, w.env.ID, sy.ConnectionID, &linkspan.Checkpoint{Key: key, Value: json.RawMessage(`{"a":1}`)}))
	checkpoints, err := w.SyncCheckpoints(ctx, nil, s.ids())
	must(t, err)
	if len(checkpoints) != 1 || checkpoints[sy.ID].Key != key || string(checkpoints[sy.ID].Value) != `{"a":1}` || checkpoints[sy.ID].Version == 0 {
		t.Fatalf("checkpoints: %+v", checkpoints)
	}
	must(t, w.ResetSyncs(ctx, nil, s.ids(), false))
	if got := s.read(t)[0]; !got.SucceededAt.IsZero() || got.UnannouncedSince.IsZero() {
		t.Fatalf("reset: %+v", got)
	}
	must(t, w.ResetSyncs(ctx, nil, s.ids(), true))
	if got := s.read(t)[0]; !got.UnannouncedSince.IsZero() || got.Unannounced != nil {
		t.Fatalf("reset with what nobody was told of: %+v", got)
	}
	if checkpoints, err = w.SyncCheckpoints(ctx, nil, s.ids()); err != nil || len(checkpoints) != 0 {
		t.Fatalf("checkpoints after a reset: %+v, %v", checkpoints, err)
	}
	must(t, w.DeleteSyncs(ctx, nil, s.ids()))
	if left := s.read(t); len(left) != 0 {
		t.Fatalf("deleted: %+v", left)
	}
	without, err := w.ConnectionsWithoutSync(ctx, nil, w.env.ID, s.integration.ID, s.function.ID, s.connections[0].ID, 10)
	must(t, err)
	if len(without) != 1 || without[0].ID != s.connections[1].ID {
		t.Fatalf("connections without a sync: %+v", without)
	}
}

// testDueSyncsInTurns has one environment with more due syncs than are asked for.
func testDueSyncsInTurns(t *testing.T, w *world) {
	crowd := w.newSyncs(t, w.env, "a", "b", "c", "d", "e", "f", "g", "h")
	others := []*syncs{w.newSyncs(t, w.newEnvironment(t, "second"), "a", "b"), w.newSyncs(t, w.newEnvironment(t, "third"), "a")}
	at := make(map[linkspan.SyncID]time.Time)
	for i, s := range append([]*syncs{crowd}, others...) {
		for n, id := range s.ids() {
			at[id] = past().Add(time.Duration(100*i+n) * time.Millisecond)
		}
	}
	must(t, w.ScheduleSyncs(t.Context(), nil, at))
	a, b, c := crowd.ids(), others[0].ids(), others[1].ids()
	for limit, want := range map[int][]linkspan.SyncID{
		6:  {a[0], b[0], c[0], a[1], a[2], a[3]},
		8:  {a[0], b[0], c[0], a[1], a[2], a[3], a[4], a[5]},
		12: append(append(slices.Clone(a), b...), c...), // that is all
	} {
		due, err := w.DueSyncs(t.Context(), nil, limit)
		must(t, err)
		wantEqual(t, "due in turns", due, want)
	}
}

func testDueSyncs(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.newSyncs(t, w.env, "a", "b", "c")
	first, second, third := s.stored[0].ID, s.stored[1].ID, s.stored[2].ID
	must(t, w.ScheduleSyncs(ctx, nil, map[linkspan.SyncID]time.Time{first: past().Add(time.Second), second: past(), third: time.Now().Add(time.Hour)}))
	due, err := w.DueSyncs(ctx, nil, 10)
	must(t, err)
	wantEqual(t, "due", due, []linkspan.SyncID{second, first})
	if due, err = w.DueSyncs(ctx, nil, 1); err != nil || !slices.Equal(due, []linkspan.SyncID{second}) {
		t.Fatalf("the first one due: %v, %v", due, err)
	}
	must(t, w.DeleteConnection(ctx, nil, &s.connections[0]))
	must(t, w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		taken, gone, err := w.TakeDueSyncs(ctx, tx, s.ids())
		if err == nil && (len(taken) != 1 || taken[0].ID != second || !slices.Equal(gone, []linkspan.SyncID{first})) {
			t.Errorf("taken: %+v, gone: %v", taken, gone)
		}
		return err
	}))
	orphans, err := w.LockOrphanedSyncs(ctx, nil, w.env.ID, s.integration.ID)
	must(t, err)
	wantEqual(t, "orphans", orphans, []linkspan.SyncID{first})

	// Of a function that changes its frequency, steps are counted from the anchors.
	anchor := time.Now().Add(-90 * time.Minute).UTC().Truncate(time.Microsecond)
	must(t, w.StartSyncs(ctx, nil, map[linkspan.SyncID]time.Time{second: anchor, third: anchor}, time.Time{}))
	must(t, w.SetSyncFrequencies(ctx, nil, s.function.ID, time.Hour, ""))
	must(t, w.RescheduleSyncs(ctx, nil, s.function.ID, anchor.Add(90*time.Minute), nil, time.Second, false))
	if got := s.read(t)[0].NextAt; !got.Equal(anchor.Add(2 * time.Hour)) {
		t.Fatalf("next at %s", got)
	}
	must(t, w.SetSyncFrequencies(ctx, nil, s.function.ID, 0, "cron 0 0 * * *"))
	tick := anchor.Add(30 * time.Hour).Truncate(time.Minute)
	must(t, w.RescheduleSyncs(ctx, nil, s.function.ID, anchor.Add(90*time.Minute), map[string]time.Time{"cron 0 0 * * *": tick}, 15*time.Second, false))
	want := tick.Add(time.Duration(anchor.UnixMicro()%15_000_000) * time.Microsecond)
	if got := s.read(t)[0].NextAt; !got.Equal(want) {
		t.Fatalf("next at %s, want %s", got, want)
	}
	must(t, w.RescheduleSyncs(ctx, nil, s.function.ID, anchor.Add(90*time.Minute), map[string]time.Time{"cron 0 0 * * *": {}}, time.Second, false))
	if got := s.read(t)[0]; !got.NextAt.IsZero() || got.State != linkspan.SyncStarted {
		t.Fatalf("by an expression that never comes: next at %s", got.NextAt)
	}
	must(t, w.PauseSyncs(ctx, nil, s.ids()))
	must(t, w.RescheduleSyncs(ctx, nil, s.function.ID, anchor, map[string]time.Time{"cron 0 0 * * *": tick}, time.Second, true))
	if got := s.read(t)[0]; !got.NextAt.IsZero() || got.State != linkspan.SyncPaused {
		t.Fatalf("paused, and next at %s", got.NextAt)
	}
}

func testSyncIsolation(t *testing.T, w *world) {
	ctx := t.Context()
	mine, other := w.newSyncs(t, w.env, "a"), w.newSyncs(t, w.newEnvironment(t, "other"), "a")
	stranger := other.integration.EnvironmentID
	if list, err := w.Syncs(ctx, nil, stranger, mine.ids()); err != nil || len(list) != 0 {
		t.Fatalf("syncs: %+v, %v", list, err)
	}
	if ids, err := w.SyncIDs(ctx, nil, stranger, mine.function.ID, "", 0); err != nil || len(ids) != 0 {
		t.Fatalf("ids: %v, %v", ids, err)
	}
	if ids, err := w.LockSyncs(ctx, nil, stranger, nil, mine.connections[0].ID); err != nil || len(ids) != 0 {
		t.Fatalf("ids of a connection: %v, %v", ids, err)
	}
	if list, err := w.SyncFunctions(ctx, nil, stranger, mine.integration.ID); err != nil || len(list) != 0 {
		t.Fatalf("functions: %+v, %v", list, err)
	}
	if list, err := w.ConnectionsWithoutSync(ctx, nil, stranger, mine.integration.ID, other.function.ID, 0, 10); err != nil || len(list) != 0 {
		t.Fatalf("connections: %+v, %v", list, err)
	}
	_, err := w.SyncConnection(ctx, nil, stranger, mine.integration.ID, "a")
	wantKind(t, err, linkspan.KindNotFound)
	_, err = w.SyncIntegration(ctx, nil, stranger+100, "github")
	wantKind(t, err, linkspan.KindNotFound)
	stolen := mine.stored[0]
	stolen.EnvironmentID = stranger
	wantKind(t, w.SaveSync(ctx, nil, &stolen), linkspan.KindNotFound)
}
