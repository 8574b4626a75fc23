package schedule

import (
	"time"

	"github.com/linkspan/linkspan"
)

// Begun is what a run of a sync begins with.
type Begun struct {
	Sync linkspan.Sync
	// Checkpoint is the newest one; its Version is 0 if there is none.
	Checkpoint linkspan.Checkpoint
	// LastSync is when the last run began that succeeded. Zero: none did.
	LastSync time.Time
}

// End is a run of a sync that has ended.
type End struct {
	// Run has the state, the error and, in Sync, the checkpoints and counts that it
	// ends with.
	Run *linkspan.Run
	// Function is what was executed. Zero: the run failed before it was found.
	Function linkspan.Function
	// StartedAt is when the run began, by the database's clock.
	StartedAt time.Time
}
