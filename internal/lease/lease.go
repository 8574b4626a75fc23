// Package lease keeps two processes from working on the same thing and hands
// on what a process leaves behind when it dies.
//
// A holder renews its lease every few seconds. When it cannot, because it died
// or lost the database, the lease lapses and somebody else takes it over. The
// database's clock decides when. Each acquisition raises an attempt number that
// fences the writes of the holders before: Held.Check, inside the transaction
// that writes, fails once the lease was taken over.
package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// ttl is how long a lease lasts without being renewed.
	ttl = 15 * time.Second
	// renewEvery leaves room for two failed renewals.
	renewEvery = 5 * time.Second
	// callTimeout bounds one call of the store that nobody waits for.
	callTimeout = 4 * time.Second
)

// ErrLost means that a lease has been taken over by somebody else, or could not
// be renewed for so long that it may have been. It is also the cause of the
// context of a lost lease.
var ErrLost = errors.New("the lease was lost: somebody else may be working on it")

// Store keeps leases.
type Store interface {
	// AcquireLease makes holder the one that works on (kind, key), unless
	// somebody does: false.
	AcquireLease(ctx context.Context, tx linkspan.Tx, kind, key, holder string, ttl time.Duration) (linkspan.Lease, bool, error)
	// RenewLease lets a lease last for ttl from now, and reports whether it was
	// still the holder's.
	RenewLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, ttl time.Duration) (bool, error)
	// SetLeaseState notes how far the holder is, and reports whether the lease
	// was still the holder's.
	SetLeaseState(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, state string) (bool, error)
	// CheckLease reports whether a lease is the holder's, and keeps it that way
	// until the transaction ends.
	CheckLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error)
	// ReleaseLease gives a lease back, and reports whether it was still the
	// holder's.
	ReleaseLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error)
	// LapsedLeases returns leases of a kind whose holders let them lapse.
	LapsedLeases(ctx context.Context, tx linkspan.Tx, kind string, limit int) ([]linkspan.Lease, error)
}

// Keeper acquires leases for one process. It is safe for concurrent use.
type Keeper struct {
	store  Store
	holder string
	log    *slog.Logger
}

// NewKeeper returns a keeper for the process that holder names uniquely.
func NewKeeper(store Store, holder string, log *slog.Logger) *Keeper {
	return &Keeper{store: store, holder: holder, log: log}
}

// Acquire takes the lease on (kind, key), or reports false when somebody holds
// it. The lease renews itself until it is released, lost, or ctx ends; ctx is
// also the parent of Held.Context. Release it in any case.
func (k *Keeper) Acquire(ctx context.Context, kind, key string) (*Held, bool, error) {
	asked := time.Now()
	l, ok, err := k.store.AcquireLease(ctx, nil, kind, key, k.holder, ttl)
	if err != nil {
		return nil, false, fmt.Errorf("acquiring the lease %s %s: %w", kind, key, err)
	}
	if !ok {
		return nil, false, nil
	}
	h := &Held{store: k.store, log: k.log, lease: l}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	h.renewing.Go(func() { h.renew(asked) }) //nolint:contextcheck // it renews with the lease's own context
	return h, true, nil
}

// Held is a lease that this process holds. It is safe for concurrent use.
type Held struct {
	store Store
	log   *slog.Logger
	lease linkspan.Lease

	ctx      context.Context //nolint:containedctx // handed out by Context: it ends with the lease
	cancel   context.CancelCauseFunc
	renewing sync.WaitGroup
}

// Lease returns the lease as it was acquired, with what an earlier holder that
// let it lapse had noted.
func (h *Held) Lease() linkspan.Lease { return h.lease }

// Context returns a context that ends when the lease is released or lost; lost
// is told by the cause ErrLost.
func (h *Held) Context() context.Context { return h.ctx }

// Note records how far the work is, for whoever has to take over. The error is
// ErrLost when somebody has already.
func (h *Held) Note(ctx context.Context, state string) error {
	ok, err := h.store.SetLeaseState(ctx, nil, h.lease, state)
	return h.answer("noting progress under", ok, err)
}

// Check fails with ErrLost when the lease was taken over. When it succeeds in a
// transaction, nobody takes the lease over before the transaction ends.
func (h *Held) Check(ctx context.Context, tx linkspan.Tx) error {
	ok, err := h.store.CheckLease(ctx, tx, h.lease)
	return h.answer("checking", ok, err)
}

// Release stops the renewal and gives the lease back. It works even when ctx
// has ended. A lease that was lost already needs no giving back.
func (h *Held) Release(ctx context.Context) error {
	h.Abandon()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	if _, err := h.store.ReleaseLease(ctx, nil, h.lease); err != nil {
		return fmt.Errorf("releasing the lease %s %s: %w", h.lease.Kind, h.lease.Key, err)
	}
	return nil
}

// Abandon stops the renewal and leaves the lease to lapse with its note, which
// tells whoever takes over what became of the work.
func (h *Held) Abandon() {
	h.cancel(nil)
	h.renewing.Wait()
}

func (h *Held) answer(what string, ok bool, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s the lease %s %s: %w", what, h.lease.Kind, h.lease.Key, err)
	case !ok:
		h.cancel(ErrLost)
		return ErrLost
	default:
		return nil
	}
}

// renew keeps the lease alive until its context ends. until is what this
// process can be sure of: it counts from before each request, by its own clock.
func (h *Held) renew(asked time.Time) {
	until := asked.Add(ttl)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		ctx, cancel := context.WithTimeout(h.ctx, callTimeout)
		ok, err := h.store.RenewLease(ctx, nil, h.lease, ttl)
		cancel()
		switch {
		case err == nil && ok:
			until = asked.Add(ttl)
			continue
		case h.ctx.Err() != nil:
			return
		case err == nil:
			h.log.WarnContext(h.ctx, "a lease was taken over", "kind", h.lease.Kind, "key", h.lease.Key, "attempt", h.lease.Attempt)
			h.cancel(ErrLost)
			return
		}
		h.log.WarnContext(h.ctx, "renewing a lease failed", "kind", h.lease.Kind, "key", h.lease.Key, "error", err)
		if !time.Now().Add(renewEvery).Before(until) {
			// The next attempt would come after the lease has lapsed.
			h.cancel(ErrLost)
			return
		}
	}
}
