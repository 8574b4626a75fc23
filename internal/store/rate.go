package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/linkspan/linkspan"
)

// AddRateCounts adds to the shared counters and returns what they are then, in
// no particular order; counts of the same counter are summed up first.
func (s *Store) AddRateCounts(ctx context.Context, tx linkspan.Tx, counts []linkspan.RateCount) ([]linkspan.RateCount, error) {
	sums := sumCounts(counts)
	var totals []linkspan.RateCount
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		totals = make([]linkspan.RateCount, 0, len(sums))
		for _, c := range sums {
			n, err := one(ctx, t, value[int64], `
				insert into rate_counts (account_id, bucket, window_at, n) values ($1, $2, $3, $4)
				on conflict (account_id, bucket, window_at) do update set n = rate_counts.n + excluded.n
				returning n`, int64(c.AccountID), c.Bucket, micros(c.Window), c.N)
			if err != nil {
				return err
			}
			c.N = n
			totals = append(totals, c)
		}
		return nil
	})
	return totals, wrap("AddRateCounts", err)
}

// sumCounts returns one count for each counter in an order that all writers
// share, so that they cannot wait for each other in a circle.
func sumCounts(counts []linkspan.RateCount) []linkspan.RateCount {
	sorted := slices.SortedFunc(slices.Values(counts), compareCounters)
	var sums []linkspan.RateCount
	for _, c := range sorted {
		if n := len(sums); n > 0 && compareCounters(sums[n-1], c) == 0 {
			sums[n-1].N += c.N
			continue
		}
		sums = append(sums, c)
	}
	return sums
}

func compareCounters(a, b linkspan.RateCount) int {
	return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Bucket, b.Bucket), a.Window.Compare(b.Window))
}

// PurgeRateCounts removes the counters of windows that began before the given
// time.
func (s *Store) PurgeRateCounts(ctx context.Context, tx linkspan.Tx, before time.Time) error {
	_, err := s.purge(ctx, tx, "delete from rate_counts where window_at < $1", micros(before))
	return wrap("PurgeRateCounts", err)
}
