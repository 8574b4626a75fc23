package linkspan

import (
	"context"
	"time"
)

// Tx is an open database transaction. Package store makes it and is, with
// package job, the only one that looks inside. Every store method takes one;
// nil means that the method runs on its own.
type Tx interface {
	// Now is the transaction's one timestamp: UTC, whole microseconds.
	Now() time.Time
	// OnCommit registers f to run after a successful commit, outside the
	// transaction.
	OnCommit(f func())
	// Unwrap returns the driver's transaction: pgx.Tx or *sql.Tx.
	Unwrap() any
}

// Transactor begins transactions.
type Transactor interface {
	// InTx runs f in a transaction and commits when f returns nil. It may run
	// f again when the database asks for a retry, so f must not keep state of
	// an earlier try. It does not nest.
	InTx(ctx context.Context, f func(ctx context.Context, tx Tx) error) error
}

// ChangeKind names what a Change is about.
type ChangeKind string

// The kinds of changes that caches listen to.
const (
	ChangeAPIKey         ChangeKind = "api_key"
	ChangeEnvironment    ChangeKind = "environment"
	ChangeIntegration    ChangeKind = "integration"
	ChangeConnection     ChangeKind = "connection"
	ChangeConnectSession ChangeKind = "connect_session"
	// ChangePopupResult tells the replica that holds a waiting page's WebSocket
	// that there is a result for it. Its key is the PopupID.
	ChangePopupResult ChangeKind = "popup_result"
	// ChangeWebhooksDue tells replicas that send webhooks that there are new
	// ones. It has no key.
	ChangeWebhooksDue ChangeKind = "webhooks_due"
	// ChangeFunctions means that functions of an environment were deployed,
	// removed, switched on or off. It has no key: a
	// deploy may touch thousands.
	ChangeFunctions ChangeKind = "functions"
	// ChangeRunsDue tells replicas that run functions in the background that
	// there is something to do. It has no key.
	ChangeRunsDue ChangeKind = "runs_due"
	// ChangeRunCancelled tells the replica that works on a run to break it off. Its
	// key is the run's UUID.
	ChangeRunCancelled ChangeKind = "run_cancelled"
	// ChangeLost means that changes were missed (too far behind, or the
	// database was replaced): drop everything.
	ChangeLost ChangeKind = "lost"
)

// Change tells caches that an entity was created, changed or deleted. It is
// written in the transaction that makes the change; sequence numbers rise in
// commit order.
type Change struct {
	Seq         int64
	Kind        ChangeKind
	Environment EnvironmentID
	// Key identifies the entity for its caches: the hex hash of an API key or
	// session token, an environment's UUID, an integration's UUID, a
	// connection's UUID.
	Key string
}
