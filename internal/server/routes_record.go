package server

import (
	"net/http"

	"github.com/linkspan/linkspan"
	"github.com/linkspan/linkspan/api"
	"github.com/linkspan/linkspan/internal/httpx"
)

func (s *Server) recordRoutes() []httpx.Route {
	if s.cfg.Records == nil {
		return nil
	}
	return []httpx.Route{
		{
			Method: http.MethodGet, Pattern: "/records", Auth: httpx.AuthEnvironment, Tag: tagSyncs,
			Scopes:  []string{linkspan.ScopeRecordsRead},
			Summary: "List records",
			Description: "What syncs have saved of a model for a connection, in the order in which it changed; deleted records are marked, not missing. " +
				"A page may be shorter than the limit: there is more until next_cursor is null.",
			Header: api.RecordHeaders{}, Query: api.RecordsQuery{}, Reply: api.Records{}, Handler: s.listRecords,
		},
		{
			Method: http.MethodPatch, Pattern: "/records/prune", Auth: httpx.AuthEnvironment, Tag: tagSyncs,
			Scopes:  []string{linkspan.ScopeRecordsWrite},
			Summary: "Empty the payloads of records", Description: "Of those up to a cursor. What is known of them stays: saved again unchanged, they do not count as changed.",
			Header: api.RecordHeaders{}, Body: api.PruneRecords{}, Reply: api.PrunedRecords{}, Handler: s.pruneRecords,
		},
	}
}
