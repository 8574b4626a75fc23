package run

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/egress"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
	"github.com/linkspan/linkspan/internal/vault"
	"github.com/linkspan/linkspan/internal/webhook"
)

// stored is a real database with environments that hear of asynchronous actions.
type stored struct {
	*store.Store

	envs  []linkspan.Environment
	feed  *change.Feed
	hooks *webhook.Service
}

func newStored(t testing.TB, c store.Config) *stored {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := &stored{Store: storetest.Open(t, c, vault.NewRing(vault.NewMasterKey()))}
	account := linkspan.Account{UUID: linkspan.NewUUID(), Name: "Acme"}
	must(t, s.InsertAccount(t.Context(), nil, &account))
	for _, name := range []string{"dev", "prod"} {
		e := linkspan.Environment{
			UUID: linkspan.NewUUID(), AccountID: account.ID, Name: name, PublicKey: linkspan.NewUUID(), WebhookSigningKey: linkspan.NewSecret(rand.Text()),
			Settings: linkspan.EnvironmentSettings{Webhooks: linkspan.WebhookSettings{PrimaryURL: "https://hooks.example", OnAsyncActionCompletion: true}},
		}
		must(t, s.InsertEnvironment(t.Context(), nil, &e))
		s.envs = append(s.envs, e)
	}
	s.feed = change.NewFeed(s.Store, log)
	s.OnLocalChange(s.feed.Local)
	s.hooks = webhook.New(webhook.Config{Store: s.Store, Tx: s.Store, HTTP: egress.New(egress.Policy{}, nil), Log: log, Holder: "test"})
	return s
}

// background runs something until the test ends.
func background(t testing.TB, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

// service is one over the real database, with the functions of a world.
func (s *stored) service(w *world, holder string) *Service {
	c := Config{
		Store: s.Store, Tx: s.Store, Functions: w, Connections: w, Engine: w, Webhooks: s.hooks, Feed: s.feed,
		Log: slog.New(slog.DiscardHandler), Holder: holder, Limits: w.limits,
	}
	if w.feed != nil {
		c.Feed = w.feed
	}
	if w.syncs != nil {
		c.Syncs = w.syncs
	}
	return New(c)
}

// TestOnRealDatabases runs actions to their end on two replicas while a process
// dies over some of them: each ends once, and is told once.
func TestOnRealDatabases(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newWorld()
			w.execute = func(_ context.Context, x *Execution) (Done, error) {
				if string(x.Input) == `"fail"` {
					return Done{}, &linkspan.RunError{Code: "script_internal_error", Message: "no", Payload: json.RawMessage(`{"a":1}`)}
				}
				return Done{Output: x.Input}, nil
			}
			first, second := s.service(w, "first"), s.service(w, "second")
			var ids []string
			const each = 20
			for i := range 2 * each {
				in := w.trigger(1, []string{`"ok"`, `"fail"`}[i%2])
				in.Environment = s.envs[i%2]
				uuid, err := first.TriggerAsync(t.Context(), in, 1)
				must(t, err)
				ids = append(ids, uuid)
			}
			// A process that dies with some in hand.
			due, _, err := s.DueRuns(t.Context(), nil, linkspan.RunQuery{PerGroup: 3, PerEnvironment: 3, Limit: 100})
			must(t, err)
			var taken []linkspan.RunID
			for _, r := range due {
				taken = append(taken, r.ID)
			}
			_, err = s.ClaimRuns(t.Context(), nil, taken, "dead", -time.Second)
			must(t, err)

			background(t, s.feed.Run)
			background(t, first.Run)
			background(t, second.Run)
			for i, uuid := range ids {
				r := s.settled(t, s.envs[i%2].ID, uuid)
				want, output := linkspan.RunSucceeded, `"ok"`
				if i%2 == 1 {
					want, output = linkspan.RunFailed, ""
				}
				if r.State != want || r.Output.Reveal() != output || r.Attempts > 2 || (r.Error == nil) != (output != "") {
					t.Errorf("run %d: %+v %+v", i, r, r.Error)
				}
			}
			for _, env := range s.envs {
				list, err := s.hooks.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: env.ID, Type: "async_action"})
				must(t, err)
				if len(list) != each {
					t.Errorf("%d webhooks of %s, want %d", len(list), env.Name, each)
				}
			}
			if n, err := first.Purge(t.Context(), 100); n != 0 || err != nil {
				t.Errorf("purged %d: %v", n, err)
			}
		})
	}
}

// settled waits until a run has ended.
func (s *stored) settled(t *testing.T, env linkspan.EnvironmentID, uuid string) linkspan.Run {
	t.Helper()
	for {
		r, err := s.Run(t.Context(), nil, env, uuid)
		must(t, err)
		if !r.EndedAt.IsZero() {
			return r
		}
		if t.Context().Err() != nil {
			t.Fatalf("run %s never ends: %+v", uuid, r)
		}
		<-time.After(20 * time.Millisecond)
	}
}
