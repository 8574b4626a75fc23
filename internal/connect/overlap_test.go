package connect_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/credential"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/oauth"
	"github.com/linkspan/linkspan/internal/store"
)

// overlapping is the database as one of two authorizations sees it.
type overlapping struct {
	*store.Store

	// claimed is called when it has taken its own grant, touched when it goes on
	// to what the other one has a part in.
	claimed, touched func()
	// attempts counts how often it had to begin to store the connection.
	attempts atomic.Int64
}

func (o *overlapping) DeleteAuthorization(ctx context.Context, tx linkspan.Tx, id linkspan.AuthorizationID) (bool, error) {
	o.attempts.Add(1)
	there, err := o.Store.DeleteAuthorization(ctx, tx, id)
	o.claimed()
	return there, err
}

func (o *overlapping) DeleteOlderAuthorizations(ctx context.Context, tx linkspan.Tx, newer *linkspan.Authorization) (int, error) {
	o.touched()
	return o.Store.DeleteOlderAuthorizations(ctx, tx, newer)
}

func (o *overlapping) LockConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, integration, name string) (linkspan.Connection, error) {
	c, err := o.Store.LockConnection(ctx, tx, env, integration, name)
	o.touched()
	return c, err
}

// testOverlappingAuthorizations has two grants of one connection stored at the
// same time. They must not wait for each other: a database ends that only after a
// second, and by throwing one out.
func (d *database) testOverlappingAuthorizations(t *testing.T) {
	st := d.open(t)
	must(t, st.InsertIntegration(t.Context(), nil, &linkspan.Integration{
		UUID: linkspan.NewUUID(), EnvironmentID: d.env.ID, Key: "overlapping", Provider: "keyed",
	}))
	service := func(o *overlapping) *connect.Service {
		log := slog.New(slog.DiscardHandler)
		return connect.New(connect.Config{
			Store: o, Tx: o, Providers: d.world, Feed: change.NewFeed(st, log), Leases: lease.NewKeeper(st, linkspan.NewUUID(), log),
			Upstream: &verifier{}, OAuth: oauth.New(oauth.Config{HTTP: http.DefaultClient}), Log: log,
		})
	}
	name := linkspan.NewUUID()
	authorize := func(o *overlapping, key string) {
		_, err := service(o).Authorize(t.Context(), connect.Authorized{
			Environment: d.env, IntegrationKey: "overlapping", Name: name, Credentials: credential.NewAPIKey(key),
		})
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	nothing := func() {}
	authorize(&overlapping{Store: st, claimed: nothing, touched: nothing}, "first")

	met := make(chan struct{})
	newer := &overlapping{Store: st, claimed: nothing, touched: sync.OnceFunc(func() { close(met) })}
	var both sync.WaitGroup
	older := &overlapping{Store: st, touched: nothing, claimed: sync.OnceFunc(func() {
		both.Go(func() { authorize(newer, "newer") })
		<-met
	})}
	both.Go(func() { authorize(older, "older") })
	both.Wait()
	if older.attempts.Load() != 1 || newer.attempts.Load() != 1 {
		t.Errorf("stored at attempts %d and %d", older.attempts.Load(), newer.attempts.Load())
	}
	c, err := st.Connection(t.Context(), nil, d.env.ID, "overlapping", name)
	must(t, err)
	got, err := credential.Parse(c.Credentials)
	must(t, err)
	if got.APIKey.Reveal() != "newer" {
		t.Error("the older grant won")
	}
}
