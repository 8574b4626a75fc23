package run

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

// fill stores a backlog of one environment.
func (s *stored) fill(t *testing.T, w *world, n int) {
	t.Helper()
	rows := make([]*linkspan.Run, n)
	c := w.connections["c1"].Connection
	for i := range rows {
		rows[i] = &linkspan.Run{
			UUID: linkspan.NewUUID(), EnvironmentID: s.envs[0].ID, Kind: linkspan.FunctionAction, Name: "act", IntegrationKey: "github", Provider: "github",
			ConnectionName: c.Name, ConnectionUUID: c.UUID, Input: linkspan.NewSecret(`"one"`), MaxAttempts: 1,
			Operation: linkspan.NewOperationID(time.Now()), ExpiresAt: time.Now().Add(time.Hour),
		}
	}
	must(t, s.InsertRuns(t.Context(), nil, rows))
}

// TestBacklogOfAnother has thousands of runs of one environment wait in a real
// database. Another environment's single one comes next.
func TestBacklogOfAnother(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it fills a database")
	}
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newWorld()
			const backlog = 3000
			s.fill(t, w, backlog)
			proceed := make(chan struct{})
			w.execute = func(ctx context.Context, x *Execution) (Done, error) {
				if string(x.Input) == `"one"` {
					select {
					case <-proceed:
					case <-ctx.Done():
						return Done{}, ctx.Err()
					}
				}
				return Done{Output: json.RawMessage(`1`)}, nil
			}
			p := s.service(w, "me")
			background(t, s.feed.Run)
			background(t, p.Run)
			for p.Running() < 8 { // every slot that the environment may have is held
				<-time.After(time.Millisecond)
			}
			in := w.trigger(1, `"two"`)
			in.Environment = s.envs[1]
			uuid, err := p.TriggerAsync(t.Context(), in, 0)
			must(t, err)
			if r := s.settled(t, s.envs[1].ID, uuid); r.State != linkspan.RunSucceeded {
				t.Errorf("it ended as %+v", r)
			}
			if n := p.Running(); n != 8 {
				t.Errorf("%d of the backlog run meanwhile", n)
			}
			close(proceed)
		})
	}
}

// TestEnvironmentGoes deletes an environment while its runs wait and while one is
// under way: they end, and nobody is told.
func TestEnvironmentGoes(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newStored(t, config(t)), newWorld()
			s.fill(t, w, 20)
			began, proceed := make(chan struct{}, 20), make(chan struct{})
			w.execute = func(context.Context, *Execution) (Done, error) {
				began <- struct{}{}
				<-proceed
				return Done{Output: json.RawMessage(`1`)}, nil
			}
			p := s.service(w, "me")
			background(t, s.feed.Run)
			background(t, p.Run)
			<-began
			must(t, s.DeleteEnvironment(t.Context(), nil, &s.envs[0]))
			close(proceed)
			for s.unsettled(t) || p.Running() > 0 {
				<-time.After(time.Millisecond)
			}
			if n := len(w.executions()); n > 8 {
				t.Errorf("%d were executed, of which eight were under way", n)
			}
			list, err := s.hooks.Deliveries(t.Context(), linkspan.DeliveryFilter{EnvironmentID: s.envs[0].ID})
			if err != nil || len(list) != 0 {
				t.Errorf("%d webhooks, %v", len(list), err)
			}
		})
	}
}
