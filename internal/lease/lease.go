// Package lease gives one process at a time the right to work on something: a
// refresh, later a run or a delivery. A lease lasts fifteen seconds and renews
// itself every five; a process that dies lets it lapse, and whoever takes over
// reads what the dead one had noted. Attempt numbers rise with every
// acquisition and fence writes. The database's clock decides, so replicas need
// not agree on the time.
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
	// ttl is how long a lease lasts after its last renewal.
	ttl = 15 * time.Second
	// renewEvery leaves two tries before a lease lapses.
	renewEvery = 5 * time.Second
	// renewTimeout bounds one renewal.
	renewTimeout = 4 * time.Second
)

// ErrLost means that the lease lapsed and somebody else took it over, or that
// it was released: the holder must not write any more.
var ErrLost = errors.New("lease: lost to another holder")

// Store keeps leases in the database.
type Store interface {
	// AcquireLease makes holder the one that works on (kind, key) for d, unless
	// somebody else holds it: then it reports false.
	AcquireLease(ctx context.Context, tx linkspan.Tx, kind, key, holder string, d time.Duration) (linkspan.Lease, bool, error)
	// RenewLease prolongs a lease and reports whether it was still the holder's.
	RenewLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, d time.Duration) (bool, error)
	// SetLeaseState notes the holder's progress and reports whether the lease
	// was still the holder's.
	SetLeaseState(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, state string) (bool, error)
	// CheckLease locks the row in the transaction and reports whether the lease
	// is still the holder's.
	CheckLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error)
	// ReleaseLease gives a lease back and reports whether it was still the
	// holder's.
	ReleaseLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error)
	// LapsedLeases returns at most limit leases of a kind whose time is up and
	// which nobody has taken over.
	LapsedLeases(ctx context.Context, tx linkspan.Tx, kind string, limit int) ([]linkspan.Lease, error)
}

// Keeper acquires leases for one process.
type Keeper struct {
	store  Store
	holder string
	log    *slog.Logger
}

// NewKeeper returns a keeper. The holder names this process and must differ
// between processes, restarts included.
func NewKeeper(store Store, holder string, log *slog.Logger) *Keeper {
	return &Keeper{store: store, holder: holder, log: log}
}

// Acquire takes the lease, or reports false when somebody else holds it. A
// lease that was taken must be ended with Release or Abandon.
func (k *Keeper) Acquire(ctx context.Context, kind, key string) (*Held, bool, error) {
	l, ok, err := k.store.AcquireLease(ctx, nil, kind, key, k.holder, ttl)
	if err != nil {
		return nil, false, fmt.Errorf("acquiring the lease %s of %s: %w", kind, key, err)
	}
	if !ok {
		return nil, false, nil
	}
	// Values of the caller's context are kept; its end is not the lease's.
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	h := &Held{store: k.store, log: k.log, lease: l, ctx: own, cancel: cancel, done: make(chan struct{})}
	go h.renew()
	return h, true, nil
}

// Held is a lease that this process holds. It renews itself until it is ended.
type Held struct {
	store  Store
	log    *slog.Logger
	lease  linkspan.Lease
	ctx    context.Context //nolint:containedctx // it is the lease's own life, handed out by Context
	cancel context.CancelCauseFunc
	done   chan struct{}
	end    sync.Once
}

// errEnded ends the context of a lease that its holder gave back.
var errEnded = errors.New("lease: ended by its holder")

// Lease returns the lease as it was acquired.
func (h *Held) Lease() linkspan.Lease { return h.lease }

// Context is cancelled, with ErrLost as its cause, when the lease is lost, and
// also when it is ended.
func (h *Held) Context() context.Context { return h.ctx }

// Note writes down how far the work is, for whoever takes over.
func (h *Held) Note(ctx context.Context, state string) error {
	ok, err := h.store.SetLeaseState(ctx, nil, h.lease, state)
	if err != nil {
		return fmt.Errorf("noting progress on the lease %s of %s: %w", h.lease.Kind, h.lease.Key, err)
	}
	return h.expect(ok)
}

// Check is the fence: it locks the lease's row in the transaction and returns
// ErrLost when the lease is somebody else's, so that the transaction must not
// commit.
func (h *Held) Check(ctx context.Context, tx linkspan.Tx) error {
	ok, err := h.store.CheckLease(ctx, tx, h.lease)
	if err != nil {
		return fmt.Errorf("checking the lease %s of %s: %w", h.lease.Kind, h.lease.Key, err)
	}
	return h.expect(ok)
}

// expect turns a lost lease into ErrLost and stops the work.
func (h *Held) expect(ok bool) error {
	if ok {
		return nil
	}
	h.cancel(ErrLost)
	return ErrLost
}

// Release gives the lease back, with what was noted. It returns ErrLost when it
// was lost before.
func (h *Held) Release(ctx context.Context) error {
	h.stop()
	ok, err := h.store.ReleaseLease(ctx, nil, h.lease)
	if err != nil {
		return fmt.Errorf("releasing the lease %s of %s: %w", h.lease.Kind, h.lease.Key, err)
	}
	if !ok {
		return ErrLost
	}
	return nil
}

// Abandon stops renewing and leaves the lease to lapse, with its note for
// whoever comes next.
func (h *Held) Abandon() { h.stop() }

// stop ends the renewals and waits for a running one.
func (h *Held) stop() {
	h.end.Do(func() { h.cancel(errEnded) })
	<-h.done
}

// renew prolongs the lease until its context ends.
func (h *Held) renew() {
	defer close(h.done)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(h.ctx, renewTimeout)
		ok, err := h.store.RenewLease(ctx, nil, h.lease, ttl)
		cancel()
		switch {
		case h.ctx.Err() != nil:
			return
		case err != nil:
			// The next tick tries again; whether the lease lapsed meanwhile is
			// for the database to say.
			h.log.WarnContext(h.ctx, "renewing a lease failed", "error", err, "kind", h.lease.Kind, "key", h.lease.Key)
		case !ok:
			h.cancel(ErrLost)
			return
		}
	}
}
