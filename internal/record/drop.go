package record

import (
	"context"
	"fmt"
	"time"

	"github.com/linkspan/linkspan"
)

// Prune empties the payloads of at most limit records that were changed at a
// position or before, and reports whether there are more. The records keep their
// positions: nobody is told of them again.
func (s *Service) Prune(ctx context.Context, st linkspan.RecordStream, until linkspan.RecordPosition, limit int) (n int, more bool, err error) {
	n, more, err = s.prune(ctx, st, limit, func(*linkspan.RecordStreamRow) linkspan.RecordPosition { return until })
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("pruning records: %w", err)
	}
	return n, more, nil
}

func (s *Service) prune(ctx context.Context, st linkspan.RecordStream, limit int, until func(*linkspan.RecordStreamRow) linkspan.RecordPosition) (n int, more bool, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error {
		stream, err := s.store.LockRecordStream(ctx, tx, st, false)
		if err != nil {
			return err
		}
		end := min(until(&stream), stream.Last)
		n, err = s.store.PruneRecords(ctx, tx, &stream, end, limit)
		more = stream.Pruned < end
		return err
	})
	return n, more, err
}

// PruneOld empties the payloads of all records that have not changed for so long, at
// most limit in one transaction, and returns how many. It looks at each stream once.
func (s *Service) PruneOld(ctx context.Context, olderThan time.Duration, limit int) (int, error) {
	total := 0
	for after := int64(0); ; {
		const streams = 100
		found, next, err := s.store.RecordStreamsToPrune(ctx, nil, olderThan, after, streams)
		if err != nil {
			return total, fmt.Errorf("finding old records: %w", err)
		}
		for _, st := range found {
			n, err := s.pruneOld(ctx, st, olderThan, limit)
			if total += n; err != nil && linkspan.KindOf(err) != linkspan.KindNotFound {
				return total, fmt.Errorf("pruning old records: %w", err)
			}
		}
		if after = next; next == 0 {
			return total, nil
		}
	}
}

// pruneOld is PruneOld for one stream.
func (s *Service) pruneOld(ctx context.Context, st linkspan.RecordStream, olderThan time.Duration, limit int) (total int, err error) {
	for more := true; more && err == nil; {
		var n int
		n, more, err = s.prune(ctx, st, limit, func(s *linkspan.RecordStreamRow) linkspan.RecordPosition {
			return s.Clock - linkspan.RecordPosition(olderThan.Microseconds())
		})
		total += n
	}
	return total, err
}

// Drop empties streams at once, as part of the caller's transaction. Records that
// are saved later continue behind the positions there were: a reader's cursor
// stays valid, and finds all of them. Windows of the streams end.
func (s *Service) Drop(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, streams []linkspan.RecordStream) error {
	if len(streams) == 0 {
		return nil
	}
	if err := s.store.DropRecordStreams(ctx, tx, env, streams); err != nil {
		return fmt.Errorf("emptying records: %w", err)
	}
	return nil
}

// DropConnection empties all streams of a connection, as Drop does.
func (s *Service) DropConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID) error {
	if err := s.store.DropConnectionRecords(ctx, tx, env, connection); err != nil {
		return fmt.Errorf("emptying the records of a connection: %w", err)
	}
	return nil
}

// DropIdle empties at most limit streams of which no sync ran for so long, and
// returns how many.
func (s *Service) DropIdle(ctx context.Context, idleFor time.Duration, limit int) (int, error) {
	n, err := s.store.DropIdleRecordStreams(ctx, nil, idleFor, limit)
	if err != nil {
		return n, fmt.Errorf("emptying idle records: %w", err)
	}
	return n, nil
}

// PurgeDropped removes for good at most about limit rows that nobody can reach any
// more: records of dropped streams, notes of windows that ended. It returns how
// many; fewer than limit: there are no more.
func (s *Service) PurgeDropped(ctx context.Context, limit int) (int, error) {
	n, err := s.store.PurgeRecords(ctx, limit)
	if err != nil {
		return n, fmt.Errorf("removing dropped records: %w", err)
	}
	return n, nil
}
