package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) syncRoutes() []httpx.Route {
	if s.cfg.Syncs == nil {
		return nil
	}
	execute := []string{linkspan.ScopeSyncsExecute}
	const variant = "/sync/{name}/variant/{variant}"
	return []httpx.Route{
		{
			Method: http.MethodPost, Pattern: "/sync/trigger", Auth: httpx.AuthEnvironment, Tag: tagSyncs, Scopes: execute,
			Summary: "Run syncs now",
			Description: "Schedules stay as they are, and paused syncs paused. A sync that is running runs once more after it. " +
				"With reset it begins anew, and the run under way is broken off.",
			Header: api.TriggerSyncHeaders{}, Body: api.TriggerSync{}, Reply: api.Success{}, Handler: s.triggerSync,
		},
		{
			Method: http.MethodPost, Pattern: "/sync/start", Auth: httpx.AuthEnvironment, Tag: tagSyncs, Scopes: execute,
			Summary: "Start the schedules of syncs", Description: "Each runs at once, unless it was started already.",
			Body: api.SyncSelection{}, Reply: api.Success{}, Handler: s.startSyncs,
		},
		{
			Method: http.MethodPost, Pattern: "/sync/pause", Auth: httpx.AuthEnvironment, Tag: tagSyncs, Scopes: execute,
			Summary: "Pause the schedules of syncs", Description: "Runs under way go on to their end.",
			Body: api.SyncSelection{}, Reply: api.Success{}, Handler: s.pauseSyncs,
		},
		{
			Method: http.MethodPost, Pattern: "/sync/cancel", Auth: httpx.AuthEnvironment, Tag: tagSyncs, Scopes: execute,
			Summary: "Break off runs of syncs", Description: "Those that wait and those under way. What they have saved stays, and so do the schedules.",
			Body: api.SyncSelection{}, Reply: api.Success{}, Handler: s.cancelSyncs,
		},
		{
			Method: http.MethodGet, Pattern: "/sync/status", Auth: httpx.AuthEnvironment, Tag: tagSyncs,
			Scopes:  []string{linkspan.ScopeSyncsRead},
			Summary: "Tell where syncs stand", Query: api.SyncStatusQuery{}, Reply: api.SyncStatuses{}, Handler: s.syncStatus,
		},
		{
			Method: http.MethodPut, Pattern: "/sync/update-connection-frequency", Auth: httpx.AuthEnvironment, Tag: tagSyncs,
			Scopes:  []string{linkspan.ScopeSyncsUpdate},
			Summary: "Give a sync of one connection a frequency of its own", Description: "It stays when the function is deployed again.",
			Body: api.UpdateSyncFrequency{}, Reply: api.SyncFrequency{}, Handler: s.updateSyncFrequency,
		},
		{
			Method: http.MethodPost, Pattern: variant, Auth: httpx.AuthEnvironment, Tag: tagSyncs,
			Scopes:  []string{linkspan.ScopeSyncsVariantCreate},
			Summary: "Create a variant of a sync", Description: "For one connection, with a schedule, a checkpoint and records of its own.",
			Path: api.SyncVariantPath{}, Body: api.SyncVariantOwner{}, Reply: api.SyncVariant{}, Handler: s.createSyncVariant,
		},
		{
			Method: http.MethodDelete, Pattern: variant, Auth: httpx.AuthEnvironment, Tag: tagSyncs,
			Scopes:  []string{linkspan.ScopeSyncsVariantDelete},
			Summary: "Delete a variant of a sync", Description: "With its records.",
			Path: api.SyncVariantPath{}, Body: api.SyncVariantOwner{}, Reply: api.Success{}, Handler: s.deleteSyncVariant,
		},
	}
}
