package linkspan

import (
	"encoding/json"
	"slices"
	"time"
)

// FunctionKind is what a function is for (features §9).
type FunctionKind string

// The kinds of functions.
const (
	// FunctionSync reads a provider's data into the records cache.
	FunctionSync FunctionKind = "sync"
	// FunctionAction does one thing on request and returns a result.
	FunctionAction FunctionKind = "action"
	// FunctionOnEvent runs at an event in the life of a connection.
	FunctionOnEvent FunctionKind = "on-event"
)

// Valid reports whether k is one of the kinds.
func (k FunctionKind) Valid() bool {
	return k == FunctionSync || k == FunctionAction || k == FunctionOnEvent
}

// FunctionEvent is an event in the life of a connection that functions run at
// (features §17).
type FunctionEvent string

// The events.
const (
	EventPostConnectionCreation FunctionEvent = "post-connection-creation"
	EventPreConnectionDeletion  FunctionEvent = "pre-connection-deletion"
	EventValidateConnection     FunctionEvent = "validate-connection"
	// EventWebhook is of runs that a provider's webhook gave rise to. It is no event
	// that functions declare.
	EventWebhook FunctionEvent = "webhook"
)

// Valid reports whether e is one of the events.
func (e FunctionEvent) Valid() bool {
	return e == EventPostConnectionCreation || e == EventPreConnectionDeletion || e == EventValidateConnection
}

// FunctionSource says who keeps a function (features FN-10).
type FunctionSource string

// The sources.
const (
	// SourceRepo is a folder that is deployed as a whole.
	SourceRepo FunctionSource = "repo"
	// SourceStandalone is a single function deployed by itself.
	SourceStandalone FunctionSource = "standalone"
	// SourceCatalog is a template that was switched on.
	SourceCatalog FunctionSource = "catalog"
)

// Function is a function deployed to an integration. Its name is unique among
// the integration's functions of the same kind. It outlives its versions and,
// marked as deleted, its removal: deployed again it goes on where it was.
type Function struct {
	ID            FunctionID
	UUID          string
	EnvironmentID EnvironmentID
	IntegrationID IntegrationID
	// IntegrationKey and Provider are read with the row for convenience.
	IntegrationKey string
	Provider       string
	Kind           FunctionKind
	Name           string
	Enabled        bool
	Source         FunctionSource
	// Version is the active one, read with the row.
	Version   FunctionVersion
	CreatedAt time.Time
	UpdatedAt time.Time
}

// FunctionVersion is what one deploy made of a function. It never changes.
type FunctionVersion struct {
	ID            FunctionVersionID
	UUID          string
	FunctionID    FunctionID
	EnvironmentID EnvironmentID
	// Number counts the function's versions from 1.
	Number int64
	// Label is the version's name that people see, such as "1.0.0".
	Label      string
	Definition FunctionDefinition
	// CodeHash and SourceHash are the hex SHA-256 of the bundle and of the
	// TypeScript it was made of; the texts are kept under them.
	CodeHash   string
	SourceHash string
	// CreatedAt is when it was deployed first.
	CreatedAt time.Time
}

