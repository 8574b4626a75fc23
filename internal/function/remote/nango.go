package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/api/client"
	"github.com/linkspan/linkspan/internal/function/call"
	"github.com/linkspan/linkspan/internal/sandbox"
)

// maxPage is how many records a page has at most.
const maxPage = 1000

// connection returns a connection with its credentials, as far as the key may see
// them.
func (w *World) connection(ctx context.Context, p call.Connection) (any, error) {
	key, name := w.names(p.Which)
	q := api.ConnectionQuery{ProviderConfigKey: key}
	if p.ForceRefresh {
		q.ForceRefresh = new(true)
	}
	if p.RefreshToken {
		q.RefreshToken = new(true)
	}
	c, err := w.client.Connection(ctx, name, q)
	if err != nil {
		return nil, err
	}
	w.Know(c)
	if w.o.Metadata != nil && key == w.o.Integration && name == w.o.Connection {
		c.Metadata = nil
		if err := json.Unmarshal(w.o.Metadata, &c.Metadata); err != nil {
			return nil, linkspan.E("remote.connection", linkspan.KindInvalid, "invalid_metadata", err, "Metadata must be an object.")
		}
	}
	c.CreatedAt.Offset, c.UpdatedAt.Offset = true, true
	if c.LastFetchedAt != nil {
		c.LastFetchedAt.Offset = true
	}
	return c, nil
}

// Know has the secrets of a connection taken out by Redact from now on.
func (w *World) Know(c api.FullConnection) {
	w.know(call.ConnectionSecrets(map[string]any{
		"credentials": map[string]any(c.Credentials), "metadata": c.Metadata, "connection_config": c.ConnectionConfig,
	})...)
}

// integration returns the integration of the run's connection.
func (w *World) integration(ctx context.Context, p call.Integration) (any, error) {
	i, err := w.client.Integration(ctx, w.o.Integration, deduplicated(p.Include)...)
	if err != nil {
		return nil, err
	}
	if c := i.Credentials.Value; c != nil {
		for _, s := range []*api.Secret{c.ClientSecret, c.PrivateKey, c.WebhookSecret.Value} {
			if s != nil {
				w.know(linkspan.NewSecret(s.Reveal()))
			}
		}
	}
	return i, nil
}

