package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/function"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/schedule"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// fill stores n connections with a sync each that is due at once.
func (w *world) fill(n int) {
	w.tb.Helper()
	if len(query(w, "select id from functions", func(scan func(...any) error) (id int64, err error) { return id, scan(&id) })) == 0 {
		w.deploy(syncFunction("issues", "every hour", true, "Issue"))
	}
	w.numbers(n, `insert into connections (uuid, environment_id, integration_id, name, credentials, credentials_version, credentials_at, tags, end_user_id,
		organization_id, search, webhook_url_override, refresh_failed_days, refresh_exhausted, refresh_reason, refresh_message, refresh_operation, created_at, updated_at)
		select 'c' || n, %d, %d, 'c' || n, cast('' as %s), 1, 1, '{}', '', '', '', '', 0, %s, '', '', '', 1, 1 from numbers`, int64(w.env), int64(w.integration.ID), map[string]string{"sqlite": "blob", "postgres": "bytea"}[w.Dialect()], w.no())
	w.numbers(n, `insert into syncs (uuid, environment_id, connection_id, function_id, variant, state, frequency, every, cron, anchor, next_at, again, created_at, updated_at)
		select 's' || n, %d, c.id, (select min(id) from functions), 'base', 'started', '', 3600000000, '', 1, 2, %s, 1, 1
		from numbers join connections c on c.uuid = 'c' || n`, int64(w.env), w.no())
}

// no is how the database writes that something is not so.
func (w *world) no() string {
	if w.Dialect() == "postgres" {
		return "false"
	}
	return "0"
}

// numbers runs a statement over a table of n numbers.
func (w *world) numbers(n int, statement string, args ...any) {
	w.tb.Helper()
	with := fmt.Sprintf("with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < %d) ", n)
	into, rest, _ := strings.Cut(statement, "select ")
	// PostgreSQL wants it behind the insert, and SQLite takes it there as well.
	w.exec("%s", into+with+"select "+fmt.Sprintf(rest, args...))
}

// TestReplicasShare has two replicas take what is due at once.
func TestReplicasShare(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		const n = 2345
		w.fill(n)
		var working sync.WaitGroup
		for range 2 {
			replica := w.service()
			working.Go(func() {
				if err := replica.Tick(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		working.Wait()
		w.tick() // passed over because the other one held it
		if all, syncs := w.number("select count(*) from runs"), w.number("select count(distinct sync_id) from runs"); all != n || syncs != n {
			t.Fatalf("%d runs of %d syncs", all, syncs)
		}
		if due := w.number("select count(*) from syncs where next_at < 10"); due != 0 {
			t.Fatalf("%d are still due", due)
		}
	})
}

// TestHeldByOthers has somebody hold more syncs that are due than one look finds:
// it goes on to nothing else, and ends.
func TestHeldByOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Databases()["postgres"](t))
	const n = 1250
	w.fill(n)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, w.InTx(ctx, func(txCtx context.Context, tx linkspan.Tx) error {
		if _, err := w.LockSyncs(txCtx, tx, w.env, nil, 0); err != nil {
			return err
		}
		return w.syncs.Tick(ctx)
	}))
	if got := w.number("select count(*) from runs"); got != 0 {
		t.Fatalf("%d runs of syncs that others hold", got)
	}
	w.tick()
	if got := w.number("select count(*) from runs"); got != n {
		t.Fatalf("%d runs in the end, want %d", got, n)
	}
}

// TestSaveBesideConnection has a run save its first records while somebody holds its
// connection, and may want to end the run: one that waited for the other would
// never see the end of it.
func TestSaveBesideConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Databases()["postgres"](t))
	w.deploy(syncFunction("issues", "every hour", true, "Issue"))
	w.connect("c1")
	w.tick()
	r := w.begin(w.status("c1", "issues").Sync.ID)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, w.InTx(ctx, func(txCtx context.Context, tx linkspan.Tx) error {
		if _, err := w.LockConnection(txCtx, tx, w.env, "github", "c1"); err != nil {
			return err
		}
		_, err := w.records.Save(ctx, record.Write{
			Stream:  linkspan.RecordStream{EnvironmentID: w.env, ConnectionID: r.ConnectionID, Model: "Issue", Variant: linkspan.BaseVariant},
			Fence:   linkspan.RunFence{Run: r.ID, Attempt: r.Attempt},
			Records: []byte(`[{"id":"1"}]`),
		})
		return err
	}))
	must(t, w.disconnect("c1"))
	if n := w.number("select count(*) from record_streams where dropped_at is null"); n != 0 {
		t.Fatalf("%d streams of a connection that is gone", n)
	}
}

