package run

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/internal/change"
	"github.com/linkspan/linkspan/internal/connect"
	"github.com/linkspan/linkspan/internal/function/host"
	"github.com/linkspan/linkspan/internal/oplog"
	"github.com/linkspan/linkspan/internal/upstream"
	"github.com/linkspan/linkspan/internal/webhook"
)

const (
	// keepRuns is how long the result of a run can be asked for.
	keepRuns = 15 * 24 * time.Hour
	// maxDepth is how many actions may be under way that were each triggered by
	// the one before.
	maxDepth = 8
)

// Store keeps runs. A nil tx means that a method runs on its own.
type Store interface {
	// RunEnvironment returns an environment, of whatever account.
	RunEnvironment(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID) (linkspan.Environment, error)
	// InsertRuns stores runs that are due at once, sets their IDs, states and
	// times, and tells all replicas.
	InsertRuns(ctx context.Context, tx linkspan.Tx, runs []*linkspan.Run) error
	// Run returns a run of the environment with its input, output and error.
	Run(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, uuid string) (linkspan.Run, error)
	// DueRuns returns at most q.Limit runs whose holders let their leases lapse,
	// and then at most q.Limit of those that are due, in the order of environments,
	// functions, and when they were due. Only ID, EnvironmentID, FunctionID,
	// ConnectionID, Provider and LeaseUntil are filled in; LeaseUntil is zero unless
	// a lease lapsed. The group is that at which it was cut off; zero: it was not.
	DueRuns(ctx context.Context, tx linkspan.Tx, q linkspan.RunQuery) ([]linkspan.Run, linkspan.RunGroup, error)
	// RunsOfOthers returns the runs of a lane that others than the holder work on,
	// with the fields that DueRuns fills in. In a transaction nobody else who asks in
	// one gets an answer before it ends.
	RunsOfOthers(ctx context.Context, tx linkspan.Tx, lane linkspan.RunLane, holder string) ([]linkspan.Run, error)
	// ClaimRuns makes holder the one that works on those of the runs that are
	// still due or left behind, counts and fences the attempts, and returns them
	// with their inputs. Error is set only when the input can't be decrypted. Of
	// syncs it sets Progress, Stalls and, the first time, From.
	ClaimRuns(ctx context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string, ttl time.Duration) ([]linkspan.Run, error)
	// RenewRuns lets the leases last for ttl from now, and returns the ids of
	// those that nobody else has taken over.
	RenewRuns(ctx context.Context, tx linkspan.Tx, held []linkspan.Run, ttl time.Duration) ([]linkspan.RunID, error)
	// FinishRun stores what became of an attempt: State, Attempts, Output, Error and
	// of syncs Stalls and Interrupted. A waiting one is due again in retryIn; that of
	// a sync that has ended gets To and Counts. It reports whether the attempt was
	// still the newest.
	FinishRun(ctx context.Context, tx linkspan.Tx, r *linkspan.Run, retryIn time.Duration) (bool, error)
	// ReleaseRun gives the lease back of an attempt that was broken off before it
	// did anything; it does not count. It reports whether the attempt was still the
	// newest.
	ReleaseRun(ctx context.Context, tx linkspan.Tx, r *linkspan.Run) (bool, error)
	// ReleaseClaims gives back what the holder has claimed of the given runs, as if
	// it had not. It is for a claim of which the holder does not know whether it
	// came to pass.
	ReleaseClaims(ctx context.Context, tx linkspan.Tx, ids []linkspan.RunID, holder string) error
	// HoldRun reports with KindConflict that an attempt is not the newest any more,
	// or was cancelled.
	HoldRun(ctx context.Context, tx linkspan.Tx, f linkspan.RunFence) error
	// Checkpoint returns a function's checkpoint with a connection. KindNotFound:
	// there is none.
	Checkpoint(ctx context.Context, tx linkspan.Tx, env linkspan.EnvironmentID, connection linkspan.ConnectionID, key string) (linkspan.Checkpoint, error)
	// WaitingRuns counts the runs that are due or planned, up to limit.
	WaitingRuns(ctx context.Context, tx linkspan.Tx, limit int) (int, error)
	// PurgeRuns removes at most limit runs that ended before the given time, but not
	// the last one of a sync, and returns how many.
	PurgeRuns(ctx context.Context, tx linkspan.Tx, before time.Time, limit int) (int, error)
}