// provider returns the provider of a connection's integration. It is asked for
// once.
func (w *World) provider(ctx context.Context, of call.Which) (api.Provider, error) {
	key, _ := w.names(of)
	w.mu.Lock()
	known, ok := w.providers[key]
	w.mu.Unlock()
	if ok {
		return known, nil
	}
	integration, err := w.client.Integration(ctx, key)
	if err != nil {
		return api.Provider{}, err
	}
	provider, err := w.client.Provider(ctx, integration.Provider)
	if err != nil {
		return api.Provider{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.providers[key] = provider
	return provider, nil
}

// pagination returns the provider's defaults for reading lists page by page; null
// when it has none.
func (w *World) pagination(ctx context.Context, of call.Which) (any, error) {
	provider, err := w.provider(ctx, of)
	if err != nil {
		return nil, err
	}
	if provider.Proxy == nil || len(provider.Proxy.Paginate) == 0 {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return provider.Proxy.Paginate, nil
}

// variables returns the environment's variables.
func (w *World) variables(ctx context.Context, _ struct{}) (any, error) {
	found, err := w.client.Variables(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]call.Variable, len(found))
	for i, v := range found {
		list[i] = call.Variable{Name: v.Name, Value: v.Value.Reveal()}
		if call.IsSecretVariable(v.Name, v.Value.Reveal()) {
			w.know(linkspan.NewSecret(v.Value.Reveal()))
		}
	}
	return list, nil
}

// writeMetadata replaces the metadata of the connection, or merges into it.
func (w *World) writeMetadata(ctx context.Context, p call.Metadata) (any, error) {
	if p.Metadata == nil {
		return nil, linkspan.E("remote.metadata", linkspan.KindInvalid, "invalid_metadata", nil, "Metadata must be an object.")
	}
	in := api.ConnectionMetadata{ConnectionID: api.One(w.o.Connection), ProviderConfigKey: w.o.Integration, Metadata: p.Metadata}
	if p.Merge {
		return nil, w.client.MergeMetadata(ctx, in)
	}
	return nil, w.client.SetMetadata(ctx, in)
}

// action runs another action on the server.
func (w *World) action(ctx context.Context, p call.Action) (any, error) {
	key, name := w.names(p.Which)
	a := client.Action{ProviderConfigKey: key, ConnectionID: name, Name: p.Action}
	if len(p.Input) > 0 {
		a.Input = p.Input
	}
	var output json.RawMessage
	if err := w.client.TriggerAction(ctx, a, &output); err != nil {
		return nil, err
	}
	return json.RawMessage(cmp.Or(string(output), "null")), nil
}

// triggerSyncs says which syncs would run.
func (w *World) triggerSyncs(_ context.Context, p call.Syncs) (any, error) {
	w.o.Say(fmt.Sprintf("nango.triggerSync: %s was not run, since this is a trial.", syncNames(p)))
	return nil, nil //nolint:nilnil // there is nothing to answer
}

// startSyncs says which schedules would start.
func (w *World) startSyncs(_ context.Context, p call.Syncs) (any, error) {
	w.o.Say(fmt.Sprintf("nango.startSync: the schedule of %s was not started, since this is a trial.", syncNames(p)))
	return nil, nil //nolint:nilnil // there is nothing to answer
}

func syncNames(p call.Syncs) string {
	if len(p.Syncs) == 0 {
		return "all syncs of " + p.Integration
	}
	names := make([]string, len(p.Syncs))
	for i, s := range p.Syncs {
		names[i] = p.Integration + "/" + s.Name
		if s.Variant != "" && s.Variant != linkspan.BaseVariant {
			names[i] += "::" + s.Variant
		}
	}
	return strings.Join(names, ", ")
}

// records names the records of a model.
func (w *World) records(model string) client.Records {
	of := client.Records{ProviderConfigKey: w.o.Integration, ConnectionID: w.o.Connection, Model: model}
	if w.o.Variant != linkspan.BaseVariant {
		of.Variant = w.o.Variant
	}
	return of
}

// recordsByID answers with the records that the server has and that are not
// deleted.
func (w *World) recordsByID(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.RecordsByIDs
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	page := api.Records{}
	if len(p.IDs) > 0 { // without ids the server lists all
		var err error
		if page, err = w.client.ListRecords(ctx, w.records(p.Model), client.RecordFilter{IDs: p.IDs, Limit: maxPage}); err != nil {
			return sandbox.Reply{}, err
		}
	}
	found := slices.DeleteFunc(page.Records, func(r api.Record) bool { return metadataOf(r).DeletedAt != nil })
	return array(found)
}

// listRecords answers with a page of the server's records.
func (w *World) listRecords(ctx context.Context, c sandbox.Call) (sandbox.Reply, error) {
	var p call.RecordsList
	if err := call.Decode(c.JSON, &p); err != nil {
		return sandbox.Reply{}, err
	}
	if p.Until == 0 {
		p.Until = linkspan.RecordPosition(time.Now().UnixMicro())
	}
	page, err := w.client.ListRecords(ctx, w.records(p.Model), client.RecordFilter{Cursor: p.Cursor, Limit: min(max(p.Limit, 1), maxPage)})
	if err != nil {
		return sandbox.Reply{}, err
	}
	head := call.RecordsPage{Until: p.Until, Late: len(page.Records)}
	if i := slices.IndexFunc(page.Records, func(r api.Record) bool { return modified(r) > p.Until }); i >= 0 {
		head.Late = i
	}
	if page.NextCursor != nil {
		head.Next = *page.NextCursor
	}
	reply, err := array(page.Records)
	if err != nil {
		return sandbox.Reply{}, err
	}
	reply.JSON, err = call.Encode(head)
	return reply, err
}

// array makes the reply that carries records.
func array(records []api.Record) (sandbox.Reply, error) {
	if records == nil {
		records = []api.Record{}
	}
	text, err := call.Encode(records)
	return sandbox.Reply{Body: text, Text: true}, err
}

// metadataOf reads what the server knows of a record.
func metadataOf(r api.Record) api.RecordMetadata {
	known, _ := r["_nango_metadata"].(map[string]any) // absent in nothing that the server sends
	text := func(name string) string { s, _ := known[name].(string); return s }
	m := api.RecordMetadata{LastModifiedAt: text("last_modified_at")}
	if deleted := text("deleted_at"); deleted != "" {
		m.DeletedAt = &deleted
	}
	return m
}

// modified is when a record changed last, as its position.
func modified(r api.Record) linkspan.RecordPosition {
	at, err := time.Parse(time.RFC3339, metadataOf(r).LastModifiedAt)
	if err != nil {
		return 0
	}
	return linkspan.RecordPosition(at.UnixMicro())
}
