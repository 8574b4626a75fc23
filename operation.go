package linkspan

import (
	"encoding/json"
	"time"
)

// OperationType is the first half of what an operation is (features OBS-02):
// the part of the product it belongs to, such as "auth".
type OperationType string

// OperationAction is the second half: what was done, such as "refresh_token".
type OperationAction string

// The operations this version records.
const (
	OperationProxy OperationType = "proxy"
	OperationAuth  OperationType = "auth"
	// OperationWebhook is the sending of a webhook.
	OperationWebhook OperationType = "webhook"
	// OperationActionRun is the run of an action, OperationEvents that of functions
	// at events, OperationDeploy a deploy of functions.
	OperationActionRun OperationType = "action"
	OperationEvents    OperationType = "events"
	OperationDeploy    OperationType = "deploy"
	// OperationSync is the run of a sync, and what people do to syncs.
	OperationSync OperationType = "sync"

	ActionCall             OperationAction = "call"
	ActionCreateConnection OperationAction = "create_connection"
	ActionUpdateConnection OperationAction = "update_connection"
	ActionDeleteConnection OperationAction = "delete_connection"
	ActionRefreshToken     OperationAction = "refresh_token"
	ActionConnectionTest   OperationAction = "connection_test"

	// The actions of OperationWebhook are those of features HOOK-09.
	ActionConnectionCreateHook  OperationAction = "connection_create"
	ActionConnectionRefreshHook OperationAction = "connection_refresh"
	ActionConnectionDeleteHook  OperationAction = "connection_delete"
	ActionAsyncActionHook       OperationAction = "async_action"
	ActionSyncHook              OperationAction = "sync"

	ActionRun                    OperationAction = "run"
	ActionPostConnectionCreation OperationAction = "post_connection_creation"
	ActionPreConnectionDeletion  OperationAction = "pre_connection_deletion"
	ActionValidateConnection     OperationAction = "validate_connection"
	ActionDeployCustom           OperationAction = "custom"
	// ActionDryRun is a run of which nothing is stored.
	ActionDryRun OperationAction = "dry_run"

	// The actions of OperationSync besides ActionRun are those of features OBS-02.
	ActionRequestRun     OperationAction = "request_run"
	ActionRequestRunFull OperationAction = "request_run_full"
	ActionPause          OperationAction = "pause"
	ActionUnpause        OperationAction = "unpause"
	ActionCancel         OperationAction = "cancel"
	ActionCreateVariant  OperationAction = "create_variant"
	ActionDeleteVariant  OperationAction = "delete_variant"
)

// OperationState is where an operation stands (features OBS-03).
type OperationState string

// The states of operations.
const (
	StateWaiting   OperationState = "waiting"
	StateRunning   OperationState = "running"
	StateSuccess   OperationState = "success"
	StateFailed    OperationState = "failed"
	StateTimeout   OperationState = "timeout"
	StateCancelled OperationState = "cancelled"
)

// Final reports whether no further state follows.
func (s OperationState) Final() bool {
	return s == StateSuccess || s == StateFailed || s == StateTimeout || s == StateCancelled
}

// Operation is one high-level thing that happened, kept for the customer to
// look up. It never holds secrets: whoever records it redacts first.
type Operation struct {
	ID OperationID
	// AccountID is filled in from the environment when it is stored as zero.
	AccountID     AccountID
	EnvironmentID EnvironmentID
	Type          OperationType
	Action        OperationAction
	State         OperationState
	// Message says in one sentence what happened.
	Message string
	// IntegrationKey, Provider and ConnectionName may be empty.
	IntegrationKey string
	Provider       string
	ConnectionName string
	ConnectionUUID string
	// Error is set when the operation failed.
	Error *OperationError
	// Request and Response describe the outbound call, if there was one.
	Request  *HTTPRequestSummary
	Response *HTTPResponseSummary
	// Meta is extra, already redacted JSON. Optional.
	Meta      json.RawMessage
	CreatedAt time.Time
	StartedAt time.Time
	EndedAt   time.Time // zero: still going on
	// ExpiresAt is when an operation that has not ended counts as timed out.
	ExpiresAt time.Time
}

// OperationError is why an operation failed.
type OperationError struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// HTTPRequestSummary is an outbound request without its secrets.
type HTTPRequestSummary struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
}

// HTTPResponseSummary is an upstream's answer without its body.
type HTTPResponseSummary struct {
	Code    int               `json:"code"`
	Headers map[string]string `json:"headers,omitempty"`
}

// Message is one line under an operation: a log line or an HTTP exchange.
type Message struct {
	ID          int64
	OperationID OperationID
	// EnvironmentID repeats the operation's, so that isolation needs no join.
	EnvironmentID EnvironmentID
	Type          string // "log" or "http"
	Source        string // "internal" or "user"
	Level         string // "debug", "info", "warn" or "error"
	Text          string
	Request       *HTTPRequestSummary
	Response      *HTTPResponseSummary
	Error         *OperationError
	Retry         *RetryInfo
	Meta          json.RawMessage
	CreatedAt     time.Time
	EndedAt       time.Time // zero: a moment, not a span
}

// RetryInfo says which attempt a message is about.
type RetryInfo struct {
	Attempt int `json:"attempt"`
	Max     int `json:"max"`
	// WaitedMS is how long was waited before the attempt, in milliseconds.
	WaitedMS int64 `json:"waited"`
}
