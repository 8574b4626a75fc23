package store

import (
	"context"
	"time"

	"github.com/linkspan/linkspan"
)

// PurgeDeleted removes for good at most limit connections, integrations and
// environments each that were deleted before the given time, and leases that
// nobody has held since. It returns how many rows it removed; call it again
// while that is limit or more.
func (s *Store) PurgeDeleted(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error) {
	var total int64
	err := s.write(ctx, tx, func(ctx context.Context, t *txn) error {
		total = 0
		skip := s.dialect.skipLocked
		for _, query := range []string{
			"delete from connections where id in (select id from connections where deleted_at < $1 order by deleted_at limit $2" + skip + ")",
			// Parents go when nothing refers to them any more.
			`delete from integrations where id in (select i.id from integrations i where i.deleted_at < $1
				and not exists (select 1 from connections c where c.integration_id = i.id)
				order by i.deleted_at limit $2` + skip + ")",
			`delete from environments where id in (select e.id from environments e where e.deleted_at < $1
				and not exists (select 1 from integrations i where i.environment_id = e.id)
				and not exists (select 1 from connections c where c.environment_id = e.id)
				order by e.deleted_at limit $2` + skip + ")",
			`delete from leases where holder = '' and lease_until < $1 and (kind, key) in (
				select kind, key from leases where holder = '' and lease_until < $1 order by lease_until limit $2` + skip + ")",
		} {
			n, err := t.exec(ctx, query, micros(before), limit)
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	return int(total), wrap("PurgeDeleted", err)
}