// TestSaveAsConnectionGoes deletes a connection while a run saves its first records:
// either waits for the other at the run, and no stream is left.
func TestSaveAsConnectionGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.Databases()["postgres"](t))
	w.deploy(syncFunction("issues", "every hour", true, "Issue"))
	w.connect("c1")
	w.connect("c2")
	w.tick()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	begin := func(connection string) (linkspan.RunFence, linkspan.RecordStream) {
		r := w.begin(w.status(connection, "issues").Sync.ID)
		return linkspan.RunFence{Run: r.ID, Attempt: r.Attempt},
			linkspan.RecordStream{EnvironmentID: w.env, ConnectionID: r.ConnectionID, Model: "Issue", Variant: linkspan.BaseVariant}
	}
	// beside starts what has to wait for the caller's transaction.
	beside := func(f func() error) chan error {
		ended := make(chan error, 1)
		go func() { ended <- f() }()
		for w.number("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 0 {
			select {
			case err := <-ended:
				t.Fatalf("it did not wait, and ended with %v", err)
			case <-time.After(time.Millisecond):
			}
		}
		return ended
	}
	var ended chan error

	fence, stream := begin("c1")
	must(t, w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		if err := w.HoldRun(ctx, tx, fence); err != nil {
			return err
		}
		if _, err := w.LockRecordStream(ctx, tx, stream, true); err != nil {
			return err
		}
		ended = beside(func() error { return w.disconnect("c1") })
		return nil
	}))
	must(t, <-ended)

	fence, stream = begin("c2")
	must(t, w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		c, err := w.LockConnection(ctx, tx, w.env, "github", "c2")
		if err != nil {
			return err
		}
		if err := w.syncs.ConnectionDeleted(ctx, tx, &c); err != nil {
			return err
		}
		ended = beside(func() error {
			_, err := w.records.Save(t.Context(), record.Write{Stream: stream, Fence: fence, Records: []byte(`[{"id":"1"}]`)})
			return err
		})
		return w.DeleteConnection(ctx, tx, &c)
	}))
	if err := <-ended; linkspan.KindOf(err) != linkspan.KindConflict {
		t.Errorf("a run of a connection that is gone saves: %v", err)
	}
	if n := w.number("select count(*) from record_streams where dropped_at is null"); n != 0 {
		t.Errorf("%d streams of connections that are gone", n)
	}
}

// TestPoison has schedules among others that can't be followed.
func TestPoison(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.fill(6)
		w.exec("update syncs set every = 0, cron = 'cron TZ=Europe/Nowhere 0 0 * * *' where uuid = 's1'")
		w.exec("update syncs set cron = 'nonsense', every = 0 where uuid = 's2'")
		w.exec("update connections set deleted_at = 1 where uuid = 'c3'")
		w.exec("update syncs set state = 'paused' where uuid = 's4'") // by hand: pausing takes the next run away
		w.tick()
		if n := w.number("select count(*) from runs"); n != 2 {
			t.Fatalf("%d runs", n)
		}
		if n := w.number("select count(*) from syncs where next_at < 10"); n != 0 {
			t.Fatalf("%d are tried again at once", n)
		}
		if n := w.number("select count(*) from syncs where uuid in ('s1', 's2') and next_at > 10"); n != 2 {
			t.Fatalf("%d are tried again at all", n)
		}
		if n := w.number("select count(*) from syncs where uuid in ('s3', 's4') and next_at is null"); n != 2 {
			t.Fatalf("%d are out of turn", n)
		}
	})
}

// stubborn refuses to store runs of one sync.
type stubborn struct {
	schedule.Store

	bad linkspan.SyncID
}

func (s *stubborn) InsertSyncRuns(ctx context.Context, tx linkspan.Tx, runs []*linkspan.Run) ([]linkspan.RunID, error) {
	for _, r := range runs {
		if r.Sync.ID == s.bad {
			return nil, errors.New("no")
		}
	}
	return s.Store.InsertSyncRuns(ctx, tx, runs)
}

// TestOneBadRow has the database refuse one sync of a batch.
func TestOneBadRow(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		w.fill(20)
		bad := linkspan.SyncID(w.number("select id from syncs where uuid = 's7'"))
		syncs := schedule.New(schedule.Config{
			Store: &stubborn{w.Store, bad}, Tx: w.Store, Records: w.records, Webhooks: w.told, Log: quiet(),
		})
		must(t, syncs.Tick(t.Context()))
		if n := w.number("select count(*) from runs"); n != 19 {
			t.Fatalf("%d runs", n)
		}
		if n := w.number("select count(*) from syncs where next_at < 10"); n != 0 {
			t.Fatalf("%d are still due", n)
		}
	})
}

