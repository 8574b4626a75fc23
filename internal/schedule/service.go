// Package schedule knows when syncs run. A sync is a sync function at work for
// one connection in one variant; its row says whether it runs by its schedule,
// when next, and what is known of its runs.
//
// A row of a sync is the lock for everything that concerns it: whoever starts,
// pauses or removes the sync, or asks for a run of it, holds the row and then
// looks at its runs. So a sync never has two runs at once, and none after it was
// removed. Locks are taken in this order everywhere: integration, function,
// connection, sync, run, stream of records.
package schedule

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/record"
	"github.com/linkspan/linkspan/internal/webhook"
)

// Webhooks tells the customer's backend what runs of syncs did;
// *webhook.Service does.
type Webhooks interface {
	AddSync(ctx context.Context, tx linkspan.Tx, e webhook.SyncEvent) error
}

// Records keeps the records of syncs; *record.Service does.
type Records interface {
	// Drop empties streams at once.
	Drop(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, streams []linkspan.RecordStream) error
	// DropConnection empties all streams of a connection.
	DropConnection(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, id linkspan.ConnectionID) error
	// Touch notes that a sync of the streams ran.
	Touch(ctx context.Context, tx linkspan.Tx, streams []linkspan.RecordStream) error
	// EndRun forgets what a run kept to find out what is gone.
	EndRun(ctx context.Context, tx linkspan.Tx, run linkspan.RunID) error
	// PassOn gives what a run keeps to the one that goes on where it was
	// interrupted.
	PassOn(ctx context.Context, tx linkspan.Tx, from, to linkspan.RunID) error
	// Live counts the records that are not deleted.
	Live(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connections []linkspan.ConnectionID) (map[linkspan.RecordStream]int64, error)
}

var _ Records = (*record.Service)(nil)

// Config holds what a Service needs.
type Config struct {
	Store    Store
	Tx       linkspan.Transactor
	Records  Records
	Webhooks Webhooks
	// Ops records operations. Nil records nothing.
	Ops *oplog.Log
	Log *slog.Logger
}

// Service keeps the schedules of syncs. It is safe for concurrent use.
type Service struct {
	store    Store
	tx       linkspan.Transactor
	records  Records
	webhooks Webhooks
	ops      *oplog.Log
	log      *slog.Logger

	// due wakes the loop of Run.
	due chan struct{}
}

// New returns a service. Run must run on some process for syncs to run by their
// schedules.
func New(c Config) *Service {
	return &Service{
		store: c.Store, tx: c.Tx, records: c.Records, webhooks: c.Webhooks, ops: c.Ops, log: c.Log,
		due: make(chan struct{}, 1),
	}
}

// wake has the loop look at once for what is due.
func (s *Service) wake() {
	select {
	case s.due <- struct{}{}:
	default: // it will look anyway
	}
}

// State is what people are told of how a sync is (wire contract §4.7).
type State string

// The states.
const (
	StateRunning State = "RUNNING"
	StatePaused  State = "PAUSED"
	// StateStopped is a sync that has no schedule and did not run.
	StateStopped State = "STOPPED"
	StateSuccess State = "SUCCESS"
	StateError   State = "ERROR"
)

// Status is what is known of a sync.
type Status struct {
	Sync  linkspan.Sync
	State State
	// Frequency is the one that counts, in its normal form. Empty: none.
	Frequency string
	// NextAt is when it runs next by its schedule. Zero: it does not.
	NextAt time.Time
	// FinishedAt is when the last run ended. Zero: none did.
	FinishedAt time.Time
	// Last is how the last run ended. Empty: none did.
	Last linkspan.RunState
	// Initial means that no run has succeeded so far, or none since a reset.
	Initial bool
	// Latest is what the last run changed, by model.
	Latest map[string]linkspan.RecordCounts
	// Records is how many records there are that are not deleted, by model.
	Records map[string]int64
	// Checkpoint is a JSON object. Nil: there is none.
	Checkpoint json.RawMessage
}
