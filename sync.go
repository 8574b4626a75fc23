package linkspan

import (
	"encoding/json"
	"time"
)

// BaseVariant is the variant that every sync has (features VAR-01).
const BaseVariant = "base"

// SyncState says whether a sync runs by its schedule.
type SyncState string

// The states of syncs.
const (
	SyncStarted SyncState = "started"
	SyncPaused  SyncState = "paused"
)

// Sync is a sync function at work for one connection in one variant (features
// SYNC-01): its schedule and what is known of its runs.
type Sync struct {
	ID            SyncID
	UUID          string
	EnvironmentID EnvironmentID
	ConnectionID  ConnectionID
	FunctionID    FunctionID
	Variant       string
	// Name, IntegrationKey, Provider, ConnectionName and ConnectionUUID are read
	// with the row for convenience, and so is Enabled, that of the function.
	Name, IntegrationKey, Provider, ConnectionName, ConnectionUUID string
	Enabled                                                        bool

	State SyncState
	// Frequency is this connection's own, as its user wrote it. Empty: the
	// function's counts.
	Frequency string
	// Every and Cron are the frequency that counts, one of them; both zero: the
	// sync has no schedule and runs only when asked to.
	Every time.Duration
	Cron  string
	// Anchor is the time from which runs are counted off in steps of Every. It
	// differs from sync to sync, so that not all are due at once.
	Anchor time.Time
	// NextAt is when it runs next by its schedule. Zero: never.
	NextAt time.Time
	// Again means that somebody asked for a run while one was under way: another
	// one follows it.
	Again bool
	// SucceededAt is when the last run that succeeded began (features SYNC-15).
	// Zero: none did.
	SucceededAt time.Time
	// UnannouncedSince is when the first of the failed runs began whose changes
	// were not announced, and Unannounced what they changed, by model. Zero: none.
	UnannouncedSince time.Time
	Unannounced      map[string]RecordCounts
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// RunCause is why a sync runs.
type RunCause string

// The causes of runs of syncs.
const (
	CauseSchedule RunCause = "schedule"
	// CauseStart is the first run after a sync was started, CauseTrigger one that
	// somebody asked for.
	CauseStart   RunCause = "start"
	CauseTrigger RunCause = "trigger"
	// CauseContinue goes on where a run was interrupted at its time limit.
	CauseContinue RunCause = "continue"
)

// RunLane says with which others a run competes for room: syncs may take hours,
// and must not keep what somebody waits for.
type RunLane int

// The lanes.
const (
	// LaneQuick is for asynchronous actions and functions at events.
	LaneQuick RunLane = 0
	// LaneSync is for syncs.
	LaneSync RunLane = 1
)

// RunSync is what a Run has besides when it is that of a sync.
type RunSync struct {
	ID      SyncID
	Variant string
	Cause   RunCause
	// From and To are the checkpoints it began and ended with, JSON objects. Nil:
	// there was none.
	From, To json.RawMessage
	// Progress is the version of the checkpoint when the run was claimed last, and
	// Stalls how often in a row it was taken up again without having moved it.
	Progress int64
	Stalls   int
	// Interrupted means that the run ended at its time limit, after saving a
	// checkpoint; another one goes on from there.
	Interrupted bool
	// Counts are the changes to records so far, by model.
	Counts map[string]RecordCounts
}
