package storetest

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

func testCheckpoints(t *testing.T, w *world) {
	ctx := t.Context()
	conn := w.newConnection(t, w.newIntegration(t, w.env, "github"), "c1", nil)
	other := w.newEnvironment(t, "other")
	const key = "action/create"

	_, err := w.Checkpoint(ctx, nil, w.env.ID, conn.ID, key)
	wantKind(t, err, linkspan.KindNotFound)

	c := linkspan.Checkpoint{Key: key, Value: json.RawMessage(`{"page":1}`)}
	must(t, w.SaveCheckpoint(ctx, nil, w.env.ID, conn.ID, &c))
	got, err := w.Checkpoint(ctx, nil, w.env.ID, conn.ID, key)
	must(t, err)
	wantEqual(t, "stored", got, c)
	if c.Version == 0 || c.UpdatedAt.IsZero() {
		t.Errorf("version and time are not set: %+v", c)
	}

	// Whoever worked from something older is refused.
	late := linkspan.Checkpoint{Key: key, Value: json.RawMessage(`{"page":9}`)}
	wantKind(t, w.SaveCheckpoint(ctx, nil, w.env.ID, conn.ID, &late), linkspan.KindConflict)
	wantEqual(t, "version after a refusal", late.Version, int64(0))
	older := c
	c.Value = json.RawMessage(`{"page":2}`)
	must(t, w.SaveCheckpoint(ctx, nil, w.env.ID, conn.ID, &c))
	if c.Version <= older.Version {
		t.Errorf("version %d does not rise over %d", c.Version, older.Version)
	}
	wantKind(t, w.SaveCheckpoint(ctx, nil, w.env.ID, conn.ID, &older), linkspan.KindConflict)
	wantKind(t, w.DeleteCheckpoint(ctx, nil, w.env.ID, conn.ID, key, older.Version), linkspan.KindConflict)
	got, err = w.Checkpoint(ctx, nil, w.env.ID, conn.ID, key)
	must(t, err)
	wantEqual(t, "after refusals", got, c)

	// Another environment sees and changes nothing.
	_, err = w.Checkpoint(ctx, nil, other.ID, conn.ID, key)
	wantKind(t, err, linkspan.KindNotFound)
	wantKind(t, w.DeleteCheckpoint(ctx, nil, other.ID, conn.ID, key, c.Version), linkspan.KindConflict)
	foreign := linkspan.Checkpoint{Key: "action/other", Value: json.RawMessage(`{}`)}
	wantKind(t, w.SaveCheckpoint(ctx, nil, other.ID, conn.ID, &foreign), linkspan.KindNotFound)
	stolen := c
	wantKind(t, w.SaveCheckpoint(ctx, nil, other.ID, conn.ID, &stolen), linkspan.KindConflict)

	// A writer from before a removal is not taken for one from after it.
	before := c
	must(t, w.DeleteCheckpoint(ctx, nil, w.env.ID, conn.ID, key, c.Version))
	_, err = w.Checkpoint(ctx, nil, w.env.ID, conn.ID, key)
	wantKind(t, err, linkspan.KindNotFound)
	fresh := linkspan.Checkpoint{Key: key, Value: json.RawMessage(`{"page":1}`)}
	must(t, w.SaveCheckpoint(ctx, nil, w.env.ID, conn.ID, &fresh))
	wantKind(t, w.SaveCheckpoint(ctx, nil, w.env.ID, conn.ID, &before), linkspan.KindConflict)
}

func testFunctionLocks(t *testing.T, w *world) {
	ctx := t.Context()
	other := w.newEnvironment(t, "other")
	acquire := func(env linkspan.Environment, key, owner string, ttl time.Duration) bool {
		t.Helper()
		ok, err := w.AcquireFunctionLock(ctx, nil, env.ID, key, owner, ttl)
		must(t, err)
		return ok
	}
	wantEqual(t, "free", acquire(w.env, "k", "a", time.Hour), true)
	wantEqual(t, "again by the same", acquire(w.env, "k", "a", time.Hour), true)
	wantEqual(t, "by another", acquire(w.env, "k", "b", time.Hour), false)
	wantEqual(t, "another key", acquire(w.env, "k2", "a", time.Hour), true)
	wantEqual(t, "another environment", acquire(other, "k", "b", time.Hour), true)

	released, err := w.ReleaseFunctionLock(ctx, nil, w.env.ID, "k", "b")
	must(t, err)
	wantEqual(t, "release by another", released, false)
	released, err = w.ReleaseFunctionLock(ctx, nil, w.env.ID, "k", "a")
	must(t, err)
	wantEqual(t, "release", released, true)
	wantEqual(t, "after the release", acquire(w.env, "k", "b", time.Hour), true)

	must(t, w.ReleaseFunctionLocks(ctx, nil, w.env.ID, "a"))
	wantEqual(t, "after the release of all", acquire(w.env, "k2", "b", time.Hour), true)
	must(t, w.ReleaseFunctionLocks(ctx, nil, w.env.ID, "b"))
	wantEqual(t, "in the other environment", acquire(other, "k", "c", time.Hour), false)

	wantEqual(t, "lapsing at once", acquire(w.env, "short", "a", -time.Second), true)
	wantEqual(t, "a lapsed lock", acquire(w.env, "short", "b", -time.Second), true)
	n, err := w.PurgeFunctionLocks(ctx, nil, time.Now().Add(time.Minute), 10)
	must(t, err)
	wantEqual(t, "purged", n, 1)

	var winners atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if ok, err := w.AcquireFunctionLock(ctx, nil, w.env.ID, "race", linkspan.NewUUID(), time.Hour); err == nil && ok {
				winners.Add(1)
			}
		})
	}
	wg.Wait()
	wantEqual(t, "winners", winners.Load(), int64(1))
}
