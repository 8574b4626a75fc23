package job_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/job"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

type greet struct {
	Name string `json:"name"`
}

func (greet) Kind() string { return "greet" }

// study takes its time.
type study struct{}

func (study) Kind() string { return "study" }

// patience bounds what the tests wait for; it only matters when they fail.
const patience = 30 * time.Second

// databases returns for each database a function that makes a migrated one.
func databases() map[string]func(t *testing.T) (*store.DB, bool) {
	open := func(t *testing.T, c store.Config) (*store.DB, bool) {
		t.Helper()
		db, err := store.Open(t.Context(), c, slog.New(slog.DiscardHandler))
		must(t, err)
		t.Cleanup(func() { must(t, db.Close()) })
		// Several replicas may start at once.
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := job.Migrate(t.Context(), db.Pool()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return db, c.PollOnly
	}
	dbs := make(map[string]func(t *testing.T) (*store.DB, bool))
	for name, config := range storetest.Databases() {
		dbs[name] = func(t *testing.T) (*store.DB, bool) {
			t.Helper()
			return open(t, config(t))
		}
	}
	return dbs
}

func onEach(t *testing.T, f func(t *testing.T, db *store.DB, pollOnly bool)) {
	t.Helper()
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, pollOnly := open(t)
			f(t, db, pollOnly)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newClient(t *testing.T, c job.Config) *job.Client {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	client, err := job.New(c)
	must(t, err)
	return client
}

func start(t *testing.T, c *job.Client) {
	t.Helper()
	must(t, c.Start(t.Context()))
	t.Cleanup(func() { stop(t, c) })
}

func stop(t *testing.T, c *job.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	must(t, c.Stop(ctx))
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

func enqueue(t *testing.T, db *store.DB, c *job.Client, args job.Args, result error) {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context, tx linkspan.Tx) error {
		if err := c.Enqueue(ctx, tx, args); err != nil {
			return err
		}
		return result
	})
	if !errors.Is(err, result) {
		t.Fatalf("the transaction ended with %v, want %v", err, result)
	}
}

func TestEnqueue(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db *store.DB, pollOnly bool) {
		t.Helper()
		seen := make(chan string, 10)
		r := job.NewRegistry()
		job.Handle(r, job.HandlerOptions{Timeout: time.Minute}, func(_ context.Context, a greet) error {
			seen <- a.Name
			return nil
		})
		producer := newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly, Workers: -1})
		must(t, producer.Start(t.Context()))
		enqueue(t, db, producer, greet{"before the start"}, nil)
		worker := newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly, Workers: 1})
		start(t, worker)
		if got := receive(t, seen); got != "before the start" {
			t.Fatalf("ran %q", got)
		}
		// One worker takes jobs in order: had the first been kept, it would
		// come before the second.
		enqueue(t, db, producer, greet{"rolled back"}, errors.New("no"))
		enqueue(t, db, producer, greet{"committed"}, nil)
		if got := receive(t, seen); got != "committed" {
			t.Fatalf("ran %q", got)
		}
		if err := producer.Enqueue(t.Context(), nil, greet{}); err == nil {
			t.Fatal("a job outside a transaction")
		}
		stop(t, producer)
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db *store.DB, pollOnly bool) {
		t.Helper()
		attempts := make(chan struct{}, 10)
		tries := 0 // one worker
		r := job.NewRegistry()
		job.Handle(r, job.HandlerOptions{Timeout: time.Minute}, func(ctx context.Context, _ greet) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a job without a deadline")
			}
			attempts <- struct{}{}
			if tries++; tries == 1 {
				panic("on purpose")
			}
			return nil
		})
		c := newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly, Workers: 1})
		start(t, c)
		enqueue(t, db, c, greet{}, nil)
		receive(t, attempts)
		receive(t, attempts)
	})
}

