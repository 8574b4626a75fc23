// Package change keeps the caches of all replicas honest. Every change of a
// key, an integration or a connection writes a numbered row in its own
// transaction; each replica reads the rows it has not seen, at once when the
// database can notify and every 400 ms otherwise, and drops what they
// name. A replica that has not managed to read for five seconds answers
// nothing from its caches (ARCHITECTURE.md, "Caches and staleness").
package change

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// pollEvery bounds how stale a cache may be when notifications are not
	// available; the promise is one second.
	pollEvery = 400 * time.Millisecond
	// readTimeout bounds one read of the change rows.
	readTimeout = 2 * time.Second
	// staleAfter is how long a replica may be unable to read before it stops
	// trusting its caches.
	staleAfter = 5 * time.Second
	// readLimit is how many changes one read returns at most.
	readLimit = 1000
)

// Store reads the change rows.
type Store interface {
	// LatestChange returns the highest sequence number, 0 when there is none.
	LatestChange(ctx context.Context) (int64, error)
	// ChangesSince returns at most limit changes with a number above seq, in
	// order. When rows after seq were already purged, the first result is of
	// kind linkspan.ChangeLost and carries the number to go on from.
	ChangesSince(ctx context.Context, seq int64, limit int) ([]linkspan.Change, error)
	// Notifications returns a channel that gets a value when changes may have
	// been committed; it is closed when ctx ends. Spurious and missed values
	// are both harmless. Nil means that only polling is possible.
	Notifications(ctx context.Context) <-chan struct{}
}

// Feed reads the changes and hands them to subscribers. Make it with NewFeed
// and run it with Run.
type Feed struct {
	store Store
	log   *slog.Logger

	mu          sync.Mutex
	subscribers []func(linkspan.Change)

	// lastRead is when the last successful read began; nil: there was none.
	lastRead atomic.Pointer[time.Time]
	failing  bool // touched by Run only
}

// NewFeed returns a feed over the store.
func NewFeed(store Store, log *slog.Logger) *Feed {
	return &Feed{store: store, log: log}
}

// Subscribe registers f for every change from now on. It must be called before
// Run, returns quickly and must not block.
func (f *Feed) Subscribe(fn func(linkspan.Change)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers = append(f.subscribers, fn)
}

// Fresh reports whether the caches may be trusted: the change rows were read
// within the last five seconds, by the wall clock, which goes on while the
// machine sleeps, and by the monotonic one, which nobody sets back.
func (f *Feed) Fresh() bool {
	last := f.lastRead.Load()
	if last == nil {
		return false
	}
	now := time.Now()
	return now.Sub(*last) < staleAfter && now.Round(0).Sub(last.Round(0)) < staleAfter
}

// Check is Fresh as an error that tells the caller what to do.
func (f *Feed) Check() error {
	if f.Fresh() {
		return nil
	}
	if f.lastRead.Load() == nil {
		return linkspan.E("change.Check", linkspan.KindUnavailable, "unavailable", nil, "The server is starting.").
			WithHint("Try again in a second.")
	}
	return linkspan.E("change.Check", linkspan.KindUnavailable, "unavailable", nil,
		"The server has lost contact with its database and can't tell whether keys and connections are still valid.").
		WithHint("Try again in a few seconds.")
}

// Run reads changes until ctx ends. It returns an error only if the starting
// point can't be read.
func (f *Feed) Run(ctx context.Context) error {
	started := time.Now()
	seq, err := f.store.LatestChange(ctx)
	if err != nil {
		return err
	}
	// Whatever was cached before the starting point was known is suspect.
	f.publish(linkspan.Change{Seq: seq, Kind: linkspan.ChangeLost})
	f.lastRead.Store(&started)
	wake := f.store.Notifications(ctx)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case _, ok := <-wake:
			if !ok {
				wake = nil
			}
		}
		seq = f.catchUp(ctx, seq)
	}
}

// catchUp reads until nothing is left and returns the new position.
func (f *Feed) catchUp(ctx context.Context, seq int64) int64 {
	for {
		readCtx, cancel := context.WithTimeout(ctx, readTimeout)
		started := time.Now()
		changes, err := f.store.ChangesSince(readCtx, seq, readLimit)
		cancel()
		if err != nil {
			if ctx.Err() == nil && !f.failing {
				f.failing = true
				f.log.WarnContext(ctx, "reading the change rows failed; caches close after five seconds", "error", err)
			}
			return seq
		}
		if f.failing {
			f.failing = false
			f.log.InfoContext(ctx, "reading the change rows works again")
		}
		for _, c := range changes {
			f.publish(c)
			seq = c.Seq
		}
		f.lastRead.Store(&started)
		if len(changes) < readLimit {
			return seq
		}
	}
}

func (f *Feed) publish(c linkspan.Change) {
	f.mu.Lock()
	subscribers := f.subscribers
	f.mu.Unlock()
	for _, fn := range subscribers {
		fn(c)
	}
}

// Local hands a change committed by this very process to the subscribers at
// once, so that a caller reads its own writes. The feed delivers it again when
// it reads the row, which is harmless.
func (f *Feed) Local(c linkspan.Change) { f.publish(c) }
