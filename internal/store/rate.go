package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// maxRateRows bounds the rows of one statement: databases bound its parameters.
const maxRateRows = 1000

// AddRateCounts adds to the shared counters and returns what they are then, in
// no particular order; counts of the same counter are summed up first.
func (s *Store) AddRateCounts(ctx context.Context, tx linkspan.Tx, counts []linkspan.RateCount) ([]linkspan.RateCount, error) {
	sums := sumCounts(counts)
	var totals []linkspan.RateCount
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		totals = make([]linkspan.RateCount, 0, len(sums))
		for rows := range slices.Chunk(sums, maxRateRows) {
			after, err := addRateRows(ctx, t, rows)
			if err != nil {
				return err
			}
			totals = append(totals, after...)
		}
		return nil
	})
	return totals, wrap("AddRateCounts", err)
}

// addRateRows adds to distinct counters in one statement.
func addRateRows(ctx context.Context, t *txn, rows []linkspan.RateCount) ([]linkspan.RateCount, error) {
	const width = 4
	args := make([]any, 0, width*len(rows))
	places := make([]string, 0, len(rows))
	for _, c := range rows {
		n := len(args)
		places = append(places, fmt.Sprintf("($%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4))
		args = append(args, int64(c.AccountID), c.Bucket, micros(c.Window), c.N)
	}
	return all(ctx, t, scanRateCount, "insert into rate_counts (account_id, bucket, window_at, n) values "+strings.Join(places, ", ")+`
		on conflict (account_id, bucket, window_at) do update set n = rate_counts.n + excluded.n
		returning account_id, bucket, window_at, n`, args...)
}

func scanRateCount(s scanner) (c linkspan.RateCount, err error) {
	err = s.Scan(&c.AccountID, &c.Bucket, timeInto{&c.Window}, &c.N)
	return c, err
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