// TestCompetition does everything that may happen to syncs at once, over and over.
// In the end no sync has two runs, none runs that should not, and none is due that
// has no schedule.
func TestCompetition(t *testing.T) {
	t.Parallel()
	everyDatabase(t, func(t *testing.T, w *world) {
		const rounds, connections = 100, 4
		versions := [][]function.Deployable{
			{syncFunction("a", "every hour", true, "A", "S"), syncFunction("b", "every 2 hours", true, "B", "S")},
			{syncFunction("a", "cron 0 * * * *", true, "A"), syncFunction("b", "every 2 hours", false, "B", "S")},
			{syncFunction("a", "every 3 hours", true, "A", "S")},
		}
		w.deploy(versions[0]...)
		for i := range connections {
			w.connect(fmt.Sprintf("c%d", i))
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		ctx := t.Context()
		var working sync.WaitGroup
		worker := func(n uint64, step func(r *rand.Rand) error) {
			working.Go(func() {
				r := rand.New(rand.NewPCG(seed, n))
				for range rounds {
					if err := step(r); err != nil && !expected(err) {
						t.Errorf("worker %d: %v", n, err)
						return
					}
				}
			})
		}
		name := func(r *rand.Rand) string { return fmt.Sprintf("c%d", r.IntN(connections)) }
		worker(1, func(r *rand.Rand) error { return w.syncs.Start(ctx, w.selection(name(r))) })
		worker(2, func(r *rand.Rand) error { return w.syncs.Pause(ctx, w.selection(name(r))) })
		worker(3, func(r *rand.Rand) error {
			which, reset := name(r), r.IntN(2) == 0
			if r.IntN(3) == 0 {
				which = "" // all of them
			}
			return w.syncs.Trigger(ctx, w.selection(which), schedule.TriggerOptions{Reset: reset, Empty: reset && r.IntN(2) == 0})
		})
		worker(4, func(r *rand.Rand) error { return w.tryDeploy(versions[r.IntN(len(versions))]...) })
		worker(5, func(r *rand.Rand) error {
			_, err := w.functions.SetEnabled(ctx, w.env, function.Name{IntegrationKey: "github", Name: "a"}, r.IntN(2) == 0)
			return err
		})
		worker(6, func(r *rand.Rand) error {
			c := name(r)
			if err := w.disconnect(c); err != nil {
				return err
			}
			_, err := w.tryConnect(c)
			return err
		})
		worker(7, func(r *rand.Rand) error {
			// One whose turn it may be.
			due := fmt.Sprintf("update syncs set next_at = 2 where id = (select min(id) + %d from syncs) and next_at is not null returning id", r.IntN(4*connections))
			if _, err := tryQuery(ctx, w, due, func(scan func(...any) error) (id int64, err error) { return id, scan(&id) }); err != nil {
				return err
			}
			return w.syncs.Tick(ctx)
		})
		worker(8, func(r *rand.Rand) error { return w.work(ctx, r) })
		worker(9, func(r *rand.Rand) error {
			if r.IntN(2) == 0 {
				_, err := w.syncs.CreateVariant(ctx, w.env, "github", name(r), schedule.Ref{Name: "a", Variant: "v"})
				return err
			}
			return w.syncs.DeleteVariant(ctx, w.env, "github", name(r), schedule.Ref{Name: "a", Variant: "v"})
		})
		worker(10, func(r *rand.Rand) error {
			own := []*string{nil, new("every 5 minutes"), new("cron 30 4 * * *")}[r.IntN(3)]
			_, err := w.syncs.SetFrequency(ctx, w.env, "github", name(r), schedule.Ref{Name: "a"}, own)
			return err
		})
		worker(11, func(*rand.Rand) error {
			_, err := w.DropIdleRecordStreams(ctx, nil, 0, 10)
			return err
		})
		working.Wait()
		if w.Dialect() == "postgres" {
			if n := w.number("select deadlocks from pg_stat_database where datname = current_database()"); n != 0 {
				t.Errorf("%d times they waited for each other", n)
			}
		}
		w.deploy(versions[0]...)
		w.wantSound(connections)
	})
}

// expected is what must be expected of things that others remove meanwhile.
func expected(err error) bool {
	switch linkspan.CodeOf(err) {
	case "unknown_connection", "unknown_sync", "no_syncs_found", "not_found", "sync_variant_already_exists", "disabled_resource":
		return true
	default:
		return linkspan.KindOf(err) == linkspan.KindNotFound || linkspan.KindOf(err) == linkspan.KindConflict
	}
}

// work claims a run and ends it.
func (w *world) work(ctx context.Context, r *rand.Rand) error {
	ids, err := tryQuery(ctx, w, "select id from runs where state = 'waiting' order by id limit 3", func(scan func(...any) error) (id linkspan.RunID, err error) { return id, scan(&id) })
	if err != nil || len(ids) == 0 {
		return err
	}
	claimed, err := w.ClaimRuns(ctx, nil, ids, "test", time.Minute)
	if err != nil {
		return err
	}
	for i := range claimed {
		end := claimed[i]
		if end.Sync == nil {
			continue
		}
		for _, model := range []string{"S", "A"} {
			if _, err := w.records.Save(ctx, record.Write{
				Stream:  linkspan.RecordStream{EnvironmentID: w.env, ConnectionID: end.ConnectionID, Model: model, Variant: end.Sync.Variant},
				Fence:   linkspan.RunFence{Run: end.ID, Attempt: end.Attempt},
				Records: fmt.Appendf(nil, `[{"id":"1","n":%d}]`, r.IntN(3)),
			}); err != nil && !expected(err) {
				return err
			}
		}
		end.State, end.Sync.Interrupted = linkspan.RunSucceeded, r.IntN(3) == 0
		if r.IntN(3) == 0 {
			end.State, end.Sync.Interrupted = linkspan.RunFailed, false
		}
		if err := w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
			stored, err := w.FinishRun(ctx, tx, &end, 0)
			if err != nil || !stored {
				return err
			}
			return w.syncs.Ended(ctx, tx, schedule.End{Run: &end, StartedAt: end.StartedAt})
		}); err != nil {
			return err
		}
	}
	return nil
}

