package webhook

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan"
)

// doubtful is a database that says once that a transaction failed which it has
// committed, as one does whose connection breaks.
type doubtful struct {
	*world

	// armed has the next claim be such a transaction.
	armed, claiming atomic.Bool
	// then is called with the claim stored, before the failure is told.
	then func()
}

func (d *doubtful) ClaimDeliveries(ctx context.Context, tx linkspan.Tx, ids []linkspan.WebhookDeliveryID, holder string, ttl time.Duration) ([]linkspan.WebhookDelivery, error) {
	d.claiming.Store(true)
	return d.world.ClaimDeliveries(ctx, tx, ids, holder, ttl)
}

func (d *doubtful) InTx(ctx context.Context, f func(context.Context, linkspan.Tx) error) error {
	d.claiming.Store(false)
	err := d.world.InTx(ctx, f)
	if d.claiming.Load() && d.armed.CompareAndSwap(true, false) {
		d.then()
		// A process that stops gives up what it has under way.
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errDown
	}
	return err
}

func (w *world) doubtfulService(then func()) *Service {
	s := w.service("me")
	d := &doubtful{world: w, then: then}
	d.armed.Store(true)
	s.store, s.tx = d, d
	return s
}

// TestDoubtfulClaim has a claim fail that was stored: what it claimed is sent at
// once, not after the claim has lapsed.
func TestDoubtfulClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["r.example"] = answers(200)
		w.add(t, 1, "r.example", 3)
		defer run(t, w.doubtfulService(func() {}))()
		wait(2 * time.Second)
		if hits := w.hitsOf("r.example"); len(hits) != 3 {
			t.Fatalf("%d of 3 arrived in two seconds", len(hits))
		}
	})
}

// TestStoppedClaim stops a process between a claim and the attempt: the next
// process finds what it claimed due at once.
func TestStoppedClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorld()
		w.receivers["r.example"] = answers(200)
		d := w.add(t, 1, "r.example", 1)[0]
		ctx, stop := context.WithCancel(t.Context())
		if err := w.doubtfulService(stop).Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := w.row(d.ID); !got.LeaseUntil.IsZero() || got.Attempts != 0 || got.Attempt != 1 {
			t.Fatalf("left behind: %+v", got)
		}
		defer run(t, w.service("other"))()
		wait(time.Second)
		if hits := w.hitsOf("r.example"); len(hits) != 1 {
			t.Fatalf("the next process sent %d", len(hits))
		}
	})
}
