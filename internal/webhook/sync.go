package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
)

// typeSync is the type of webhooks about runs of syncs.
const typeSync = "sync"

// SyncType is how webhooks name what a run of a sync was like.
type SyncType string

// The types of runs (wire contract §14.4).
const (
	// SyncInitial is a run that began without a checkpoint and without an earlier
	// one that had succeeded: it reads everything.
	SyncInitial SyncType = "INITIAL"
	// SyncIncremental is a run that went on from an earlier one.
	SyncIncremental SyncType = "INCREMENTAL"
	// SyncWebhook is a run that a provider's webhook caused.
	SyncWebhook SyncType = "WEBHOOK"
)

// SyncEvent is a run of a sync that has ended, well or not.
type SyncEvent struct {
	EnvironmentID linkspan.EnvironmentID
	// IntegrationKey, Provider, ConnectionName and ConnectionUUID are those that
	// it ran for.
	IntegrationKey, Provider, ConnectionName, ConnectionUUID string
	// Name and Variant are those of the sync.
	Name, Variant string
	Type          SyncType
	// StartedAt is when the run began, or the first of the runs whose changes are
	// told. Every record that they changed was changed after it.
	StartedAt time.Time
	// From and To are the checkpoints that it began and ended with, JSON objects;
	// nil: there was none. Only those of syncs that are Checkpointed are told.
	From, To     json.RawMessage
	Checkpointed bool
	// Models are the sync's, with what happened to the records of each. There is
	// one webhook for each that changed.
	Models []ModelResult
	// Failure is why it failed. Nil: it succeeded.
	Failure *SyncFailure
}

// ModelResult is what happened to the records of one model.
type ModelResult struct {
	Model  string
	Counts linkspan.RecordCounts
}

// SyncFailure says why a run failed. All of it is shown to the customer.
type SyncFailure struct {
	// Type is a stable code such as "script_http_error".
	Type        string
	Description string
	// Payload is JSON that the function gave as the reason. Nil: none.
	Payload json.RawMessage
	// Upstream is the answer of an API that the function did not handle. Nil: that
	// was not it.
	Upstream *linkspan.UpstreamAnswer
	FailedAt time.Time
}

// syncPayload is the body of the webhook (wire contract §14.4). Which of the
// optional fields it has depends on whether the run succeeded.
type syncPayload struct {
	From           string       `json:"from"`
	Type           string       `json:"type"`
	ConnectionID   string       `json:"connectionId"`
	IntegrationKey string       `json:"providerConfigKey"`
	SyncName       string       `json:"syncName"`
	SyncVariant    string       `json:"syncVariant"`
	Model          string       `json:"model"`
	SyncType       SyncType     `json:"syncType"`
	Success        bool         `json:"success"`
	Checkpoints    *checkpoints `json:"checkpoints,omitempty"`

	ModifiedAfter  string       `json:"modifiedAfter,omitempty"`
	QueryTimeStamp string       `json:"queryTimeStamp,omitempty"`
	Results        *syncResults `json:"responseResults,omitempty"`

	Error     *syncError `json:"error,omitempty"`
	StartedAt string     `json:"startedAt,omitempty"`
	FailedAt  string     `json:"failedAt,omitempty"`
}

type checkpoints struct {
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}

type syncResults struct {
	Added   int64 `json:"added"`
	Updated int64 `json:"updated"`
	Deleted int64 `json:"deleted"`
}

type syncError struct {
	Type        string          `json:"type"`
	Description string          `json:"description"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	Additional  *syncDetails    `json:"additional_properties,omitempty"`
}

type syncDetails struct {
	UpstreamResponse linkspan.UpstreamAnswer `json:"upstream_response"`
}

// AddSync writes the webhooks about a run of a sync that has ended: for each model
// that changed an event and a delivery for each URL, in tx, or in a transaction of
// its own if that is nil. An environment that has switched it on is told of models
// that did not change, too. A failed run makes one webhook, which names all models,
// unless the environment has switched that off. Nothing is written when the
// environment has no URL.
func (s *Service) AddSync(ctx context.Context, tx linkspan.Tx, e SyncEvent) error {
	if tx == nil {
		return s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error { return s.AddSync(ctx, tx, e) })
	}
	env, exists, err := s.environment(ctx, tx, e.EnvironmentID)
	if err != nil || !exists {
		return err
	}
	payloads := e.payloads(env.Settings.Webhooks)
	if len(payloads) == 0 {
		return nil
	}
	urls, err := s.receivers(ctx, tx, &env, e.ConnectionUUID)
	if err != nil || len(urls) == 0 {
		return err
	}
	for _, p := range payloads {
		body, err := Canonical(p)
		if err != nil {
			return fmt.Errorf("writing the body of a webhook: %w", err)
		}
		if err := s.add(ctx, tx, linkspan.WebhookEvent{
			UUID: linkspan.NewUUID(), EnvironmentID: e.EnvironmentID, Type: typeSync,
			IntegrationKey: e.IntegrationKey, Provider: e.Provider, ConnectionName: e.ConnectionName, ConnectionUUID: e.ConnectionUUID,
			Body: linkspan.NewSecret(string(body)),
		}, urls); err != nil {
			return err
		}
	}
	return nil
}

// payloads returns the bodies of the webhooks that the environment's settings ask
// for (wire contract §14.3).
func (e *SyncEvent) payloads(settings linkspan.WebhookSettings) []syncPayload {
	if e.Failure != nil {
		if !settings.OnSyncError {
			return nil
		}
		return []syncPayload{e.failed()}
	}
	var out []syncPayload
	for i := range e.Models {
		if m := &e.Models[i]; m.Counts.Changed() || settings.OnSyncCompletionAlways {
			out = append(out, e.succeeded(m))
		}
	}
	return out
}

func (e *SyncEvent) succeeded(m *ModelResult) syncPayload {
	p := e.payload(m.Model)
	p.Success = true
	p.ModifiedAfter = moment(e.StartedAt)
	p.QueryTimeStamp = p.ModifiedAfter
	p.Results = &syncResults{Added: m.Counts.Added, Updated: m.Counts.Updated, Deleted: m.Counts.Deleted}
	return p
}

func (e *SyncEvent) failed() syncPayload {
	names := make([]string, len(e.Models))
	for i := range e.Models {
		names[i] = e.Models[i].Model
	}
	f := e.Failure
	p := e.payload(strings.Join(names, ","))
	p.Error = &syncError{Type: f.Type, Description: f.Description, Payload: f.Payload}
	if f.Upstream != nil {
		p.Error.Additional = &syncDetails{UpstreamResponse: *f.Upstream}
	}
	p.StartedAt, p.FailedAt = moment(e.StartedAt), moment(f.FailedAt)
	return p
}

// payload is what webhooks about success and failure share.
func (e *SyncEvent) payload(model string) syncPayload {
	p := syncPayload{
		From: "nango", Type: typeSync, ConnectionID: e.ConnectionName, IntegrationKey: e.IntegrationKey,
		SyncName: e.Name, SyncVariant: e.Variant, Model: model, SyncType: e.Type,
	}
	if e.Checkpointed {
		p.Checkpoints = &checkpoints{From: orNull(e.From), To: orNull(e.To)}
	}
	return p
}

// moment is a time as the API writes it. Its microseconds are cut off rather than
// rounded: what changed after the time also changed after what is said.
func moment(t time.Time) string {
	return t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

func orNull(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}
