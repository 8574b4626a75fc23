package record

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/linkspan/linkspan"
)

// Store is the part of package store that records need.
type Store interface {
	linkspan.Transactor

	// HoldRun fails with KindConflict unless the fence's run may write, and keeps
	// that so until the transaction ends; CountRun adds to what it has changed.
	HoldRun(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error
	CountRun(ctx context.Context, tx linkspan.Tx, run linkspan.RunID, model string, c linkspan.RecordCounts) error

	RecordKey(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Secret, error)

	RecordStream(ctx context.Context, tx linkspan.Tx, st linkspan.RecordStream) (linkspan.RecordStreamRow, error)
	LockRecordStream(ctx context.Context, tx linkspan.Tx, st linkspan.RecordStream, create bool) (linkspan.RecordStreamRow, error)
	SaveRecordStream(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow) error
	TouchRecordStreams(ctx context.Context, tx linkspan.Tx, streams []linkspan.RecordStream) error
	DropRecordStreams(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, streams []linkspan.RecordStream) error
	DropConnectionRecords(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID) error
	DropIdleRecordStreams(ctx context.Context, tx linkspan.Tx, idleFor time.Duration, limit int) (int, error)
	RecordStreamsToPrune(ctx context.Context, tx linkspan.Tx, olderThan time.Duration, after int64, limit int) (streams []linkspan.RecordStream, next int64, err error)
	LiveRecords(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connections []linkspan.ConnectionID) (map[linkspan.RecordStream]int64, error)

	RecordRows(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, ids []string, payloads bool) ([]linkspan.RecordRow, error)
	PutRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, rows []linkspan.RecordRow) error
	DeleteRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, run linkspan.RunID, moves []linkspan.RecordMove) error
	PruneRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, until linkspan.RecordPosition, limit int) (int, error)
	Records(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, f linkspan.RecordFilter) ([]linkspan.Record, linkspan.RecordPosition, error)
	PurgeRecords(ctx context.Context, limit int) (int, error)

	OpenRecordWindow(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, run linkspan.RunID) (linkspan.RecordWindow, error)
	MarkRecordsSeen(ctx context.Context, tx linkspan.Tx, w linkspan.RecordWindow, ids []string) error
	UnseenRecords(ctx context.Context, tx linkspan.Tx, s *linkspan.RecordStreamRow, w linkspan.RecordWindow, after linkspan.RecordPosition, limit int) (unseen []linkspan.Record, next linkspan.RecordPosition, err error)
	EndRecordWindow(ctx context.Context, tx linkspan.Tx, w linkspan.RecordWindow) error
	EndRunWindows(ctx context.Context, tx linkspan.Tx, run linkspan.RunID) error
	MoveRunWindows(ctx context.Context, tx linkspan.Tx, from, to linkspan.RunID) error
}

// Service reads and writes records. It is safe for concurrent use.
type Service struct {
	store Store
	// deleteBatch is how many unseen records go in one transaction.
	deleteBatch int
	// updateBytes is about how much of what is stored an update has in memory,
	// byIDsBytes how much is read by ids at a time.
	updateBytes, byIDsBytes int
	// walk is how many records a page of those with some actions looks at.
	walk int

	mu   sync.RWMutex
	keys map[linkspan.EnvironmentID][]byte // of the hashes
}

// deleteBatch bounds how long a deletion keeps others from writing.
const deleteBatch = 1000

const (
	updateBytes = 8 << 20
	byIDsBytes  = 32 << 20
)

// walk bounds how long a page takes of which there is little, to about 50 ms.
const walk = 25_000

// New returns a Service.
func New(store Store) *Service {
	return &Service{store: store, deleteBatch: deleteBatch, updateBytes: updateBytes, byIDsBytes: byIDsBytes, walk: walk, keys: make(map[linkspan.EnvironmentID][]byte)}
}

// cachedKeys bounds how many environments' keys are kept in memory.
const cachedKeys = 10_000

// key returns the key of an environment's hashes.
func (s *Service) key(ctx context.Context, env linkspan.EnvironmentID) ([]byte, error) {
	s.mu.RLock()
	key := s.keys[env]
	s.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	stored, err := s.store.RecordKey(ctx, nil, env)
	if err != nil {
		return nil, fmt.Errorf("reading the key of record hashes: %w", err)
	}
	key = []byte(stored.Reveal())
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) >= cachedKeys {
		clear(s.keys)
	}
	s.keys[env] = key
	return key, nil
}

// Position returns that of the newest change to a stream; zero when there was
// none.
func (s *Service) Position(ctx context.Context, st linkspan.RecordStream) (linkspan.RecordPosition, error) {
	row, err := s.store.RecordStream(ctx, nil, st)
	if linkspan.KindOf(err) == linkspan.KindNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the position of a stream: %w", err)
	}
	return row.Last, nil
}

// Touch notes that a sync of the streams ran. It is part of the caller's
// transaction.
func (s *Service) Touch(ctx context.Context, tx linkspan.Tx, streams []linkspan.RecordStream) error {
	if len(streams) == 0 {
		return nil
	}
	if err := s.store.TouchRecordStreams(ctx, tx, streams); err != nil {
		return fmt.Errorf("noting that a sync ran: %w", err)
	}
	return nil
}

// Live returns how many records of each stream of the connections are not
// deleted. Streams that never had a record may be missing.
func (s *Service) Live(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connections []linkspan.ConnectionID) (map[linkspan.RecordStream]int64, error) {
	if len(connections) == 0 {
		return map[linkspan.RecordStream]int64{}, nil
	}
	live, err := s.store.LiveRecords(ctx, tx, env, connections)
	if err != nil {
		return nil, fmt.Errorf("counting records: %w", err)
	}
	return live, nil
}