// TestStop stops a client in the middle of a job that does not end by itself,
// and has another one take the job over.
func TestStop(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db *store.DB, pollOnly bool) {
		t.Helper()
		running, cancelled := make(chan struct{}), make(chan struct{})
		r := job.NewRegistry()
		job.Handle(r, job.HandlerOptions{Timeout: time.Minute}, func(ctx context.Context, _ greet) error {
			close(running)
			<-ctx.Done()
			close(cancelled)
			return ctx.Err()
		})
		first := newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly})
		must(t, first.Start(t.Context()))
		enqueue(t, db, first, greet{}, nil)
		receive(t, running)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		must(t, first.Stop(ended))
		receive(t, cancelled)

		again := make(chan struct{})
		r = job.NewRegistry()
		job.Handle(r, job.HandlerOptions{Timeout: time.Minute}, func(context.Context, greet) error {
			close(again)
			return nil
		})
		start(t, newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly}))
		receive(t, again)
	})
}

// TestCrash leaves a job behind as a process does that was killed: running, on
// a client that is gone. Its own timeout counts: a job of another kind that may
// run for long is taken to be running still.
func TestCrash(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db *store.DB, pollOnly bool) {
		t.Helper()
		again := make(chan struct{})
		r := job.NewRegistry()
		job.Handle(r, job.HandlerOptions{Timeout: time.Second}, func(context.Context, greet) error {
			close(again)
			return nil
		})
		job.Handle(r, job.HandlerOptions{Timeout: 2 * time.Hour}, func(context.Context, study) error {
			t.Error("a job ran twice at once")
			return nil
		})
		producer := newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly, Workers: -1})
		enqueue(t, db, producer, greet{}, nil)
		enqueue(t, db, producer, study{}, nil)
		const orphan = "update river_job set state = 'running', attempt = 1, attempted_at = "
		switch pool := db.Pool().(type) {
		case *pgxpool.Pool:
			_, err := pool.Exec(t.Context(), orphan+"now() - interval '1 hour', attempted_by = array['gone']")
			must(t, err)
		case *sql.DB:
			_, err := pool.ExecContext(t.Context(), orphan+"datetime('now', '-1 hour'), attempted_by = jsonb('[\"gone\"]')")
			must(t, err)
		}
		start(t, newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly}))
		receive(t, again)
	})
}

func TestEvery(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db *store.DB, pollOnly bool) {
		t.Helper()
		ran := make(chan string, 100)
		r := job.NewRegistry()
		job.Handle(r, job.HandlerOptions{Timeout: time.Minute}, func(_ context.Context, a greet) error {
			ran <- a.Name
			return nil
		})
		job.Every(r, 1_000*time.Hour, greet{"rarely"})
		job.Every(r, time.Second, greet{"often"})
		start(t, newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly}))
		start(t, newClient(t, job.Config{Pool: db.Pool(), Registry: r, PollOnly: pollOnly}))
		counts := make(map[string]int)
		for counts["often"] < 3 || counts["rarely"] < 1 {
			counts[receive(t, ran)]++
		}
		if counts["rarely"] != 1 {
			t.Fatalf("ran %v", counts)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	nop := func(context.Context, greet) error { return nil }
	for name, fill := range map[string]func(r *job.Registry){
		"no timeout": func(r *job.Registry) { job.Handle(r, job.HandlerOptions{}, nop) },
		"handled twice": func(r *job.Registry) {
			job.Handle(r, job.HandlerOptions{Timeout: time.Second}, nop)
			job.Handle(r, job.HandlerOptions{Timeout: time.Second}, nop)
		},
		"periodic without handler": func(r *job.Registry) { job.Every(r, time.Minute, greet{}) },
		"too often": func(r *job.Registry) {
			job.Handle(r, job.HandlerOptions{Timeout: time.Second}, nop)
			job.Every(r, time.Millisecond, greet{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := job.NewRegistry()
			fill(r)
			if _, err := job.New(job.Config{Pool: &sql.DB{}, Registry: r, Log: slog.New(slog.DiscardHandler)}); err == nil {
				t.Fatal("accepted")
			}
		})
	}
	if _, err := job.New(job.Config{Pool: "?", Registry: job.NewRegistry(), Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Fatal("accepted a pool that is none")
	}
}
