package store_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/lease"
	"github.com/linkspan/linkspan/internal/store"
	"github.com/linkspan/linkspan/internal/store/storetest"
)

func TestKeeper(t *testing.T) {
	t.Parallel()
	for name, config := range storetest.Databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testKeeper(t, open(t, config(t)))
		})
	}
}

// testKeeper runs the keeper of leases on the database.
func testKeeper(t *testing.T, s *store.Store) {
	t.Helper()
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	a, b := lease.NewKeeper(s, "a", log), lease.NewKeeper(s, "b", log)
	h, ok, err := a.Acquire(ctx, "run", "1")
	must(t, err)
	if _, taken, err := b.Acquire(ctx, "run", "1"); !ok || taken || err != nil {
		t.Fatalf("a got it: %t, b got it too: %t, %v", ok, taken, err)
	}
	must(t, h.Note(ctx, "half"))
	must(t, s.InTx(ctx, h.Check))
	h.Abandon()
	_, err = s.RenewLease(ctx, nil, h.Lease(), -time.Second) // it lapses at once
	must(t, err)
	var found []linkspan.Lease
	sweep, stop := context.WithCancel(ctx)
	lease.NewSweeper(s, "run", time.Hour, func(_ context.Context, l linkspan.Lease) error {
		found = append(found, l)
		stop()
		return nil
	}, log).Run(sweep)
	if len(found) != 1 || found[0].State != "half" {
		t.Fatalf("the sweeper found %+v", found)
	}
	next, ok, err := b.Acquire(ctx, "run", "1")
	must(t, err)
	if !ok || !next.Lease().TakenOver || next.Lease().State != "half" {
		t.Fatalf("b took over: %t, %+v", ok, next.Lease())
	}
	if err := s.InTx(ctx, h.Check); !errors.Is(err, lease.ErrLost) {
		t.Fatalf("the fence let the first holder through: %v", err)
	}
	must(t, h.Release(ctx))
	must(t, next.Check(ctx, nil))
	must(t, next.Release(ctx))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
