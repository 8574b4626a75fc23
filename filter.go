package linkspan

import "time"

// ConnectionFilter selects connections of one environment, newest first.
type ConnectionFilter struct {
	EnvironmentID EnvironmentID
	// Name matches the public connection id exactly. Empty: any.
	Name string
	// Search matches a part of the connection id, or of the end user's display
	// name or e-mail, ignoring case.
	Search string
	// IntegrationKeys restricts to integrations. Empty: any.
	IntegrationKeys []string
	EndUserID       string
	OrganizationID  string
	// Tags must all match; keys are in lower case.
	Tags map[string]string
	// Limit is at most how many are returned, Offset how many are skipped.
	Limit, Offset int
}

// OperationFilter selects operations of one environment, newest first.
type OperationFilter struct {
	EnvironmentID  EnvironmentID
	Types          []OperationType
	States         []OperationState
	IntegrationKey string
	ConnectionName string
	// From and To bound the time of creation; zero means open.
	From, To time.Time
	// Before returns only operations older than this one (keyset pagination).
	Before OperationID
	Limit  int
}

// RateCount is a number of API calls to add to a shared counter: those of an
// account, in one bucket, in the minute that begins at Window.
type RateCount struct {
	AccountID AccountID
	Bucket    string
	Window    time.Time
	N         int64
}

// Lease is the right of one process to work on something for a short while.
// Attempt numbers rise with every acquisition and fence writes: a holder whose
// attempt is not the row's any more must not write.
type Lease struct {
	Kind    string
	Key     string
	Holder  string
	Attempt int64
	Until   time.Time
	// State is what the holder last noted about its progress. On a lease taken
	// over from a process that died, Acquire returns the dead one's note.
	State string
	// TakenOver reports that an earlier holder let the lease lapse.
	TakenOver bool
}
