package run

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// TestWebhooksOnRealDatabases has two replicas take webhooks for two connections: a
// sync any number at a time, a function one at a time for each connection.
func TestWebhooksOnRealDatabases(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), listening()
			all := w.functions["all"]
			all.Version.Definition.Unified.PerConnection = 1
			w.functions["all"] = all
			other := target("c2")
			other.Connection.ID = 10
			w.connections["c2"] = other

			o := &overlaps{now: make(map[string]int), most: make(map[string]int)}
			var mu sync.Mutex
			done := make(map[string]int)
			w.execute = func(ctx context.Context, x *Execution) (Done, error) {
				d, err := o.run(ctx, x)
				mu.Lock()
				done[x.Function.Name+"/"+x.ConnectionName]++
				mu.Unlock()
				return d, err
			}
			o.took = 5 * time.Millisecond
			var services []*Service
			for _, holder := range []string{"first", "second"} {
				keeper := lease.NewKeeper(s.Store, holder, slog.New(slog.DiscardHandler))
				one := New(Config{
					Store: s.Store, Tx: s.Store, Functions: w, Connections: w, Engine: w, Syncs: w.syncs, Feed: s.feed, Log: slog.New(slog.DiscardHandler), Holder: holder,
					Acquire: func(ctx context.Context, kind, key string) (Right, bool, error) {
						return keeper.Acquire(ctx, kind, key)
					},
				})
				services = append(services, one)
			}
			const events = 10
			for range events {
				n, err := services[0].Webhook(t.Context(), WebhookEvent{
					Environment: s.envs[0].ID, IntegrationKey: "github", Type: "issue", Payload: json.RawMessage(`{"n":1}`),
					Connections: []linkspan.Connection{w.stored(s, "c1"), w.stored(s, "c2")},
				})
				must(t, err)
				if n != 4 {
					t.Errorf("%d runs", n)
				}
			}
			background(t, s.feed.Run)
			for _, one := range services {
				background(t, one.Run)
			}
			for {
				mu.Lock()
				complete := done["all/c1"]+done["all/c2"]+done["issues/c1"]+done["issues/c2"] == 4*events
				mu.Unlock()
				if n, err := services[0].Waiting(t.Context()); complete && n == 0 || err != nil || t.Context().Err() != nil {
					must(t, err)
					break
				}
				<-time.After(20 * time.Millisecond)
			}
			if most, served := o.seen(); most["all/c1"] != 1 || most["all/c2"] != 1 || served != 4*events {
				t.Errorf("beside each other: %v, served: %d", most, served)
			}
		})
	}
}

// stored is a connection of the environment that there is in the database.
func (w *world) stored(s *stored, name string) linkspan.Connection {
	c := w.connections[name].Connection
	c.EnvironmentID = s.envs[0].ID
	return c
}
