package webhook

import (
	"context"
	"fmt"

	"github.com/linkspan/linkspan"
)

// typeAsyncAction is the type of webhooks about asynchronous actions.
const typeAsyncAction = "async_action"

// AsyncActionEvent is an asynchronous action that has ended, well or not.
type AsyncActionEvent struct {
	EnvironmentID linkspan.EnvironmentID
	// ID is the one that the caller was given, whose result can be asked for now.
	ID string
	// IntegrationKey, Provider, ConnectionName and ConnectionUUID are those that
	// it ran for.
	IntegrationKey, Provider, ConnectionName, ConnectionUUID string
}

// asyncActionPayload is the body of the webhook (wire contract §14.4).
type asyncActionPayload struct {
	From           string            `json:"from"`
	Type           string            `json:"type"`
	ConnectionID   string            `json:"connectionId"`
	IntegrationKey string            `json:"providerConfigKey"`
	Payload        asyncActionResult `json:"payload"`
}

type asyncActionResult struct {
	ID        string `json:"id"`
	StatusURL string `json:"statusUrl"`
}

// AddAsyncAction writes the webhook about an asynchronous action that has ended:
// an event and a delivery for each URL, in tx, or in a transaction of its own if
// that is nil. Nothing is written when the environment has no URL, or has not
// switched the event on.
func (s *Service) AddAsyncAction(ctx context.Context, tx linkspan.Tx, e AsyncActionEvent) error {
	if tx == nil {
		return s.tx.InTx(ctx, func(ctx context.Context, tx linkspan.Tx) error { return s.AddAsyncAction(ctx, tx, e) })
	}
	env, exists, err := s.environment(ctx, tx, e.EnvironmentID)
	if err != nil || !exists || !env.Settings.Webhooks.OnAsyncActionCompletion {
		return err
	}
	urls, err := s.receivers(ctx, tx, &env, e.ConnectionUUID)
	if err != nil || len(urls) == 0 {
		return err
	}
	body, err := Canonical(asyncActionPayload{
		From: "nango", Type: typeAsyncAction, ConnectionID: e.ConnectionName, IntegrationKey: e.IntegrationKey,
		Payload: asyncActionResult{ID: e.ID, StatusURL: "/action/" + e.ID},
	})
	if err != nil {
		return fmt.Errorf("writing the body of a webhook: %w", err)
	}
	return s.add(ctx, tx, linkspan.WebhookEvent{
		UUID: linkspan.NewUUID(), EnvironmentID: e.EnvironmentID, Type: typeAsyncAction,
		IntegrationKey: e.IntegrationKey, Provider: e.Provider, ConnectionName: e.ConnectionName, ConnectionUUID: e.ConnectionUUID,
		Body: linkspan.NewSecret(string(body)),
	}, urls)
}

// add stores an event with a delivery to each of the URLs.
func (s *Service) add(ctx context.Context, tx linkspan.Tx, event linkspan.WebhookEvent, urls []string) error {
	deliveries := make([]linkspan.WebhookDelivery, len(urls))
	for i, u := range urls {
		deliveries[i] = linkspan.WebhookDelivery{
			UUID: linkspan.NewUUID(), EnvironmentID: event.EnvironmentID, URL: u, Destination: destination(u),
			Operation: linkspan.NewOperationID(tx.Now()),
		}
	}
	if err := s.store.InsertWebhook(ctx, tx, &event, deliveries); err != nil {
		return fmt.Errorf("storing a webhook: %w", err)
	}
	tx.OnCommit(s.WebhooksDue)
	return nil
}
