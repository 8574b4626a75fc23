package store

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
)

const (
	// longestLease is how long a lease that is not renewed lasts at most.
	longestLease = 15 * time.Second
	// longestLock is how long a function's lock does: nango.tryAcquireLock takes no
	// more.
	longestLock = 24 * time.Hour
)

// FollowClock has nothing wait for times that the database's clock shows once more
// after it was put back: what waits to run is due now, and so is what waits for its
// first delivery; leases of the dead lapse as soon as others do, while those of the
// living are renewed; locks of functions last no longer than any may. Deliveries that
// failed before stay where they are: their pauses spare the receiver. What somebody is
// changing is passed over: they know the time.
func (s *Store) FollowClock(ctx context.Context, tx linkspan.Tx) error {
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		for _, held := range []struct {
			table, key, until string
			longest           time.Duration
		}{
			{"runs", "id", "lease_until", longestLease},
			{"webhook_deliveries", "id", "lease_until", longestLease},
			{"author_jobs", "id", "lease_until", longestLease},
			{"leases", "kind, key", "lease_until", longestLease},
			{"function_locks", "environment_id, key", "until", longestLock},
		} {
			end := s.dialect.now + " + $1"
			if _, err := t.exec(ctx, "update "+held.table+" set "+held.until+" = "+end+" where ("+held.key+") in (select "+held.key+" from "+held.table+
				" where "+held.until+" > "+end+s.dialect.skipLocked+")", held.longest.Microseconds()); err != nil {
				return err
			}
		}
		for _, wait := range []struct {
			table, where string
			due          linkspan.ChangeKind
		}{
			{"runs", "state = 'waiting'", linkspan.ChangeRunsDue},
			// Those that somebody has claimed, to whom their time was due, as well.
			{"webhook_deliveries", "state = 'pending' and (attempts = 0 or lease_until is not null)", linkspan.ChangeWebhooksDue},
		} {
			n, err := t.exec(ctx, "update "+wait.table+" set next_at = "+s.dialect.now+" where id in (select id from "+wait.table+" where "+wait.where+
				" and next_at > "+s.dialect.now+s.dialect.skipLocked+")")
			if err != nil {
				return err
			}
			if n > 0 {
				t.changed(wait.due, 0, "")
			}
		}
		return nil
	})
	return wrap("FollowClock", err)
}
