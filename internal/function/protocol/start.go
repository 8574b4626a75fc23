package protocol

import (
	"encoding/json"

	"github.com/linkspan/linkspan"
)

// Start is what the prelude's mode "run" is given.
type Start struct {
	Mode    string                 `json:"mode"`
	Kind    linkspan.FunctionKind  `json:"kind"`
	Event   linkspan.FunctionEvent `json:"event,omitempty"`
	Input   json.RawMessage        `json:"input,omitempty"`
	Webhook json.RawMessage        `json:"webhook,omitempty"`
	// Request and Subscriptions are of functions whose trigger is http: what they
	// take, and the subscriptions that it is for.
	Request       json.RawMessage `json:"request,omitempty"`
	Subscriptions []string        `json:"subscriptions,omitempty"`

	Level   string     `json:"level"`
	Variant string     `json:"variant"`
	Sync    *SyncStart `json:"sync,omitempty"`
	Props   Props      `json:"props"`
	// Attributes are the function's, for getFlowAttributes.
	Attributes map[string]any `json:"attributes,omitempty"`
	// Trial is set unless the run is a real one.
	Trial *Trial `json:"trial,omitempty"`
}

// SyncStart is what only runs that may save records are told.
type SyncStart struct {
	ID           string   `json:"id"`
	Job          int64    `json:"job"`
	Models       []string `json:"models"`
	TrackDeletes bool     `json:"track_deletes"`
	LastSync     string   `json:"last_sync,omitempty"`
}

// Props are the plain members of the nango object (features SDK-19).
type Props struct {
	ConnectionID string `json:"connectionId"`
	// NangoConnectionID is the connection's number; zero while it is not stored, and in
	// replays.
	NangoConnectionID linkspan.ConnectionID `json:"nangoConnectionId,omitempty"`
	ProviderConfigKey string                `json:"providerConfigKey"`
	Provider          string                `json:"provider"`
	EnvironmentID     int64                 `json:"environmentId"`
	EnvironmentName   string                `json:"environmentName"`
	AccountID         string                `json:"accountId"`
	ActivityLogID     linkspan.OperationID  `json:"activityLogId"`
	IsCLI             bool                  `json:"isCLI"`
	ScriptType        string                `json:"scriptType"`
}

// Trial is what runs are told that are none in earnest.
type Trial struct {
	// Lenient is for replays of recordings (see trial.Options).
	Lenient bool `json:"lenient"`
	// Returns are what members of the nango object return in place of what they do.
	Returns map[string]json.RawMessage `json:"returns,omitempty"`
}
