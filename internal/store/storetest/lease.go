package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan"
)

// Leases with a negative duration have lapsed when they are acquired: the
// database's clock decides, which a test cannot move.
const lapsed = -time.Second

func testLeases(t *testing.T, w *world) {
	ctx := t.Context()
	a, ok, err := w.AcquireLease(ctx, nil, "run", "1", "me", time.Minute)
	must(t, err)
	if !ok || a.Attempt != 1 || a.TakenOver || a.State != "" || time.Until(a.Until) < 30*time.Second || time.Until(a.Until) > 90*time.Second {
		t.Fatalf("first lease: %t, %+v", ok, a)
	}
	for _, holder := range []string{"you", "me"} {
		if _, ok, err := w.AcquireLease(ctx, nil, "run", "1", holder, time.Minute); ok || err != nil {
			t.Fatalf("%s got a lease that is held: %v", holder, err)
		}
	}
	if _, ok, err := w.AcquireLease(ctx, nil, "delivery", "1", "you", time.Minute); !ok || err != nil {
		t.Fatalf("another kind is not free: %v", err)
	}
	if _, _, err := w.AcquireLease(ctx, nil, "run", "2", "", time.Minute); err == nil {
		t.Fatal("a lease without a holder")
	}
	report := func(what string, want bool, got bool, err error) {
		t.Helper()
		must(t, err)
		if got != want {
			t.Fatalf("%s reports %t, want %t", what, got, want)
		}
	}
	all := func(l linkspan.Lease, want bool) {
		t.Helper()
		got, err := w.SetLeaseState(ctx, nil, l, "sent")
		report("noting", want, got, err)
		got, err = w.CheckLease(ctx, nil, l)
		report("checking", want, got, err)
		w.inTx(t, func(ctx context.Context, tx linkspan.Tx) {
			got, err = w.CheckLease(ctx, tx, l)
			report("checking inside", want, got, err)
		})
		got, err = w.RenewLease(ctx, nil, l, lapsed)
		report("renewing", want, got, err)
	}
	all(a, true)

	list, err := w.LapsedLeases(ctx, nil, "run", 10)
	must(t, err)
	if len(list) != 1 || list[0].Key != "1" || list[0].Holder != "me" || list[0].State != "sent" || list[0].Attempt != 1 {
		t.Fatalf("lapsed: %+v", list)
	}
	all(a, true) // lapsed, but nobody has taken it over
	b, ok, err := w.AcquireLease(ctx, nil, "run", "1", "you", time.Minute)
	must(t, err)
	if !ok || b.Attempt != 2 || !b.TakenOver || b.State != "sent" {
		t.Fatalf("taken over: %t, %+v", ok, b)
	}
	all(a, false)
	got, err := w.ReleaseLease(ctx, nil, a)
	report("releasing", false, got, err)
	got, err = w.ReleaseLease(ctx, nil, b)
	report("releasing", true, got, err)
	all(b, false)
	if list, err := w.LapsedLeases(ctx, nil, "run", 10); err != nil || len(list) != 0 {
		t.Fatalf("released, but lapsed: %v, %v", list, err)
	}
	c, ok, err := w.AcquireLease(ctx, nil, "run", "1", "me", time.Minute)
	must(t, err)
	if !ok || c.Attempt != 3 || c.TakenOver || c.State != "" {
		t.Fatalf("after release: %t, %+v", ok, c)
	}
}

// testLeaseRace has many claim many leases, some of which others let lapse:
// each goes to exactly one.
func testLeaseRace(t *testing.T, w *world) {
	const keys, claimants = 12, 8
	for k := range keys / 2 {
		_, _, err := w.AcquireLease(t.Context(), nil, "race", fmt.Sprint(k), "dead", lapsed)
		must(t, err)
	}
	var won [keys]atomic.Int32
	var wg sync.WaitGroup
	for n := range claimants {
		wg.Go(func() {
			for k := range keys {
				_, ok, err := w.AcquireLease(t.Context(), nil, "race", fmt.Sprint(k), fmt.Sprint(n), time.Minute)
				if err != nil {
					t.Error(err)
				}
				if ok {
					won[k].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for k := range won {
		if n := won[k].Load(); n != 1 {
			t.Errorf("lease %d went to %d claimants", k, n)
		}
	}
}
