package store

import "context"

// AllInOrder returns the numbers that a query finds, run as reads are that must follow
// an index. FirstInOrder reads the first one only.
func (s *Store) AllInOrder(ctx context.Context, query string) (found []int64, err error) {
	err = s.ordered(ctx, nil, func(ctx context.Context, q queryer) (err error) {
		found, err = all(ctx, q, value[int64], query)
		return err
	})
	return found, err
}

// FirstInOrder is AllInOrder for one number.
func (s *Store) FirstInOrder(ctx context.Context, query string) (first int64, err error) {
	err = s.ordered(ctx, nil, func(ctx context.Context, q queryer) (err error) {
		first, err = one(ctx, q, value[int64], query)
		return err
	})
	return first, err
}

// PlanOfConnectionsWithoutSync is how PostgreSQL would look for them.
func (s *Store) PlanOfConnectionsWithoutSync(ctx context.Context) ([]string, error) {
	return all(ctx, s.read(nil), value[string], "explain "+connectionsWithoutSync, 1, 1, 0, 1, 100)
}