// Functions looks deployed functions up, from caches; *function.Service does.
type Functions interface {
	// Find returns a function, enabled or not. KindNotFound: there is none.
	Find(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, kind linkspan.FunctionKind, name string) (linkspan.Function, error)
	// ByEvent returns the integration's enabled functions of an event.
	ByEvent(ctx context.Context, env linkspan.EnvironmentID, integrationKey string, e linkspan.FunctionEvent) ([]linkspan.Function, error)
	// ByWebhook returns the integration's enabled functions that take webhooks of its
	// provider.
	ByWebhook(ctx context.Context, env linkspan.EnvironmentID, integrationKey string) ([]linkspan.Function, error)
	// ByEndpoint returns the function of an integration that declares a method and
	// path, enabled or not. KindNotFound: none does.
	ByEndpoint(ctx context.Context, env linkspan.EnvironmentID, integrationKey, method, path string) (linkspan.Function, error)
	// VersionCode returns the texts of a version.
	VersionCode(ctx context.Context, env linkspan.EnvironmentID, v linkspan.FunctionVersion) (linkspan.FunctionCode, error)
}

// Connections hands connections out; *connect.Service does.
type Connections interface {
	Live(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string) (*upstream.Target, error)
	Fresh(ctx context.Context, env linkspan.EnvironmentID, integrationKey, name string, o connect.FreshOptions) (*upstream.Target, error)
}

// Webhooks tells the customer's backend of asynchronous actions that ended;
// *webhook.Service does.
type Webhooks interface {
	AddAsyncAction(ctx context.Context, tx linkspan.Tx, e webhook.AsyncActionEvent) error
}

// Engine executes a function once; *[Sandbox] does. Its errors are
// *[linkspan.RunError], the cause of the end of ctx, or a [linkspan.Error] when it
// was not begun.
type Engine interface {
	Execute(ctx context.Context, x *Execution) (Done, error)
}

// Execution is a function to execute.
type Execution struct {
	Environment linkspan.Environment
	Function    linkspan.Function
	Code        linkspan.FunctionCode
	// ConnectionName is the public id of the connection, also of one that is not
	// stored yet.
	ConnectionName string
	// ConnectionID is the connection's number; zero while it is not stored.
	ConnectionID linkspan.ConnectionID
	// Target returns the connection with credentials that work.
	Target func(ctx context.Context, o connect.FreshOptions) (*upstream.Target, error)
	// Pending means that the connection is not stored: metadata that the function
	// sets are returned instead of written.
	Pending bool
	// Input is JSON. Nil: undefined.
	Input json.RawMessage
	// Event is what a function at events runs at.
	Event linkspan.FunctionEvent
	// Webhook is the payload that a sync takes, Request the request that a function
	// whose trigger is http does, and Subscriptions those of the function's that it is
	// for. Nil: the function itself runs.
	Webhook, Request json.RawMessage
	Subscriptions    []string
	// Owner is unique to the execution; its locks go by it.
	Owner string
	// Op gets the messages.
	Op *oplog.Op
	// Trigger runs another action of the environment.
	Trigger func(ctx context.Context, integrationKey, connectionName, action string, input json.RawMessage) (json.RawMessage, error)
	// Nested means that a function which is being executed waits for it.
	Nested bool
	// Sync is of runs of syncs.
	Sync *host.Sync
	// Variant is that of a sync.
	Variant string
	// Memory, CPU, Wall, Calls, Output and Notes are the limits.
	Limits Bounds
}

// Bounds limit one execution.
type Bounds struct {
	Memory int64 // bytes
	// CPU bounds the time between two waits, Wall that of the whole execution.
	CPU, Wall time.Duration
	Calls     int   // concurrent calls of the host
	Output    int64 // bytes of the result
	Notes     int64 // bytes of log messages
}

// Done is what came of an execution. Output counts only without an error.
type Done struct {
	Output json.RawMessage // nil: undefined
	// Metadata are what the function has set for a connection that is not stored.
	// Nil: it set none.
	Metadata map[string]any
	// Effects says that something outside was changed, or may have been: the same
	// again would repeat it.
	Effects bool
	// Lost means that the process which executed it died.
	Lost bool
}

