package linkspan

import "time"

// AuthorJobKind is what a job of an author is.
type AuthorJobKind string

// The kinds of authors' jobs.
const (
	// AuthorDryRun executes a function without storing what it saves.
	AuthorDryRun AuthorJobKind = "dryrun"
	// AuthorDeployment compiles and deploys a function.
	AuthorDeployment AuthorJobKind = "deployment"
)

// AuthorJob is something that the server does for an author of functions in the
// background and that must not be lost (features §20).
type AuthorJob struct {
	ID            AuthorJobID
	UUID          string
	EnvironmentID EnvironmentID
	Kind          AuthorJobKind
	State         RunState
	// IntegrationKey, FunctionName and FunctionKind are what it is about. A dry run
	// has no name.
	IntegrationKey string
	FunctionName   string
	FunctionKind   FunctionKind
	// Request and Result are JSON, Output is a log for people. All are stored
	// encrypted. Zero: none.
	Request Secret
	Result  Secret
	Output  Secret
	// Error is why it failed; stored encrypted. Nil: it did not.
	Error     *RunError
	Operation OperationID
	// Attempt counts how often it was begun, and fences the holder of the lease.
	Attempt int64
	Holder  string
	// LeaseUntil is until when the holder may work on it. Zero: nobody does.
	LeaseUntil time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
	StartedAt  time.Time // zero: not yet
	EndedAt    time.Time // zero: not yet
}
