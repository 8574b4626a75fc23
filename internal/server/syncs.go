package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
	"github.com/linkspan/linkspan/internal/schedule"
)

// Syncs says when syncs run; *schedule.Service does.
type Syncs interface {
	Start(ctx context.Context, sel schedule.Selection) error
	Pause(ctx context.Context, sel schedule.Selection) error
	Cancel(ctx context.Context, sel schedule.Selection) error
	Trigger(ctx context.Context, sel schedule.Selection, o schedule.TriggerOptions) error
	Status(ctx context.Context, sel schedule.Selection) ([]schedule.Status, error)
	SetFrequency(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref schedule.Ref, frequency *string) (string, error)
	CreateVariant(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref schedule.Ref) (linkspan.Sync, error)
	DeleteVariant(ctx context.Context, env linkspan.EnvironmentID, integrationKey, connectionName string, ref schedule.Ref) error
}

func (s *Server) triggerSync(w http.ResponseWriter, r *http.Request) error {
	h, err := httpx.DecodeHeader[api.TriggerSyncHeaders](r)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.TriggerSync](r)
	if err != nil {
		return err
	}
	key := cmp.Or(deref(body.ProviderConfigKey), deref(h.ProviderConfigKey))
	if key == "" {
		return linkspan.E("server.triggerSync", linkspan.KindInvalid, "missing_provider_config_key", nil,
			"Name the integration in the body as provider_config_key, or in the header Provider-Config-Key.")
	}
	options, err := triggerOptions(&body)
	if err != nil {
		return err
	}
	sel := selection(r, key, cmp.Or(deref(body.ConnectionID), deref(h.ConnectionID)), body.Syncs)
	if err := s.cfg.Syncs.Trigger(r.Context(), sel, options); err != nil {
		return syncError(err)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Success{Success: true})
}

// triggerOptions reads from where runs begin, in the present form or an older one.
func triggerOptions(body *api.TriggerSync) (schedule.TriggerOptions, error) {
	older := body.SyncMode != nil || body.FullResync != nil
	switch {
	case body.Opts != nil && older:
		return schedule.TriggerOptions{}, linkspan.E("server.triggerSync", linkspan.KindInvalid, "invalid_body", nil,
			"Cannot use opts with deprecated sync_mode/full_resync parameters")
	case body.Opts != nil:
		return schedule.TriggerOptions{Reset: body.Opts.Reset, Empty: body.Opts.EmptyCache}, nil
	case body.SyncMode != nil:
		return schedule.TriggerOptions{Reset: *body.SyncMode != "incremental", Empty: *body.SyncMode == "full_refresh_and_clear_cache"}, nil
	default:
		return schedule.TriggerOptions{Reset: deref(body.FullResync)}, nil
	}
}

// selection names syncs of the caller's environment, and notes for the log which.
func selection(r *http.Request, integrationKey, connectionName string, syncs []api.SyncRef) schedule.Selection {
	event := httpx.EventFrom(r.Context())
	event.Integration, event.Connection = integrationKey, connectionName
	return schedule.Selection{
		Environment: environmentOf(r).ID, IntegrationKey: integrationKey, ConnectionName: connectionName,
		Syncs: each(syncs, func(ref *api.SyncRef) schedule.Ref { return schedule.Ref{Name: ref.Name, Variant: ref.Variant} }),
	}
}

func (s *Server) startSyncs(w http.ResponseWriter, r *http.Request) error {
	return s.changeSyncs(w, r, s.cfg.Syncs.Start)
}

func (s *Server) pauseSyncs(w http.ResponseWriter, r *http.Request) error {
	return s.changeSyncs(w, r, s.cfg.Syncs.Pause)
}

func (s *Server) cancelSyncs(w http.ResponseWriter, r *http.Request) error {
	return s.changeSyncs(w, r, s.cfg.Syncs.Cancel)
}

func (s *Server) changeSyncs(w http.ResponseWriter, r *http.Request, change func(context.Context, schedule.Selection) error) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.SyncSelection](r)
	if err != nil {
		return err
	}
	if err := change(r.Context(), selection(r, body.ProviderConfigKey, deref(body.ConnectionID), body.Syncs)); err != nil {
		return syncError(err)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Success{Success: true})
}

func (s *Server) syncStatus(w http.ResponseWriter, r *http.Request) error {
	q, err := httpx.DecodeQuery[api.SyncStatusQuery](r)
	if err != nil {
		return err
	}
	list, err := s.cfg.Syncs.Status(r.Context(), selection(r, q.ProviderConfigKey, deref(q.ConnectionID), q.Refs()))
	if linkspan.CodeOf(err) == "unknown_connection" {
		return linkspan.E("server.syncStatus", linkspan.KindInvalid, "invalid_body", err, "Connection not found")
	}
	if err != nil {
		return syncError(err)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.SyncStatuses{Syncs: each(list, shownStatus)})
}

