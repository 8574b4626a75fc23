package client

import (
	"context"
	"net/http"
	"strings"

	"github.com/linkspan/linkspan/api"
)

// TriggerSync has syncs run now, whatever their schedules say. It needs the scope
// environment:syncs:execute. Codes: unknown_provider_config, unknown_connection,
// no_syncs_found, invalid_body.
func (c *Client) TriggerSync(ctx context.Context, in api.TriggerSync) error {
	if in.Syncs == nil {
		in.Syncs = []api.SyncRef{}
	}
	return c.do(ctx, call{method: http.MethodPost, path: "/sync/trigger", body: in, once: true}, nil)
}

// StartSync has syncs run now and then by their schedules; those that are started
// already go on as they do. It needs the scope environment:syncs:execute. Codes:
// those of TriggerSync.
func (c *Client) StartSync(ctx context.Context, in api.SyncSelection) error {
	return c.selectSyncs(ctx, "/sync/start", in)
}

// PauseSync takes syncs off their schedules. A run under way goes on to its end. It
// needs the scope environment:syncs:execute. Codes: those of TriggerSync.
func (c *Client) PauseSync(ctx context.Context, in api.SyncSelection) error {
	return c.selectSyncs(ctx, "/sync/pause", in)
}

// CancelSync breaks off what syncs run now. Their schedules go on. It needs the
// scope environment:syncs:execute. Codes: those of TriggerSync.
func (c *Client) CancelSync(ctx context.Context, in api.SyncSelection) error {
	return c.selectSyncs(ctx, "/sync/cancel", in)
}

func (c *Client) selectSyncs(ctx context.Context, path string, in api.SyncSelection) error {
	if in.Syncs == nil {
		in.Syncs = []api.SyncRef{}
	}
	return c.do(ctx, call{method: http.MethodPost, path: path, body: in}, nil)
}

// SyncStatus returns where syncs stand: those that are named, in the base variant
// unless they say another one, or all in all variants if none is. An empty
// connection means all. It needs the scope environment:syncs:read. Codes:
// unknown_provider_config, invalid_body for an unknown connection.
func (c *Client) SyncStatus(ctx context.Context, integration, connection string, syncs ...api.SyncRef) ([]api.SyncStatus, error) {
	names := make([]string, len(syncs))
	for i := range syncs {
		names[i] = syncs[i].String()
	}
	q := api.SyncStatusQuery{Syncs: []string{"*"}, ProviderConfigKey: integration}
	if len(names) > 0 {
		q.Syncs = []string{strings.Join(names, ",")}
	}
	if connection != "" {
		q.ConnectionID = &connection
	}
	reply, err := bare[api.SyncStatuses](ctx, c, call{method: http.MethodGet, path: "/sync/status", query: encodeQuery(q)})
	return reply.Syncs, err
}

// UpdateSyncFrequency gives a sync of one connection a frequency of its own, or
// takes it away, and returns the one that counts, in its normal form; nil: it runs
// only when asked to. It needs the scope environment:syncs:update. Codes:
// unknown_connection, unknown_sync, sync_interval_too_short, invalid_body.
func (c *Client) UpdateSyncFrequency(ctx context.Context, in api.UpdateSyncFrequency) (*string, error) {
	reply, err := bare[api.SyncFrequency](ctx, c, call{method: http.MethodPut, path: "/sync/update-connection-frequency", body: in})
	return reply.Frequency, err
}

// CreateSyncVariant creates a variant of a sync for one connection. It needs the
// scope environment:syncs:variant:create. Codes: invalid_variant,
// sync_variant_already_exists, unknown_connection, unknown_sync, resource_capped.
func (c *Client) CreateSyncVariant(ctx context.Context, name, variant string, in api.SyncVariantOwner) (api.SyncVariant, error) {
	return bare[api.SyncVariant](ctx, c, call{method: http.MethodPost, path: join("sync", name, "variant", variant), body: in})
}

// DeleteSyncVariant deletes a variant with its records. It needs the scope
// environment:syncs:variant:delete. Codes: invalid_variant, not_found.
func (c *Client) DeleteSyncVariant(ctx context.Context, name, variant string, in api.SyncVariantOwner) error {
	return c.do(ctx, call{method: http.MethodDelete, path: join("sync", name, "variant", variant), body: in}, nil)
}
