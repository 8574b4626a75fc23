package linkspan

import "time"

// RecordAction is what was last done to a record (features REC-05).
type RecordAction string

// The actions.
const (
	RecordAdded   RecordAction = "ADDED"
	RecordUpdated RecordAction = "UPDATED"
	RecordDeleted RecordAction = "DELETED"
)

// RecordStream names the records of one model that one connection has in one
// variant (features REC-01).
type RecordStream struct {
	EnvironmentID EnvironmentID
	ConnectionID  ConnectionID
	Model         string
	Variant       string
}

// RecordPosition is a place in the order in which the records of a stream
// changed: the time of the change in microseconds since 1970, which no two
// records of a stream share. Zero is before all of them.
type RecordPosition int64

// Record is an object of a provider in the records cache.
type Record struct {
	// ID is the provider's, unique in the stream.
	ID string
	// Payload is the JSON object as it was saved last. Zero: it was pruned.
	Payload Secret
	Action  RecordAction
	// FirstSeenAt is when it was added, for the first time.
	FirstSeenAt time.Time
	// Position is when it was changed last.
	Position RecordPosition
	// DeletedAt is zero unless it is deleted, PrunedAt unless its payload was
	// emptied.
	DeletedAt, PrunedAt time.Time
}

// RecordCounts counts changes to records. The names in JSON are stored.
type RecordCounts struct {
	// Added includes records that were deleted and came back.
	Added     int64 `json:"added"`
	Updated   int64 `json:"updated"`
	Deleted   int64 `json:"deleted"`
	Unchanged int64 `json:"unchanged,omitempty"`
}

// Plus returns the sums.
func (c RecordCounts) Plus(d RecordCounts) RecordCounts {
	return RecordCounts{Added: c.Added + d.Added, Updated: c.Updated + d.Updated, Deleted: c.Deleted + d.Deleted, Unchanged: c.Unchanged + d.Unchanged}
}

// Changed reports whether anything was changed.
func (c RecordCounts) Changed() bool { return c.Added+c.Updated+c.Deleted > 0 }

// RunFence lets a run write only while it is the run's newest attempt, whose
// holder has not been declared dead. Zero: there is nothing to check.
type RunFence struct {
	Run     RunID
	Attempt int64
	// StartedAt is when the run began: nothing that it changes is dated earlier, even
	// when the database's clock was put back meanwhile.
	StartedAt time.Time
}