// wantSound checks what must hold between syncs and all that they belong to.
func (w *world) wantSound(connections int) {
	w.tb.Helper()
	for what, where := range map[string]string{
		"syncs of connections that are gone": "syncs s join connections c on c.id = s.connection_id where c.deleted_at is not null",
		"syncs of functions that are gone":   "syncs s join functions f on f.id = s.function_id where f.deleted_at is not null",
		"paused syncs with a next run":       "syncs where state = 'paused' and next_at is not null",
		"started syncs without a next run":   "syncs s join functions f on f.id = s.function_id where state = 'started' and next_at is null and f.enabled <> " + w.no(),
		"syncs switched off with a next run": "syncs s join functions f on f.id = s.function_id where next_at is not null and f.enabled = " + w.no(),
		"active runs of syncs that are gone": "runs where sync_id is not null and ended_at is null and sync_id not in (select id from syncs)",
		"active runs of syncs switched off":  "runs r join syncs s on s.id = r.sync_id join functions f on f.id = s.function_id where r.ended_at is null and f.enabled = " + w.no(),
		"syncs with two active runs":         "(select sync_id from runs where ended_at is null and sync_id is not null group by sync_id having count(*) > 1) as twice",
	} {
		if n := w.number("select count(*) from %s", where); n != 0 {
			w.tb.Errorf("%d %s", n, what)
		}
	}
	// Two functions, each in its base variant.
	if n := w.number("select count(*) from syncs where variant = 'base'"); n != int64(2*connections) {
		w.tb.Errorf("%d syncs of %d connections", n, connections)
	}
}

// BenchmarkTick measures a look at 1,000,000 syncs of which 100 are due, and
// 20,000 that are due at once.
func BenchmarkTick(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, storetest.Databases()[name](b))
			const all = 1_000_000
			w.fill(all)
			w.exec("update syncs set next_at = 4000000000000000 + id")
			w.exec("analyze")
			for _, due := range []int64{0, 100, 20_000} {
				b.Run(fmt.Sprintf("%d due", due), func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						w.exec("delete from runs")
						w.exec("update syncs set next_at = 2 where id in (select id from syncs where id %% (1000000 / %d) = 0)", max(due, 1))
						if due == 0 {
							w.exec("update syncs set next_at = 4000000000000000 + id where next_at < 4000000000000000")
						}
						b.StartTimer()
						must(b, w.syncs.Tick(b.Context()))
					}
					if n := w.number("select count(*) from runs"); n < due {
						b.Fatalf("%d runs", n)
					}
				})
			}
		})
	}
}