// Limits bound functions. Zero values mean the defaults in parentheses.
type Limits struct {
	Memory int64         // bytes of one run (128 MiB)
	CPU    time.Duration // between two waits (60 s)
	// Action and Event bound whole runs (15 min, 5 min; features FN-16).
	Action, Event time.Duration
	// Webhook bounds a run that takes a webhook, WebhookQueue how long it may wait for
	// its beginning (60 min, 5 min; features WHF-07).
	Webhook, WebhookQueue time.Duration
	// Turn is how long somebody waits for a function of which only one run may be
	// under way (30 s).
	Turn time.Duration
	// Validation and Deletion bound all functions together that somebody waits for
	// at those events (40 s, 60 s).
	Validation, Deletion time.Duration
	Calls                int   // concurrent calls of one run (64)
	Output               int64 // bytes of a result (2 MB; features ACT-06)
	Notes                int64 // bytes of one run's log (4 MiB)
	// Input bounds the input of an asynchronous action in bytes (16 MiB): it is
	// stored, and in memory for as long as the action is under way.
	Input int64
	// Background bounds the runs that this process has under way for rows,
	// BackgroundPerEnvironment those of one environment in this process (64, 8).
	Background, BackgroundPerEnvironment int
	// Queue is how long a row may wait for its first attempt (24 h). Syncs may wait
	// for ever.
	Queue time.Duration

	// Sync bounds the run of a sync (24 h; features FN-16). One that keeps checkpoints
	// may take SyncSlice at a time (1 h): from four fifths of it on the next
	// checkpoint interrupts it, and another run goes on from there.
	Sync, SyncSlice time.Duration
	// Syncs bounds the runs of syncs that this process has under way (64), the others
	// those of one environment, function, provider and connection that all replicas
	// have under way together (32, 16, 32, 4).
	Syncs, SyncsPerEnvironment, SyncsPerFunction, SyncsPerProvider, SyncsPerConnection int
}

func (l Limits) complete() Limits {
	l.Memory = cmp.Or(l.Memory, 128<<20)
	l.CPU = cmp.Or(l.CPU, time.Minute)
	l.Action = cmp.Or(l.Action, 15*time.Minute)
	l.Event = cmp.Or(l.Event, 5*time.Minute)
	l.Webhook = cmp.Or(l.Webhook, time.Hour)
	l.WebhookQueue = cmp.Or(l.WebhookQueue, 5*time.Minute)
	l.Turn = cmp.Or(l.Turn, 30*time.Second)
	l.Validation = cmp.Or(l.Validation, 40*time.Second)
	l.Deletion = cmp.Or(l.Deletion, time.Minute)
	l.Calls = cmp.Or(l.Calls, 64)
	l.Output = cmp.Or(l.Output, 2<<20)
	l.Input = cmp.Or(l.Input, 16<<20)
	l.Notes = cmp.Or(l.Notes, 4<<20)
	l.Background = cmp.Or(l.Background, 64)
	l.BackgroundPerEnvironment = cmp.Or(l.BackgroundPerEnvironment, 8)
	l.Queue = cmp.Or(l.Queue, 24*time.Hour)
	l.Sync = cmp.Or(l.Sync, 24*time.Hour)
	l.SyncSlice = cmp.Or(l.SyncSlice, time.Hour)
	l.Syncs = cmp.Or(l.Syncs, 64)
	l.SyncsPerEnvironment = cmp.Or(l.SyncsPerEnvironment, 32)
	l.SyncsPerFunction = cmp.Or(l.SyncsPerFunction, 16)
	l.SyncsPerProvider = cmp.Or(l.SyncsPerProvider, 32)
	l.SyncsPerConnection = cmp.Or(l.SyncsPerConnection, 4)
	return l
}

// lanes are the caps of both lanes.
func (l *Limits) lanes() []caps {
	return []caps{
		{lane: linkspan.LaneQuick, all: l.Background, share: l.BackgroundPerEnvironment},
		{
			lane: linkspan.LaneSync, all: l.Syncs, share: l.SyncsPerEnvironment, environment: l.SyncsPerEnvironment, function: l.SyncsPerFunction,
			connection: l.SyncsPerConnection, provider: l.SyncsPerProvider,
		},
	}
}

// bounds are the limits of one execution of a function.
func (l *Limits) bounds(kind linkspan.FunctionKind, e linkspan.FunctionEvent) Bounds {
	wall := l.Action
	if e == linkspan.EventWebhook {
		wall, kind = l.Webhook, linkspan.FunctionAction
	}
	switch kind {
	case linkspan.FunctionOnEvent:
		wall = l.Event
	case linkspan.FunctionSync:
		// Their time is measured from outside; this is for what does not stop then.
		wall = l.Sync + time.Minute
	case linkspan.FunctionAction:
	}
	return Bounds{Memory: l.Memory, CPU: l.CPU, Wall: wall, Calls: l.Calls, Output: l.Output, Notes: l.Notes}
}