func (s *Server) updateSyncFrequency(w http.ResponseWriter, r *http.Request) error {
	if err := httpx.NoQuery(r); err != nil {
		return err
	}
	body, err := httpx.DecodeBody[api.UpdateSyncFrequency](r)
	if err != nil {
		return err
	}
	sel := selection(r, body.ProviderConfigKey, body.ConnectionID, nil)
	ref := schedule.Ref{Name: body.SyncName, Variant: deref(body.SyncVariant)}
	frequency, err := s.cfg.Syncs.SetFrequency(r.Context(), sel.Environment, sel.IntegrationKey, sel.ConnectionName, ref, body.Frequency.Value)
	if linkspan.CodeOf(err) == "unknown_provider_config" { // this route knows no such code (wire contract §4.7)
		return linkspan.E("server.updateSyncFrequency", linkspan.KindInvalid, "unknown_connection", err,
			"There is no connection %q at the integration %q.", sel.ConnectionName, sel.IntegrationKey)
	}
	if err != nil {
		return mistake(err)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.SyncFrequency{Frequency: pointer(frequency)})
}

// variantOf reads which variant of which connection a request is about.
func variantOf(r *http.Request) (schedule.Selection, schedule.Ref, error) {
	path, err := httpx.DecodePath[api.SyncVariantPath](r)
	if err != nil {
		return schedule.Selection{}, schedule.Ref{}, err
	}
	if err := httpx.NoQuery(r); err != nil {
		return schedule.Selection{}, schedule.Ref{}, err
	}
	body, err := httpx.DecodeBody[api.SyncVariantOwner](r)
	return selection(r, body.ProviderConfigKey, body.ConnectionID, nil), schedule.Ref{Name: path.Name, Variant: path.Variant}, err
}

func (s *Server) createSyncVariant(w http.ResponseWriter, r *http.Request) error {
	sel, ref, err := variantOf(r)
	if err != nil {
		return err
	}
	made, err := s.cfg.Syncs.CreateVariant(r.Context(), sel.Environment, sel.IntegrationKey, sel.ConnectionName, ref)
	if err != nil {
		return unforeseen(mistake(err), "failed_sync_variant_creation")
	}
	return httpx.WriteJSON(w, http.StatusOK, api.SyncVariant{ID: made.UUID, Name: made.Name, Variant: made.Variant})
}

func (s *Server) deleteSyncVariant(w http.ResponseWriter, r *http.Request) error {
	sel, ref, err := variantOf(r)
	if err != nil {
		return err
	}
	if err := s.cfg.Syncs.DeleteVariant(r.Context(), sel.Environment, sel.IntegrationKey, sel.ConnectionName, ref); err != nil {
		if linkspan.CodeOf(err) == "not_found" {
			return err
		}
		return unforeseen(mistake(err), "failed_sync_variant_deletion")
	}
	return httpx.WriteJSON(w, http.StatusOK, api.Success{Success: true})
}

// shownStatus shapes the state of a sync for the wire.
func shownStatus(st *schedule.Status) api.SyncStatus {
	shown := api.SyncStatus{
		ID: st.Sync.UUID, ConnectionID: st.Sync.ConnectionName, Name: st.Sync.Name, Variant: st.Sync.Variant,
		Type: "INCREMENTAL", Status: string(st.State), Frequency: pointer(st.Frequency),
		FinishedAt: api.MaybeAt(st.FinishedAt), NextScheduledSyncAt: api.MaybeAt(st.NextAt),
		LatestResult: make(map[string]api.SyncResult, len(st.Latest)), LatestExecutionStatus: lastOutcome(st.Last),
		RecordCount: orEmpty(st.Records), Checkpoint: jsonOrNull(st.Checkpoint),
	}
	if st.Initial {
		shown.Type = "INITIAL"
	}
	for model, c := range st.Latest {
		shown.LatestResult[model] = api.SyncResult{Added: c.Added, Updated: c.Updated, Deleted: c.Deleted}
	}
	return shown
}

// lastOutcome names how a run ended as the states of syncs are named.
func lastOutcome(state linkspan.RunState) string {
	switch state {
	case linkspan.RunSucceeded:
		return string(schedule.StateSuccess)
	case linkspan.RunFailed:
		return string(schedule.StateError)
	case linkspan.RunCancelled:
		return string(schedule.StateStopped)
	case linkspan.RunWaiting, linkspan.RunRunning:
	}
	return ""
}

// syncError gives errors about a selection of syncs the status that their codes
// have on these routes, and the shape of the older ones (wire contract §4.7, §16).
func syncError(err error) error {
	switch linkspan.CodeOf(err) {
	case "unknown_connection", "disabled_resource":
		e, _ := errors.AsType[*linkspan.Error](err)
		return withEmptyPayload(e.WithStatus(http.StatusNotFound))
	case "unknown_provider_config", "no_syncs_found":
		return withEmptyPayload(asBadRequest(err))
	default:
		return err
	}
}

// mistake gives what the caller got wrong the status 400, whatever it is: these
// routes know no other.
func mistake(err error) error {
	switch linkspan.KindOf(err) {
	case linkspan.KindInvalid, linkspan.KindNotFound, linkspan.KindConflict:
		return asBadRequest(err)
	default:
		return err
	}
}

// unforeseen gives an error that has no code the one that clients know for it on
// these routes.
func unforeseen(err error, code string) error {
	if linkspan.KindOf(err) != linkspan.KindInternal || linkspan.CodeOf(err) != "" || errors.Is(err, context.Canceled) {
		return err
	}
	return linkspan.E("server.unforeseen", linkspan.KindInternal, code, err, "Something went wrong on the server. Its log names the cause.")
}