// FunctionDefinition is what a function says of itself. The names in JSON are
// stored.
type FunctionDefinition struct {
	Description string   `json:"description,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	// Input and Metadata name definitions of Schema. Empty: none.
	Input    string `json:"input,omitempty"`
	Metadata string `json:"metadata,omitempty"`
	// Models are a sync's models, or the one name of an action's output.
	Models []string `json:"models,omitempty"`
	// Schema is {"definitions":{…}}: JSON Schema, draft 7. Nil: unknown.
	Schema    json.RawMessage    `json:"schema,omitempty"`
	Endpoints []FunctionEndpoint `json:"endpoints,omitempty"`
	// Features are what it makes use of, such as "checkpoints".
	Features []string `json:"features,omitempty"`
	// SDKVersion is that of the tool that made the bundle.
	SDKVersion string `json:"sdk_version,omitempty"`

	// Frequency, SyncType ("full" or "incremental"), AutoStart, TrackDeletes and
	// WebhookSubscriptions are of syncs.
	Frequency            string         `json:"frequency,omitempty"`
	SyncType             string         `json:"sync_type,omitempty"`
	AutoStart            bool           `json:"auto_start,omitempty"`
	TrackDeletes         bool           `json:"track_deletes,omitempty"`
	WebhookSubscriptions []string       `json:"webhook_subscriptions,omitempty"`
	Attributes           map[string]any `json:"attributes,omitempty"`

	// Event is of on-event functions. Those made by createFunction may have several:
	// it is then the first of Unified.Events.
	Event FunctionEvent `json:"event,omitempty"`

	// Unified is of functions made by createFunction, whose kind follows from their
	// trigger. Nil: it was made otherwise.
	Unified *UnifiedFunction `json:"unified,omitempty"`
}

// RunsAt reports whether a function at events runs at one of them.
func (d *FunctionDefinition) RunsAt(e FunctionEvent) bool {
	if d.Unified != nil {
		return slices.Contains(d.Unified.Events, e)
	}
	return d.Event == e
}

// TakesWebhooks reports whether the function takes webhooks of its provider.
func (d *FunctionDefinition) TakesWebhooks() bool {
	if d.Unified != nil {
		return d.Unified.Trigger == TriggerHTTP
	}
	return len(d.WebhookSubscriptions) > 0
}

// Takes returns those of the function's subscriptions that a webhook of a type is
// for, and whether it is for the function at all. One made by createFunction that
// has no subscriptions takes every webhook.
func (d *FunctionDefinition) Takes(webhook string) (subscriptions []string, ok bool) {
	if !d.TakesWebhooks() {
		return nil, false
	}
	for _, s := range d.WebhookSubscriptions {
		if (s == webhook || s == "*") && !slices.Contains(subscriptions, s) {
			subscriptions = append(subscriptions, s)
		}
	}
	return subscriptions, len(subscriptions) > 0 || len(d.WebhookSubscriptions) == 0
}

// Serial reports whether only one run of the function may be under way for each
// connection.
func (d *FunctionDefinition) Serial() bool {
	return d.Unified != nil && d.Unified.PerConnection == 1
}

// UnifiedFunction is what only functions made by createFunction have (features
// FN-19). The names in JSON are stored.
type UnifiedFunction struct {
	Trigger FunctionTrigger `json:"trigger"`
	// Events are those of TriggerEvent.
	Events []FunctionEvent `json:"events,omitempty"`
	// Output and Checkpoint name definitions of the function's Schema. Empty: none.
	Output     string `json:"output,omitempty"`
	Checkpoint string `json:"checkpoint,omitempty"`
	// Outbound says that it makes requests, Invoke that it runs other functions.
	Outbound bool `json:"outbound,omitempty"`
	Invoke   bool `json:"invoke,omitempty"`
	// PerConnection is how many runs may be under way at a time for each connection;
	// 0: any number.
	PerConnection int `json:"per_connection,omitempty"`
}

// FunctionTrigger is what a function made by createFunction runs at.
type FunctionTrigger string

// The triggers.
const (
	// TriggerNone is of functions that are invoked.
	TriggerNone FunctionTrigger = "none"
	// TriggerHTTP is of functions that take requests of providers, and may be invoked.
	TriggerHTTP FunctionTrigger = "http"
	// TriggerSchedule is of functions that run by a schedule.
	TriggerSchedule FunctionTrigger = "schedule"
	// TriggerEvent is of functions that run at events in the life of connections.
	TriggerEvent FunctionTrigger = "event"
)

// Kind is what a function with the trigger is run as; empty for a trigger that
// there is not.
func (t FunctionTrigger) Kind() FunctionKind {
	switch t {
	case TriggerNone, TriggerHTTP:
		return FunctionAction
	case TriggerSchedule:
		return FunctionSync
	case TriggerEvent:
		return FunctionOnEvent
	}
	return ""
}

// FunctionEndpoint is a method and path under /v1 that older clients call.
type FunctionEndpoint struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Group  string `json:"group,omitempty"`
}

// FunctionCode is the two texts of a version.
type FunctionCode struct {
	// Bundle is JavaScript, a CommonJS module with its source map inline.
	Bundle string
	// Source is the TypeScript of the function's own file.
	Source string
}

// RunState is where a run stands.
type RunState string

// The states of runs.
const (
	RunWaiting   RunState = "waiting"
	RunRunning   RunState = "running"
	RunSucceeded RunState = "success"
	RunFailed    RunState = "failed"
	RunCancelled RunState = "cancelled"
)

// Run is one execution of a function that must not be lost: asynchronous
// actions, functions at events, syncs. Synchronous actions have none.
type Run struct {
	ID            RunID
	UUID          string
	EnvironmentID EnvironmentID
	FunctionID    FunctionID
	ConnectionID  ConnectionID
	// Kind, Name, IntegrationKey, Provider, ConnectionName and ConnectionUUID
	// repeat what they were when the run was asked for.
	Kind           FunctionKind
	Name           string
	Event          FunctionEvent // of on-event functions, or EventWebhook
	IntegrationKey string
	Provider       string
	ConnectionName string
	ConnectionUUID string
	State          RunState
	// Input and Output are JSON and stored encrypted. Zero: none.
	Input  Secret
	Output Secret
	// Error is why the last attempt failed, as the public API shows it; stored
	// encrypted. Nil: it did not.
	Error *RunError
	// MaxAttempts is how often it may be tried; Attempts counts those that were
	// begun, and Attempt is the number that fences the holder of the lease.
	MaxAttempts int
	Attempts    int
	Attempt     int64
	Holder      string
	// NextAt is when it is due. Zero unless waiting.
	NextAt time.Time
	// LeaseUntil is until when the holder may work on it. Zero: nobody does.
	LeaseUntil time.Time
	Operation  OperationID
	CreatedAt  time.Time
	StartedAt  time.Time // zero: not yet
	EndedAt    time.Time // zero: not yet
	// ExpiresAt is until when it may begin; later it fails.
	ExpiresAt time.Time
	Lane      RunLane
	// Sync is nil unless it is the run of a sync.
	Sync *RunSync
}

// TakesWebhook reports whether the run has a sync take a webhook of its provider,
// which is none of its own runs.
func (r *Run) TakesWebhook() bool { return r.Kind == FunctionSync && r.Event == EventWebhook }

// RunError is why a run failed, in the words of the public API. The names in
// JSON are stored.
type RunError struct {
	// Code is one of wire contract §4.9, such as "script_http_error".
	Code    string          `json:"code"`
	Message string          `json:"message,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	// Upstream is the provider's answer that the function did not handle.
	Upstream *UpstreamAnswer `json:"upstream,omitempty"`
	// Retryable says that the same run may well succeed another time, and that
	// trying again repeats nothing that was done.
	Retryable bool `json:"retryable,omitempty"`
}

// Error implements error.
func (e *RunError) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// UpstreamAnswer is a provider's answer, as far as it is passed on.
type UpstreamAnswer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// Checkpoint is the progress that a function keeps between its runs, for one
// connection (features §12).
type Checkpoint struct {
	// Key names whose it is, such as "action/create-issue" or
	// "sync/issues/base".
	Key string
	// Value is a flat JSON object.
	Value json.RawMessage
	// Version rises with every change and fences writers that worked from an
	// older one.
	Version   int64
	UpdatedAt time.Time
}

// CheckpointKey is under which key a function keeps its checkpoint with a
// connection. The variant is that of a sync; empty means the base variant.
func CheckpointKey(kind FunctionKind, function, variant string) string {
	key := string(kind) + "/" + function
	if kind == FunctionSync {
		if variant == "" {
			variant = BaseVariant
		}
		key += "/" + variant
	}
	return key
}