// Config is what a Service needs.
type Config struct {
	Store       Store
	Tx          linkspan.Transactor
	Functions   Functions
	Connections Connections
	Engine      Engine
	// Feed wakes the dispatcher when there is something to run. Nil: it only
	// polls, every second.
	Feed *change.Feed
	// Webhooks tells of asynchronous actions. Nil tells nobody.
	Webhooks Webhooks
	// Syncs keeps schedules. Nil: no syncs are run.
	Syncs Syncs
	// Acquire takes a right that only one of all replicas has, or reports false when
	// somebody has it. Nil: this process is the only one.
	Acquire func(ctx context.Context, kind, key string) (Right, bool, error)
	// Ops records operations. Nil records nothing.
	Ops *oplog.Log
	Log *slog.Logger
	// Holder names this process uniquely among the replicas.
	Holder string
	Limits Limits
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service executes functions. It is safe for concurrent use; Run may run once.
type Service struct {
	store       Store
	tx          linkspan.Transactor
	functions   Functions
	connections Connections
	engine      Engine
	webhooks    Webhooks
	syncs       Syncs
	lines       lines
	ops         *oplog.Log
	log         *slog.Logger
	holder      string
	limits      Limits
	now         func() time.Time
	schemas     schemas
	// due tells the dispatcher of each lane that there may be something to run.
	due [2]chan struct{}
	// missed tells them that something may have been cancelled without their knowing.
	missed [2]chan struct{}
	// stopping means that the dispatchers take nothing more.
	stopping atomic.Bool

	mu sync.Mutex
	// cancels break off the runs under way, by their UUIDs.
	cancels map[string]context.CancelCauseFunc

	// What this process has done.
	underWay, syncsUnderWay, succeeded, failed atomic.Int64
}

// New returns a service. Its dispatcher works once Run runs.
func New(c Config) *Service {
	s := &Service{
		store: c.Store, tx: c.Tx, functions: c.Functions, connections: c.Connections, engine: c.Engine, webhooks: c.Webhooks, syncs: c.Syncs,
		lines: newLines(c.Acquire),
		ops:   c.Ops, log: c.Log, holder: c.Holder, limits: c.Limits.complete(), now: c.Now, cancels: make(map[string]context.CancelCauseFunc),
	}
	for lane := range s.due {
		s.due[lane], s.missed[lane] = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if c.Feed != nil {
		c.Feed.Subscribe(func(ch linkspan.Change) {
			switch ch.Kind {
			case linkspan.ChangeRunsDue:
				s.RunsDue()
			case linkspan.ChangeRunCancelled:
				s.breakOff(ch.Key)
			case linkspan.ChangeLost:
				s.RunsDue()
				tell(&s.missed) // maybe a cancellation
			default: // nothing that runs depend on
			}
		})
	}
	return s
}

// RunsDue tells the dispatchers of this process that there may be something to
// run. It never blocks.
func (s *Service) RunsDue() { tell(&s.due) }

// tell wakes both lanes.
func tell(lanes *[2]chan struct{}) {
	for _, lane := range lanes {
		select {
		case lane <- struct{}{}:
		default: // it is told already
		}
	}
}

// cancelBy has breakOff call a function for a run, until forget.
func (s *Service) cancelBy(uuid string, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancels[uuid] = cancel
}

func (s *Service) forget(uuid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cancels, uuid)
}

// breakOff ends a run that was cancelled, if this process works on it.
func (s *Service) breakOff(uuid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.cancels[uuid]; cancel != nil {
		cancel(errCancelled)
	}
}

// Running returns how many functions this process executes at the moment.
func (s *Service) Running() int64 { return s.underWay.Load() }

// RunningSyncs returns how many of them are syncs.
func (s *Service) RunningSyncs() int64 { return s.syncsUnderWay.Load() }

// Succeeded returns how many executions of this process ended well.
func (s *Service) Succeeded() int64 { return s.succeeded.Load() }

// Failed returns how many executions of this process failed.
func (s *Service) Failed() int64 { return s.failed.Load() }

// Waiting returns how many runs of all environments are due or planned; a
// million stands for any greater number.
func (s *Service) Waiting(ctx context.Context) (int, error) {
	const most = 1_000_000
	n, err := s.store.WaitingRuns(ctx, nil, most)
	if err != nil {
		return 0, fmt.Errorf("counting runs: %w", err)
	}
	return n, nil
}

// Purge removes at most limit runs that ended 15 days ago, except the last one of
// each sync, and returns how many. Call it again while that is limit or more.
func (s *Service) Purge(ctx context.Context, limit int) (int, error) {
	n, err := s.store.PurgeRuns(ctx, nil, s.now().Add(-keepRuns), limit)
	if err != nil {
		return n, fmt.Errorf("removing old runs: %w", err)
	}
	return n, nil
}
