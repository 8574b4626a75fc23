package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
)

// AcquireLease makes holder the one that works on (kind, key) for ttl by the
// database's clock, unless somebody holds it: false. The lease carries what an
// earlier holder that let it lapse had noted.
func (s *Store) AcquireLease(ctx context.Context, tx linkspan.Tx, kind, key, holder string, ttl time.Duration) (linkspan.Lease, bool, error) {
	lease := linkspan.Lease{Kind: kind, Key: key, Holder: holder}
	if holder == "" {
		return lease, false, errors.New("store.AcquireLease: a lease needs a holder")
	}
	now := s.dialect.now
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		_, err := one(ctx, t, func(r scanner) (struct{}, error) {
			return struct{}{}, r.Scan(&lease.Attempt, timeInto{&lease.Until}, &lease.State, &lease.TakenOver)
		}, `
			insert into leases (kind, key, holder, attempt, lease_until, state, taken_over)
			values ($1, $2, $3, 1, `+now+` + $4, '', false)
			on conflict (kind, key) do update set holder = excluded.holder, attempt = leases.attempt + 1,
				lease_until = excluded.lease_until, taken_over = (leases.holder <> '')
			where leases.holder = '' or leases.lease_until <= `+now+`
			returning attempt, lease_until, state, taken_over`, kind, key, holder, ttl.Microseconds())
		return err
	})
	if errors.Is(err, errNoRow) {
		return lease, false, nil
	}
	return lease, err == nil, wrap("AcquireLease", err)
}

// holds selects the row of a lease while it is still the holder's: until
// somebody else has taken it over, even if it has lapsed.
const holdsLease = " where kind = $1 and key = $2 and holder = $3 and attempt = $4"

func holdsArgs(l linkspan.Lease, more ...any) []any {
	return append([]any{l.Kind, l.Key, l.Holder, l.Attempt}, more...)
}

// RenewLease lets a lease last for ttl from now, and reports whether it was
// still the holder's.
func (s *Store) RenewLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, ttl time.Duration) (bool, error) {
	return s.changeLease(ctx, tx, "RenewLease", "lease_until = "+s.dialect.now+" + $5", holdsArgs(l, ttl.Microseconds()))
}

// SetLeaseState notes how far the holder is, for whoever takes over, and
// reports whether the lease was still the holder's.
func (s *Store) SetLeaseState(ctx context.Context, tx linkspan.Tx, l linkspan.Lease, state string) (bool, error) {
	return s.changeLease(ctx, tx, "SetLeaseState", "state = $5", holdsArgs(l, state))
}

// ReleaseLease gives a lease back and forgets what was noted. It reports
// whether the lease was still the holder's.
func (s *Store) ReleaseLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error) {
	return s.changeLease(ctx, tx, "ReleaseLease", "holder = '', state = '', lease_until = "+s.dialect.now, holdsArgs(l))
}

func (s *Store) changeLease(ctx context.Context, tx linkspan.Tx, op, set string, args []any) (bool, error) {
	var n int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) (err error) {
		n, err = t.exec(ctx, "update leases set "+set+holdsLease, args...)
		return err
	})
	return n > 0, wrap(op, err)
}

// CheckLease reports whether a lease is still the holder's. In a transaction
// the answer holds until it ends: nobody can take the lease over before.
func (s *Store) CheckLease(ctx context.Context, tx linkspan.Tx, l linkspan.Lease) (bool, error) {
	lock := ""
	if tx != nil {
		lock = s.dialect.forUpdate
	}
	_, err := one(ctx, s.read(tx), value[int64], "select attempt from leases"+holdsLease+lock, holdsArgs(l)...)
	if errors.Is(err, errNoRow) {
		return false, nil
	}
	return err == nil, wrap("CheckLease", err)
}

// LapsedLeases returns at most limit leases of a kind that were neither
// released nor renewed in time, those first that lapsed first.
func (s *Store) LapsedLeases(ctx context.Context, tx linkspan.Tx, kind string, limit int) ([]linkspan.Lease, error) {
	leases, err := all(ctx, s.read(tx), func(r scanner) (l linkspan.Lease, err error) {
		return l, r.Scan(&l.Kind, &l.Key, &l.Holder, &l.Attempt, timeInto{&l.Until}, &l.State, &l.TakenOver)
	}, "select kind, key, holder, attempt, lease_until, state, taken_over from leases where kind = $1 and holder <> '' and lease_until <= "+
		s.dialect.now+" order by lease_until limit $2", kind, limit)
	if err != nil {
		return nil, wrap("LapsedLeases", fmt.Errorf("kind %s: %w", kind, err))
	}
	return leases, nil
}
