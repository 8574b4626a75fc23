package storetest

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/linkspan/linkspan"
)

func testChanges(t *testing.T, w *world) {
	ctx := t.Context()
	start, err := w.LatestChange(ctx)
	must(t, err)
	var local []linkspan.Change
	w.OnLocalChange(func(c linkspan.Change) { local = append(local, c) })

	other := w.newEnvironment(t, "other")
	k := w.newAPIKey(t, w.env.ID, "key")
	i, doomed := w.newIntegration(t, w.env, "github"), w.newIntegration(t, other, "github")
	c := w.newConnection(t, i, "one", nil)
	must(t, w.SaveCredentials(ctx, nil, &c))
	must(t, w.SaveRefreshState(ctx, nil, c.ID, c.UUID, c.CredentialsVersion, linkspan.RefreshState{FailedDays: 1}))
	must(t, w.UpdateConnection(ctx, nil, &c))
	must(t, w.DeleteConnection(ctx, nil, &c))
	must(t, w.UpdateIntegration(ctx, nil, &i))
	must(t, w.DeleteIntegration(ctx, nil, &i))
	must(t, w.DeleteAPIKey(ctx, nil, k))
	must(t, w.DeleteEnvironment(ctx, nil, &other))

	key := hex.EncodeToString(k.Hash[:])
	want := []linkspan.Change{
		{Kind: linkspan.ChangeEnvironment, Environment: other.ID, Key: other.UUID},
		{Kind: linkspan.ChangeAPIKey, Environment: w.env.ID, Key: key},
		{Kind: linkspan.ChangeIntegration, Environment: w.env.ID, Key: i.UUID},
		{Kind: linkspan.ChangeIntegration, Environment: other.ID, Key: doomed.UUID},
		{Kind: linkspan.ChangeConnection, Environment: w.env.ID, Key: c.UUID},
		{Kind: linkspan.ChangeConnection, Environment: w.env.ID, Key: c.UUID},
		{Kind: linkspan.ChangeConnection, Environment: w.env.ID, Key: c.UUID},
		{Kind: linkspan.ChangeConnection, Environment: w.env.ID, Key: c.UUID},
		{Kind: linkspan.ChangeConnection, Environment: w.env.ID, Key: c.UUID},
		{Kind: linkspan.ChangeIntegration, Environment: w.env.ID, Key: i.UUID},
		{Kind: linkspan.ChangeIntegration, Environment: w.env.ID, Key: i.UUID},
		{Kind: linkspan.ChangeAPIKey, Environment: w.env.ID, Key: key},
		{Kind: linkspan.ChangeEnvironment, Environment: other.ID, Key: other.UUID},
		{Kind: linkspan.ChangeIntegration, Environment: other.ID, Key: doomed.UUID},
	}
	for n := range want {
		want[n].Seq = start + 1 + int64(n)
	}
	wantEqual(t, "changes told to the process", local, want)
	got, err := w.ChangesSince(ctx, start, 1000)
	must(t, err)
	wantEqual(t, "changes", got, want)
	got, err = w.ChangesSince(ctx, start+3, 2)
	must(t, err)
	wantEqual(t, "a page of changes", got, want[3:5])
	got, err = w.ChangesSince(ctx, want[len(want)-1].Seq, 1000)
	must(t, err)
	if len(got) != 0 {
		t.Fatalf("changes after the last: %v", got)
	}

	// What is rolled back uses no number and tells nobody.
	_ = w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		must(t, w.UpdateEnvironment(ctx, tx, &w.env))
		return errors.New("no")
	})
	latest, err := w.LatestChange(ctx)
	must(t, err)
	if latest != want[len(want)-1].Seq || len(local) != len(want) {
		t.Fatalf("a rollback left number %d and %d changes", latest, len(local))
	}
}

// testChangeOrder has many writers and one reader: a reader that goes on from
// the last number it saw must see every change exactly once.
func testChangeOrder(t *testing.T, w *world) {
	const writers, each = 6, 15
	ctx := t.Context()
	start, err := w.LatestChange(ctx)
	must(t, err)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for range each {
				e := w.env
				err := w.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
					if err := w.ReplaceVariables(ctx, tx, e.ID, e.UUID, nil); err != nil || n%2 == 1 {
						return err
					}
					k := linkspan.APIKey{ // a second change in the same transaction
						UUID: linkspan.NewUUID(), AccountID: w.account.ID, EnvironmentID: e.ID, DisplayName: linkspan.NewUUID(), Hash: newHash(),
					}
					return w.InsertAPIKey(ctx, tx, &k)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	seq, last := start, false
	for !last {
		select {
		case <-finished:
			last = true
		default:
		}
		got, err := w.ChangesSince(ctx, seq, 7)
		must(t, err)
		for _, c := range got {
			if c.Seq != seq+1 || c.Kind == linkspan.ChangeLost {
				t.Fatalf("after number %d came %+v", seq, c)
			}
			seq = c.Seq
		}
		last = last && len(got) == 0
	}
	if want := start + writers*each + writers/2*each; seq != want {
		t.Fatalf("saw changes up to %d, want %d", seq, want)
	}
}

func testLostChanges(t *testing.T, w *world) {
	ctx := t.Context()
	start, err := w.LatestChange(ctx)
	must(t, err)
	for n := range 5 {
		w.newAPIKey(t, w.env.ID, strconv.Itoa(n))
	}
	lost := func(seq, latest int64) {
		t.Helper()
		got, err := w.ChangesSince(ctx, seq, 1000)
		must(t, err)
		wantEqual(t, "changes", got, []linkspan.Change{{Seq: latest, Kind: linkspan.ChangeLost}})
	}
	w.exec(t, "delete from changes where seq <= $1", start+2)
	lost(start, start+5)
	lost(start+1, start+5)
	got, err := w.ChangesSince(ctx, start+2, 1000)
	must(t, err)
	if len(got) != 3 || got[0].Seq != start+3 {
		t.Fatalf("nothing was missed, but got %v", got)
	}
	lost(start+50, start+5) // the database was replaced by an older one
	w.exec(t, "delete from changes where seq <= $1", start+5)
	lost(start, start+5)
	lost(start+4, start+5)
	if got, err := w.ChangesSince(ctx, start+5, 1000); err != nil || len(got) != 0 {
		t.Fatalf("up to date, but got %v, %v", got, err)
	}
}

func testNotifications(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ch := w.Notifications(ctx)
	if ch == nil {
		return // polling only
	}
	if w.Dialect() == "postgres" {
		<-ch // listening has begun
	}
	w.newAPIKey(t, w.env.ID, "key")
	<-ch
	if w.Dialect() == "postgres" {
		w.exec(t, `select pg_terminate_backend(pid) from pg_stat_activity
			where application_name = current_setting('application_name') and query like 'listen %'`)
		<-ch // listening has begun again
		w.newAPIKey(t, w.env.ID, "another")
		<-ch
	}
	cancel()
	for range ch { // drained until it is closed
	}
}
